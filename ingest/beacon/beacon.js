/* The script that sites load as /t.js. It measures what the visitor allowed, stores nothing before they chose,
   never throws into the page and never blocks it. Read the comments here; t.js is this file made small
   (`make beacon`).

   <script defer src="https://…/t.js" data-site="shop" [data-hash] [data-vitals] [data-host="https://…"]></script>
   throng('bid_placed', {plan: 'pro'})            a custom event
   throng.consent({measurement: true})            the visitor's choice; throng.consent() tells it */
(function (w, d) {
  'use strict';
  var s = d.currentScript, old = w.throng;
  if (!s || (old && old.consent)) return; // loaded twice
  var n = navigator, data = s.dataset, site = data.site,
    host = data.host || new URL(s.src, location.href).origin,
    key = 'throng', queue = [], timer, page, shownAt, seen, depth, last;

  // Whatever goes wrong in here is our own trouble, never the page's.
  function safe(f) {
    return function () { try { return f.apply(this, arguments); } catch (e) { /* not the page's trouble */ } };
  }
  function on(what, f, where) { (where || d).addEventListener(what, safe(f), true); }
  function id() {
    var a = crypto.getRandomValues(new Uint8Array(16)), t = '', i = 0;
    for (; i < 16; i++) t += (256 + a[i]).toString(16).slice(1);
    return t;
  }

  // The choice, and the id that a grant of measurement allows. Absent until the visitor has chosen.
  var kept = safe(function () { return JSON.parse(localStorage.getItem(key)); })() || {};
  function keep(v) { kept = v; safe(function () { localStorage.setItem(key, JSON.stringify(v)); })(); }

  // ---- sending: a queue of at most 100, one attempt at a time; ids make a second attempt harmless
  function flush(leaving) {
    clearTimeout(timer); timer = 0;
    if (!queue.length) return;
    var batch = queue.splice(0, 40), body = JSON.stringify(batch);
    function again() {
      queue = batch.concat(queue).slice(0, 100);
      timer = timer || setTimeout(safe(flush), 5000);
    }
    if (leaving && n.sendBeacon && n.sendBeacon(host + '/e', body)) return flush(leaving);
    if (n.onLine === false) return again();
    fetch(host + '/e', { method: 'POST', body: body, keepalive: true, credentials: 'omit' }).then(function (r) {
      if (r.status > 499 || r.status === 429) again(); else if (queue.length) flush();
    }, again);
  }
  function send(type, more) {
    var e = { site: site, type: type, url: page, id: id(), time: Date.now() }, k;
    for (k in more) if (more[k] != null) e[k] = more[k];
    if (kept.c) e.consent = kept.c;
    if (kept.d && !n.globalPrivacyControl) e.device_id = kept.d;
    queue.push(e);
    if (queue.length > 100) queue.shift();
    timer = timer || setTimeout(safe(flush), 300);
  }

  // ---- pages: the first, those of a single-page application, and those that come back from the cache
  function where() { return location.href.replace(/#.*/, data.hash == null ? '' : '$&'); }
  function clock() {
    if (shownAt) seen += Date.now() - shownAt;
    shownAt = d.visibilityState === 'visible' ? Date.now() : 0;
  }
  function scrolled() {
    var e = d.documentElement, h = e.scrollHeight;
    depth = Math.max(depth, h ? Math.min(100, Math.round(100 * (w.scrollY + w.innerHeight) / h)) : 0);
  }
  function leave() {
    if (!page) return;
    clock(); scrolled();
    if (seen) send('engagement', { duration: Math.min(seen, 864e5), scroll: depth });
    seen = 0;
  }
  function view(referrer) {
    leave();
    page = where(); seen = depth = 0; shownAt = 0; clock();
    send('page_view', { referrer: referrer || undefined, title: d.title.slice(0, 200) });
    last = page;
  }
  function moved() { if (page && where() !== last) view(last); }
  ['pushState', 'replaceState'].forEach(function (f) {
    var was = history[f];
    history[f] = function () { var r = was.apply(this, arguments); safe(moved)(); return r; };
  });
  on('popstate', moved, w);
  on('hashchange', moved, w);
  on('pageshow', function (e) { if (e.persisted) { page = 0; view(); } }, w);
  on('scroll', scrolled);
  on('visibilitychange', function () {
    if (d.visibilityState === 'hidden') { leave(); flush(1); } else clock();
  });
  on('pagehide', function () { leave(); flush(1); }, w);
  on('online', function () { flush(); }, w);

  // ---- clicks on links that lead away, downloads, forms: where to, never what was written
  on('click', function (e) {
    var a = e.target.closest && e.target.closest('a[href]'), ad = e.target.closest('[data-ad-slot]'), f;
    if (ad) send('ad_click', { ad: advert(ad) });
    if (!a) return;
    f = /\.(pdf|zip|gz|docx?|xlsx?|pptx?|csv|dmg|exe|apk|mp3|mp4)$/i.exec(a.pathname);
    if (f) send('click', { name: 'download', props: { extension: f[1].toLowerCase() } });
    else if (/^http/.test(a.protocol) && a.host !== location.host) send('click', { name: 'outbound', props: { host: a.hostname } });
  });
  on('submit', function (e) {
    send('event', { name: 'form', props: { form: e.target.getAttribute('name') || e.target.id || 'form' } });
  });

  // ---- adverts: rendered, then viewable: half of it (30 % of a large one) for one second without a break (MRC)
  function advert(e) {
    var a = e.dataset;
    return { slot: a.adSlot, creative: a.adCreative, campaign: a.adCampaign };
  }
  var eyes = w.IntersectionObserver && new IntersectionObserver(safe(function (all) {
    all.forEach(function (o) {
      var e = o.target, r = o.boundingClientRect;
      clearTimeout(e.throngT); e.throngT = 0;
      if (o.intersectionRatio >= (r.width * r.height >= 242500 ? 0.3 : 0.5) && d.visibilityState === 'visible')
        e.throngT = setTimeout(safe(function () {
          if (d.visibilityState !== 'visible') return;
          eyes.unobserve(e); send('ad_viewable', { ad: advert(e) });
        }), 1000);
    });
  }), { threshold: [0, 0.3, 0.5] });
  function adverts() {
    d.querySelectorAll('[data-ad-slot]').forEach(function (e) {
      if (e.throngA) return;
      e.throngA = 1; send('ad_impression', { ad: advert(e) });
      if (eyes) eyes.observe(e);
    });
  }

  // ---- Web Vitals, where asked for
  function vital(type, name, f) {
    safe(function () {
      var v;
      new PerformanceObserver(function (l) { l.getEntries().forEach(function (e) { v = f(e, v || 0); }); }).observe({ type: type, buffered: true, durationThreshold: 40 });
      on('visibilitychange', function () { if (v != null && d.visibilityState === 'hidden') { send('vital', { name: name, value: v }); v = null; } });
    })();
  }

  // ---- what the page may call
  var api = safe(function (name, props) { send('event', { name: name, props: props }); });
  api.consent = safe(function (c) {
    if (!c) return kept.c;
    var before = kept.d, mine = c.measurement && !n.globalPrivacyControl ? before || id() : undefined;
    keep({ c: c, d: mine });
    if (before || mine)
      fetch(host + '/consent', { method: 'PUT', body: JSON.stringify({ site: site, device_id: mine || before, consent: c }), keepalive: true, credentials: 'omit' }).catch(function () {});
  });
  w.throng = api;

  // A page that is being rendered ahead is nobody's visit until somebody comes.
  function start() {
    safe(function () { view(d.referrer); })();
    adverts();
    new MutationObserver(safe(adverts)).observe(d.documentElement, { childList: true, subtree: true });
    ((old && old.q) || []).forEach(function (a) { api.apply(null, a); });
    if (data.vitals != null) {
      vital('largest-contentful-paint', 'LCP', function (e) { return e.startTime; });
      vital('layout-shift', 'CLS', function (e, v) { return e.hadRecentInput ? v : v + e.value; });
      vital('event', 'INP', function (e, v) { return Math.max(v, e.duration); });
      vital('navigation', 'TTFB', function (e) { return e.responseStart; });
    }
  }
  safe(function () {
    if (d.prerendering) d.addEventListener('prerenderingchange', safe(start), { once: true });
    else start();
  })();
})(window, document);
