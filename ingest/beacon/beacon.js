/* The script that sites load as /t.js. It measures what the visitor allowed, stores nothing before they chose,
   never throws into the page and never blocks it. t.js is this file made small (`make beacon`).

   <script defer src="https://…/t.js" data-site="shop"></script>       what else it takes: docs/beacon.md
   throng('bid_placed', {skill: 'web'})        a custom event
   throng('ad_conversion', {goal: 'hired'})    an event of an advert; a page that shows adverts loads v.js by itself
   throng.consent({measurement: true}, {surface: 'banner', locale: 'en', wording: 'banner/3'})
                                               the visitor's choice; throng.consent() tells it.
   throng.cmp = c => ({...c, tcf: 'CQ…'})      adds what a consent platform says to each event (cmp.js) */
((d, n, l) => { try { // whatever goes wrong in here is our own trouble, never the page's
  const s = d.currentScript, stub = window.throng || {};
  if (stub.consent) return; // loaded twice
  const data = s.dataset, host = data.host || new URL(s.src).origin, AD = '[data-ad-slot],[data-throng-ad]';
  const gpc = n.globalPrivacyControl;

  const safe = f => (...all) => { try { return f(...all); } catch (e) { /* ours */ } };
  // The window hears on the way down what any part of the page will be told.
  const on = (what, f) => addEventListener(what, safe(f), true);
  const after = (ms, f) => setTimeout(safe(f), ms);
  const id = () => crypto.getRandomValues(new Uint32Array(4)).join('-'); // 128 bits

  // ---- the choice (c), when it was made (t), the id (d) that a grant of measurement allows, and how often which
  // campaign was shown (f) where adverts may be measured: absent until the visitor has chosen, and again after thirteen
  // months (ingest/storage.py). Read again when another tab writes it: a refusal there binds the next event here.
  let kept;
  const read = () => {
    kept = 0;
    try {
      const was = JSON.parse(localStorage.throng);
      if (was.t > Date.now() - 341e8) kept = was; // 394 days
      else delete localStorage.throng;
    } catch (e) { /* nothing there, or nothing may be */ }
  };
  const save = safe(() => { localStorage.throng = JSON.stringify(kept); });
  read();
  on('storage', read);

  // ---- sending: choices first, then events, up to 40 a request. What fails is tried again, later each time;
  // ids make a second attempt harmless. A hundred events may wait; more are not taken.
  let queue = [], choices = [], timer, wait = 300, busy;
  const later = () => { timer ||= after(wait, flush); };
  const flush = leaving => {
    timer = clearTimeout(timer);
    while ((choices[0] || queue[0]) && (leaving || !busy)) {
      const choice = choices.shift(), batch = choice ? [] : queue.splice(0, 40), body = choice || JSON.stringify(batch);
      // Leaving, the browser is asked to see to it; a page that is only hidden can still try again.
      if (leaving && !choice && n.sendBeacon?.(host + '/e', body)) continue;
      busy = 1;
      fetch(host + (choice ? '/consent' : '/e'), {
        method: choice ? 'PUT' : 'POST', body,
        keepalive: body.length < 6e4 // a longer one may not outlive the page, and would be refused
      }).then(r => {
        if (/5..|429/.test(r.status)) throw r;
        wait = 300;
      }).catch(() => {
        wait = Math.min(wait * 2, 3e5);
        queue = batch.concat(queue);
        if (choice) choices.unshift(choice);
      }).then(() => { busy = 0; later(); });
    }
  };
  const send = (type, more) => {
    if (queue.length < 100) queue.push(api.event(type, more));
    later();
    return page;
  };

  // ---- pages: the first, those of a single-page application, and those that come back from the cache.
  // Of the address only what reports show leaves the browser: path, campaign tags, parameters in data-query.
  let page, path, since, depth = 0, vitals;
  const where = tags => {
    const route = data.hash == null ? '' : l.hash.replace(/^#!?\/?/, '/').split('?')[0];
    const query = l.search.match(RegExp('[?&](' + tags + data.query + ')=[^&]*', 'g')) || [];
    return l.origin + l.pathname + route + query.join('').replace(/^./, '?');
  };
  const scrolled = () => {
    depth = Math.max(depth, Math.min(100, 100 * (scrollY + innerHeight) / d.documentElement.scrollHeight | 0));
  };
  const leave = gone => {
    const now = performance.now() | 0;
    scrolled();
    if (page && since) send('engagement', { duration: now - since, scroll: depth });
    since = !gone && !d.hidden && now;
    if (!since) {
      for (const name in vitals) send('vital', { name, value: vitals[name] });
      vitals = 0;
    }
  };
  const view = referrer => {
    leave();
    path = where('');
    page = where('utm_\\w+|');
    depth = 0;
    send('page_view', { referrer: referrer.split('/', 3).join('/') });
  };
  const moved = safe(() => { if (page && where('') !== path) view(l.origin); });
  ['pushState', 'replaceState'].forEach(f => {
    const was = history[f];
    history[f] = function (...all) { was.apply(this, all); moved(); };
  });
  on('popstate', moved);
  on('pageshow', e => { if (e.persisted) { busy = page = 0; view(l.origin); } });
  // Five times a second is enough: a listener costs in every frame, and reading may cost a layout.
  const scrolls = () => addEventListener('scroll', () => after(200, () => { scrolled(); scrolls(); }), { once: 1 });
  scrolls();
  // What the adverts' script has to say goes along.
  on('visibilitychange', () => { api.left?.(); leave(); flush(); });
  on('pagehide', () => { api.left?.(1); leave(1); flush(1); });
  on('online', () => { wait = 300; flush(); });

  // ---- clicks on links that lead away and on downloads; forms: which one, never what was written
  const click = e => {
    const a = e.target.closest('a[href]');
    if (e.target.closest(AD) || e.button > 1) return;
    const file = /\.(pdf|zip|docx?|xlsx?|csv|exe|dmg|apk)$/i.exec(a.pathname);
    if (file || a.hasAttribute('download')) send('click', { name: 'download', props: { extension: file && file[1].toLowerCase() } });
    else if (a.host && a.host !== l.host) send('click', { name: 'outbound', props: { host: a.hostname } });
  };
  on('click', click);
  on('auxclick', click);
  on('submit', e => {
    // Not e.target.id: a field named "id" would hide it.
    send('event', { name: 'form', props: { form: s.getAttribute.call(e.target, 'name') || s.getAttribute.call(e.target, 'id') } });
  });

  // ---- what the page may call
  const held = stub.q || [];
  const api = window.throng = safe((name, said, more) => {
    if (!page) return held.push([name, said, more]);
    // Copied at once: a circle or a later change is then this event's trouble alone.
    const props = said && JSON.parse(JSON.stringify(said));
    return /^ad_/.test(name) ? send(name, { ad: props, ...more }) : send('event', { name, props });
  });
  api.data = data;
  // An objection that the browser sends (Global Privacy Control) outweighs an earlier agreement: no id.
  api.event = (type, more) => ({
    site: data.site, type, url: page, time: Date.now(), id: id(), consent: api.cmp?.(kept.c) || kept.c, device_id: gpc ? undefined : kept.d, ...more
  });
  // For v.js: changes the counters of campaigns, where the visitor's own choice lets adverts be measured. Read anew:
  // nothing here may bring back what another tab has just taken back.
  api.count = safe(change => {
    if (localStorage.throng) read();
    else return;
    const found = kept.c?.ad_measurement && !gpc && change(kept.f ||= {});
    if (found) save();
    return found;
  });
  api.cmp = stub.cmp;
  api.consent = safe((c, how) => {
    if (!c) return kept.c;
    const before = kept.d, d = c.measurement && !gpc ? before || id() : undefined;
    kept = { c, d, t: Date.now(), f: c.ad_measurement && !gpc ? kept.f : undefined };
    save();
    // What still waits here is not sent under an id that was just taken back.
    if (!d) queue.forEach(e => { e.device_id = d; e.consent = c; });
    if (before || d) choices.push(JSON.stringify({ ...how, site: data.site, device_id: d || before, consent: c }));
    later();
  });

  // A page that is rendered ahead is nobody's visit until somebody comes.
  const start = () => {
    for (const one in kept.f) if (Date.now() / 864e5 - kept.f[one][1] > 90) delete kept.f[one], save();
    view(d.referrer);
    // A click's number that a redirect put there: told once, and part of no address that is sent.
    const click = l.search.match(/[?&]th_click=([^&]+)/);
    if (click) send('ad_landing', { ad: { id: safe(decodeURIComponent)(click[1]) } });
    held.forEach(all => api(...all));
    // Adverts are measured by a script of their own, which only pages that have some load.
    let due, begun = 0, sum = 0, first = 0, last = 0;
    const adverts = () => {
      due = 0;
      if (!d.querySelector(AD + ',[data-throng-shadow]')) return;
      changes.disconnect();
      const script = d.createElement('script');
      script.src = host + '/v.js';
      script.nonce = s.nonce;
      d.head.append(script);
    };
    const changes = new MutationObserver(() => { due ||= after(200, adverts); });
    changes.observe(d, { childList: true, subtree: true });
    adverts();

    // ---- Web Vitals, where asked for: what they were when the page was first left
    if (data.vitals == null) return;
    const put = (name, value) => { vitals[name] = Math.max(vitals[name] || 0, value); };
    const all = new PerformanceObserver(safe(list => list.getEntries().forEach(e => {
      const at = e.startTime;
      if (e.responseStart) put('TTFB', e.responseStart - (begun = e.activationStart || 0));
      if (e.size) put('LCP', at - begun);
      if (e.interactionId) put('INP', e.duration);
      if (e.value && !e.hadRecentInput) {
        // The worst run of shifts less than a second apart, of at most five seconds.
        if (at - last > 1e3 || at - first > 5e3) { sum = 0; first = at; }
        put('CLS', sum += e.value);
        last = at;
      }
    })));
    vitals = {};
    ['navigation', 'largest-contentful-paint', 'layout-shift', 'event'].forEach(type =>
      all.observe({ type, buffered: true, durationThreshold: 40 }));
  };
  if (d.prerendering) on('prerenderingchange', start);
  else start();
} catch (e) { /* ours */ } })(document, navigator, location);
