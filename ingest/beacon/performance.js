/* The script that sites load as /p.js beside the beacon: how fast a page was and how many errors of which kind it
   had, told when it is left. Of an error never its message, its stack or its file. p.js is this file made small
   (`make beacon`). It stores nothing, never throws into the page, and sends what the beacon would let it send.

   <script src="https://…/p.js"></script>      before other scripts, so that it hears of their errors */
((d, w) => { try { // whatever goes wrong in here is our own trouble, never the page's
  const host = new URL(d.currentScript.src).origin, errors = {}, vitals = {};
  const safe = f => (...all) => { try { return f(...all); } catch (e) { /* ours */ } };
  const on = (what, f) => w.addEventListener(what, safe(f), true);
  const put = (name, value) => { vitals[name] = Math.max(vitals[name] || 0, value); };
  const api = () => w.throng || {};
  const here = () => api().event?.().url;
  // A tab that was opened in the background is nobody's wait.
  let seen = !d.hidden, first;

  // ---- errors, by kind and page: closed lists (consent_filter/performance.py), so that no text leaves the browser
  const KINDS = /^(Error|TypeError|ReferenceError|RangeError|SyntaxError)$/;
  const note = kind => {
    const url = here(), one = errors[kind + url] ||= { kind, url, n: 0 };
    one.n++;
  };
  on('error', e => {
    const error = e.error;
    note(e.target !== w ? 'resource' : !error ? e.filename ? 'other' : 'foreign'
      : error instanceof DOMException ? 'DOMException' : KINDS.test(error.name) ? error.name : 'other');
  });
  on('unhandledrejection', () => note('promise'));

  // ---- speed: Web Vitals, but for those that the beacon tells itself (data-vitals)
  let sum = 0, start = 0, last = 0;
  const all = new PerformanceObserver(safe(list => list.getEntries().forEach(e => {
    const at = e.startTime;
    if (e.size) put('LCP', at);
    if (e.interactionId) put('INP', e.duration);
    if (e.value && !e.hadRecentInput) {
      // The worst run of shifts less than a second apart, of at most five seconds.
      if (at - last > 1e3 || at - start > 5e3) { sum = 0; start = at; }
      put('CLS', sum += e.value);
      last = at;
    }
  })));
  ['largest-contentful-paint', 'layout-shift', 'event'].forEach(safe(type =>
    all.observe({ type, buffered: true, durationThreshold: 40 })));
  on('load', () => { first = here(); });

  const leave = safe(() => {
    const { event, data } = api(), found = [];
    first ||= here();
    if (!first) return; // no beacon, or not begun
    if (seen) {
      const nav = performance.getEntriesByType('navigation')[0], begun = nav.activationStart || 0;
      const paint = performance.getEntriesByName('first-contentful-paint')[0];
      if (vitals.LCP) vitals.LCP -= begun;
      if (paint) put('CLS', 0), put('FCP', paint.startTime - begun);
      if (nav.loadEventEnd) put('load', nav.loadEventEnd - begun);
      put('TTFB', nav.responseStart - begun);
      for (const name in vitals) {
        if (data.vitals == null || /^F|l/.test(name)) found.push(event('vital', { name, value: Math.max(vitals[name], 0), url: first }));
      }
      seen = 0;
    }
    for (const key in errors) {
      const { kind, url, n } = errors[key];
      found.push(event('error', { name: kind, value: n, url: url || first }));
      delete errors[key];
    }
    if (found[0]) navigator.sendBeacon((data.host || host) + '/e', JSON.stringify(found.slice(0, 40)));
  });
  on('visibilitychange', () => { if (d.hidden) leave(); });
  on('pagehide', leave);
} catch (e) { /* ours */ } })(document, window);
