/* The script that measures adverts, as /v.js. On a site's page t.js loads it where there is an advert; in an advert's
   frame it stands by itself. It stores nothing but what t.js lets it, and never throws into the page.

   <div data-throng-ad="campaign/creative" data-throng-placement="top">…</div>             in a page (docs/beacon.md)
   <script async src="https://…/v.js" data-site="shop" data-throng-ad="campaign/creative"></script>      in a frame

   ad_request (the slot is there) → ad_served (it has a creative) → ad_impression (that has begun to render) →
   ad_viewable (IAB/MRC: half of it, 30 % where it is large, for a second without a break; of a video two seconds of
   play) → ad_engagement when the view is over; ad_click, ad_video. Seen is what the browser vouches for
   (IntersectionObserver v2: nothing covers, fades or bends it), or what looking at points of it finds. What can be
   told by neither is "not measured": no share. */
((d, w) => { try {
  const s = d.currentScript, own = s.dataset, framed = w !== w.top, MEDIA = 'iframe,video,img';
  // In an advert's frame the script's own tag names the advert. A page measures the slots.
  const alone = own.throngAd != null, AD = '[data-ad-slot],[data-throng-ad]:not(script)';
  const safe = f => (...all) => { try { return f(...all); } catch (e) { /* ours */ } };
  const on = (what, f, where = w) => where.addEventListener(what, safe(f), true);
  const after = (ms, f) => setTimeout(safe(f), ms);
  const id = () => crypto.getRandomValues(new Uint32Array(4)).join('-'); // 128 bits
  const clock = () => performance.now(), driven = { step: navigator.webdriver ? 'webdriver' : undefined };
  const views = new Map(), targets = new WeakMap();
  let api = w.throng, linked, waiting = [], sending;

  // ---- from within a frame: to the page around, if that listens; it knows what its visitor has allowed, and a frame
  // is never told. If nobody answers for three seconds, to the collector, without any word of a visitor.
  const tell = message => {
    for (let frame = w; frame !== w.top;) (frame = frame.parent).postMessage({ throng: 'ad', ...message }, '*');
  };
  const flush = () => {
    const body = JSON.stringify(waiting);
    sending = 0;
    if (waiting[0] && !linked) navigator.sendBeacon(new URL(s.src).origin + '/e', body);
    waiting = [];
  };
  if (alone) {
    const url = (d.referrer || location.href).split(/[?#]/)[0], start = clock();
    api = (type, ad, more) => {
      waiting.push({ site: own.site, type, url, time: Date.now(), id: id(), consent: own.consent && JSON.parse(own.consent), ad, ...more });
      sending ||= after(Math.max(300, 3e3 - clock() + start), flush);
    };
  } else if (!api?.count || api.left) return;

  // ---- one view of one advert
  const named = e => {
    const a = e.dataset, [campaign, creative] = a.throngAd?.split('/') || [a.adCampaign, a.adCreative];
    return { slot: a.throngSlot || a.adSlot, placement: a.throngPlacement, campaign: campaign || undefined, creative, group: a.throngGroup };
  };
  const say = (view, type, more, ad) => api('ad_' + type, { ...view.ad, ...ad }, view.url ? { url: view.url, ...more } : more);
  const begun = e => e.tagName === 'IMG' ? e.complete && e.naturalWidth : e.tagName === 'VIDEO' ? e.readyState > 1
    // A frame from elsewhere shows nothing of itself from the moment its document is there.
    : e.tagName !== 'IFRAME' || !e.contentDocument || e.contentDocument.URL !== 'about:blank' || e.contentDocument.body?.firstChild;

  // How much of it 25 points of what is in view find, 0 to 1, and 576 where it is close. `thorough`, before it counts:
  // 576, what lets the pointer through may cover it too, and it is -1 where the browser does not vouch and no point
  // finds why. A filter is always -1.
  const probe = (e, view, need, thorough) => {
    const box = e.getBoundingClientRect(), x = Math.max(0, box.x), y = Math.max(0, box.y);
    const width = Math.min(w.innerWidth, box.right) - x, height = Math.min(w.innerHeight, box.bottom) - y;
    let opacity = 1, found, hits, sheet;
    for (let up = e; up; up = up.parentElement) {
      const style = getComputedStyle(up);
      opacity *= style.opacity;
      if (style.filter !== 'none') return -1;
    }
    if (opacity < 0.5) return 0;
    if (thorough) safe(() => {
      sheet = new CSSStyleSheet();
      sheet.replaceSync('*{pointer-events:auto!important}');
      d.adoptedStyleSheets = [...d.adoptedStyleSheets, sheet];
    })();
    for (const n of thorough ? [24] : [5, 24]) {
      let i = n * n;
      hits = 0;
      while (i--) hits += e.contains(d.elementFromPoint(x + width * (i % n + 0.5) / n, y + height * ((i / n | 0) + 0.5) / n)) / n / n;
      found = hits * width * height / box.width / box.height * view.small;
      if (hits > 0.999 || Math.abs(found - need) > 0.15) break;
    }
    if (sheet) d.adoptedStyleSheets = d.adoptedStyleSheets.filter(one => one !== sheet);
    return thorough && hits > 0.999 && opacity > 0.99 && view.small > 0.99 && view.entry.isVisible === false ? -1 : found;
  };

  // What holds of a view at this moment: 1 in view, 2 perhaps (nobody can tell), 0 not.
  const look = (view, at = clock()) => {
    const e = view.target, o = view.entry, box = o.boundingClientRect, area = box.width * box.height;
    const a = view.e.dataset, rule = api.data || own, video = e.tagName === 'VIDEO';
    const whole = e.offsetWidth * e.offsetHeight || area;
    if (view.served && !view.shown && area && begun(e)) {
      view.shown = 1;
      Object.assign(view.ad, {
        width: Math.round(alone ? w.innerWidth : box.width), height: Math.round(alone ? w.innerHeight : box.height),
        frequency: view.ad.campaign && api.count?.(all => {
          const times = ++(all[view.ad.campaign + '/'] ||= [0, Date.now() / 864e5 | 0])[0];
          return times > 6 ? '7+' : times > 3 ? '4-6' : '' + times;
        }) || undefined
      });
      say(view, 'impression', 0, driven);
    }
    const need = (a.throngShare || rule.throngShare || (area < 242500 ? 50 : 30)) / 100;
    const time = +(a.throngMs || rule.throngMs || (video ? 2e3 : 1e3));
    view.small = Math.min(1, area / whole);
    let share = !view.shown || view.over || d.hidden || area < 100 ? 0 : o.intersectionRatio * view.small, vouched = o.isVisible && 1;
    const maybe = share >= need && (!video || view.plays);
    if (maybe && !vouched) {
      // Looking costs: five times a second while it matters, and then every second.
      if (!(clock() - view.looked < (view.viewed ? 950 : 190))) {
        view.found = view.blind || framed && !linked ? -1 : probe(e, view, need);
        view.looked = clock();
      }
      share = view.found < 0 && linked ? share : Math.min(share, view.found);
    }
    // Where nothing is wrong with the frame in this page, and the tag within has its doubts, that is between the two.
    if (view.inner < share) share = view.inner;
    if (view.doubt && vouched) share = -1;
    const state = !maybe ? 0 : share < 0 ? 2 : share >= need ? 1 : 0;
    if (state !== view.state) {
      settle(view, at);
      view.at = at;
      view.state = state;
    }
    if (share > view.most) view.most = share;
    if (linked) tell({ share, sure: o.isVisible });
    clearTimeout(view.timer);
    if (!maybe || view.over) return;
    // The browser may be a tenth of a second late with the news that it is out of view again.
    const left = time + (vouched ? 120 : 0) - clock() + view.at;
    if (state && left <= 0 && !view.viewed) {
      const sure = vouched || framed ? share : Math.min(o.intersectionRatio * view.small, probe(e, view, need, 1));
      if (sure >= need) {
        view.viewed = 1;
        view.blind = 0;
        if (sure > view.most) view.most = sure;
        say(view, 'viewable', 0, { share: sure * 100 | 0 });
      } else {
        view.blind = sure < 0;
        view.state = view.blind && 2;
      }
    }
    // What the browser vouches for it tells by itself; the rest is looked at again and again.
    if (!vouched || !view.viewed) view.timer = after(!state || view.viewed || left <= 0 ? 1e3 : vouched ? left : 200, () => look(view));
  };
  const settle = (view, at = clock()) => {
    if (view.state === 1 || view.state && view.viewed) view.time += at - view.at;
    view.at = at;
  };
  const end = view => {
    if (view.shown && !view.over) {
      settle(view);
      say(view, 'engagement', { duration: view.time | 0 }, { step: view.step, share: view.blind && !view.viewed ? undefined : view.most * 100 | 0 });
    }
    view.over = 1;
    view.state = 0;
    clearTimeout(view.timer);
  };
  const drop = (view, e) => {
    end(view);
    eyes.unobserve(view.target);
    views.delete(e);
  };
  const eyes = new IntersectionObserver(safe(all => all.forEach(o => {
    const view = views.get(targets.get(o.target));
    if (!view || view.target !== o.target) return;
    view.entry = o;
    look(view, o.time);
  })), { threshold: Array.from({ length: 21 }, (_, i) => i / 20), trackVisibility: true, delay: 100 });

  // ---- what is in the page now: slots that came, went, or have another creative, which is another view
  const scan = () => {
    let fresh = 0;
    due = 0;
    views.forEach((view, e) => { if (!e.isConnected) drop(view, e); });
    (alone ? [s] : d.querySelectorAll(AD)).forEach(safe(e => {
      const ad = named(e), key = JSON.stringify(ad), has = e.dataset.adSlot != null || e.dataset.throngAd;
      let view = views.get(e);
      if (view?.served && view.served !== key) view = drop(view, e);
      if (!view) {
        // No more at once than what the beacon lets wait, however many there are.
        if (fresh++ > 9) return soon();
        views.set(e, view = { e, ad: { id: id(), ...ad }, most: 0, time: 0, state: 0 });
        view.url = say(view, 'request', 0, driven);
      }
      if (has && !view.served) {
        view.served = key;
        Object.assign(view.ad, ad);
        say(view, 'served', 0, driven);
        if (view.entry) look(view);
      }
      // What is looked at: the picture, film or frame where the slot has nothing else, the largest of several.
      const body = alone ? d.body : e, size = one => one.offsetWidth * one.offsetHeight;
      const media = [...body.querySelectorAll(MEDIA)].sort((a, b) => size(b) - size(a))[0];
      const target = media && !(body.textContent.trim() && body.innerText.trim()) ? media : body;
      if (view.target === target) return;
      if (view.target) eyes.unobserve(view.target);
      if (!targets.has(target)) watch(target, e);
      view.target = target;
      targets.set(target, e);
      eyes.observe(target);
    }));
  };
  let due;
  const soon = () => { due ||= after(200, scan); };
  const of = e => views.get(e.closest?.(AD)) || alone && views.get(s);

  // ---- how somebody engages: a pointer that stays for a second, a click, a film that plays
  const watch = (target, e) => {
    let hover;
    on('mouseenter', () => { hover = after(1e3, () => { views.get(e).step ||= 'hover'; }); }, target);
    on('mouseleave', () => clearTimeout(hover), target);
    if (target.tagName === 'VIDEO') ['playing', 'pause', 'waiting', 'ended', 'timeupdate'].forEach(what => on(what, () => {
      const view = views.get(e), part = target.ended ? 4 : target.currentTime * 4 / target.duration | 0;
      view.plays = !target.paused && !target.ended && what !== 'waiting';
      if (view.entry) look(view);
      for (view.part ||= 0; view.shown && !view.over && view.part <= part; view.part++) {
        say(view, 'video', 0, { step: ['start', 'first', 'midpoint', 'third', 'complete'][view.part] });
      }
    }, target));
  };
  const clicked = (view, step) => {
    view.step = 'click';
    if (linked) tell({ click: 1 });
    else say(view, 'click', 0, { step });
  };
  const click = e => { const view = e.button < 2 && of(e.target); if (view) clicked(view); };
  on('click', click);
  on('auxclick', click);
  // Of a frame from elsewhere a page sees only that it took the focus. That was a click if somebody has just done
  // something (which a browser tells the pages around a frame), and neither a key nor a pointer did it out here.
  let hand = -1e3;
  const here = () => { hand = clock(); };
  on('keydown', here);
  on('pointerdown', here);
  on('blur', e => {
    if (e.target === w && clock() - hand > 1e3) after(200, () => {
      const frame = d.activeElement, view = frame.tagName === 'IFRAME' && of(frame);
      if (view && view.inner == null && navigator.userActivation?.isActive !== false) clicked(view, 'focus');
    });
  });
  const ready = e => { const view = e.target.matches?.(MEDIA) && of(e.target); if (view?.entry) look(view); };
  on('load', ready, d); // it never reaches the window
  on('loadeddata', ready, d);

  // A view ends when its tab is left, if it was viewable: many a tab is never heard of again. What has not been seen
  // yet may still be. Whoever comes back to a page of the cache sees each advert anew.
  const left = gone => {
    views.forEach(view => {
      if (view.entry) look(view);
      if (gone || d.hidden && view.viewed) end(view);
    });
    if (alone && d.hidden | gone) flush();
  };
  on('pageshow', e => {
    if (!e.persisted) return;
    views.forEach(drop);
    scan();
  });
  on('message', e => {
    const said = e.data, from = e.source;
    if (alone) {
      if (said?.throng === 'heard') { linked = 1; waiting = []; views.forEach(view => { if (view.entry) look(view); }); }
      return;
    }
    if (said?.throng !== 'ad') return;
    let frame = from;
    while (frame.parent !== w) frame = frame.parent;
    views.forEach(view => {
      if (view.target.contentWindow !== frame) return;
      from.postMessage({ throng: 'heard' }, '*');
      view.inner = said.share ?? view.inner ?? 0;
      view.doubt = said.sure === false;
      if (said.click) clicked(view);
      if (view.entry) look(view);
    });
  });
  if (alone) {
    on('visibilitychange', () => left());
    on('pagehide', () => left(1));
    [0, 300, 1e3, 2e3].forEach(ms => after(ms, () => { if (!linked) tell({}); }));
  } else api.left = left;
  new MutationObserver(soon).observe(d, {
    childList: true, subtree: true,
    attributeFilter: ['data-throng-ad', 'data-throng-placement', 'data-ad-slot', 'data-ad-campaign', 'data-ad-creative']
  });
  if (d.body) scan();
  else on('DOMContentLoaded', scan);
} catch (e) { /* ours */ } })(document, window);
