/* The script that sites with a consent platform load as /cmp.js, beside /t.js and in any order. It hears what
   the page's platform says and sends it with each event; what it means is the collector's to say (docs/signals.md).
   It asks nobody anything, stores nothing, and throws nothing into the page.

   <script defer src="https://…/cmp.js" data-layer="dataLayer"></script>    data-layer: Google's, if called otherwise

   IAB TCF __tcfapi · IAB GPP __gpp · US Privacy __uspapi · Google consent mode (gtag's 'consent' commands) */
((w, d) => { try {
  const name = (d.currentScript || 0).dataset, layer = name && name.layer || 'dataLayer';
  const said = {}, heard = {}, was = {}, now = {};

  // A platform may come late, or be replaced: it is looked for with every event until it is there.
  const listen = (api, ...all) => {
    if (!heard[api] && w[api]) { heard[api] = 1; w[api](...all); }
  };
  const google = () => {
    for (const [what, how, marks] of [].concat(w[layer] || []).map(one => [].slice.call(Object(one)))) {
      if (what !== 'consent') continue;
      for (const mark in marks) {
        const yes = marks[mark] === 'granted';
        if (how === 'update') now[mark] = yes;
        // A default for some regions only may be this visitor's or not: one that denies counts wherever they are.
        if (how === 'default' && /_(storage|data|personalization)$/.test(mark)) was[mark] = yes && was[mark] !== false;
      }
    }
    const of = mark => mark in now ? now[mark] : was[mark];
    const marks = ['ad_storage', 'analytics_storage', 'ad_user_data', 'ad_personalization'];
    if (marks.every(mark => of(mark) === undefined)) return;
    said.gcs = 'G1' + marks.slice(0, 2).map(mark => [0, 1][+of(mark)] ?? '-').join('');
    // Default and update, as Google's tags write them: never set, denied, granted.
    said.gcd = '11' + marks.map(mark =>
      'lmnpqrtuv'[3 * (mark in was ? 1 + was[mark] : 0) + (mark in now ? 1 + now[mark] : 0)]).join('1') + '5';
  };
  const ask = () => {
    listen('__tcfapi', 'addEventListener', 2, (tc, ok) => {
      if (!ok || !tc) return;
      if (tc.gdprApplies != null) said.gdpr = +tc.gdprApplies;
      // While the visitor is being asked, what they said before stands.
      if (tc.eventStatus !== 'cmpuishown') said.tcf = tc.tcString || undefined;
    });
    listen('__gpp', 'addEventListener', (event, ok) => {
      const ping = ok !== false && event && event.pingData;
      if (!ping || ping.signalStatus !== 'ready') return;
      said.gpp = ping.gppString || undefined;
      said.gpp_sid = (ping.applicableSections || []).join() || undefined;
    });
    if (w.__uspapi) w.__uspapi('getUSPData', 1, (usp, ok) => { if (ok && usp) said.usp = usp.uspString || undefined; });
    google();
  };
  const hear = () => { try { ask(); } catch (e) { /* the platform's trouble */ } };

  const api = w.throng = w.throng || function () { (w.throng.q = w.throng.q || []).push(arguments); };
  api.cmp = choice => { hear(); return JSON.stringify(said) === '{}' ? choice : { ...choice, ...said }; };
  hear();
} catch (e) { /* ours */ } })(window, document);
