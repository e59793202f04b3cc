/* The script that measures adverts, as /v.js. On a site's page t.js loads it where there is an advert; in an advert's
   frame it stands by itself. It stores nothing but what t.js lets it, and never throws into the page.

   <div data-throng-ad="campaign/creative" data-throng-placement="top">…</div>             in a page (docs/beacon.md)
   <script async src="https://…/v.js" data-site="shop" data-throng-ad="campaign/creative"></script>      in a frame

   ad_request (the slot is there) → ad_served (it has a creative) → ad_impression (that has begun to render) →
   ad_viewable (IAB/MRC: half of it, 30 % where it is large, for a second without a break; of a video two seconds of
   play) → ad_engagement when the view is over; ad_click, ad_video. Seen is what the browser vouches for
   (IntersectionObserver v2: nothing covers, fades or bends it), or what looking at points of it finds. What can be
   told by neither is "not measured": no share. A link to /ad/go in an advert is given, while somebody clicks on it,
   which view it was, that this script tells the click, and the visitor's own choice (ingest/protocols/redirect.py). */
((d, w) => { try {
  const s = d.currentScript, own = s.dataset, framed = w !== w.top, MEDIA = 'iframe,video,img';
  // In an advert's frame the script's own tag names the advert. A page measures the slots.
  const alone = own.throngAd != null, AD = '[data-ad-slot],[data-throng-ad]:not(script)';
  const GO = new URL('ad/go?', s.src).href, MOST = 500, CLICKS = 9;
  const safe = f => (...all) => { try { return f(...all); } catch (e) { /* ours */ } };
  const on = (what, f, where = w) => where.addEventListener(what, safe(f), true);
  const after = (ms, f) => setTimeout(safe(f), ms);
  const id = () => crypto.getRandomValues(new Uint32Array(4)).join('-'); // 128 bits
  const clock = () => performance.now(), today = () => Date.now() / 864e5 | 0, driven = { step: navigator.webdriver ? 'webdriver' : undefined };
  const views = new Map(), targets = new WeakMap();
  let api = w.throng, linked, waiting = [], sending, made = 0, start;

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
    const url = (d.referrer || location.href).split(/[?#]/)[0];
    api = (type, ad, more) => {
      waiting.push(api.event(type, { ad, ...more }));
      sending ||= after(Math.max(300, 3e3 - clock() + start), flush);
    };
    api.event = (type, more) => ({
      site: own.site, type, url, time: Date.now(), id: id(), consent: own.consent && JSON.parse(own.consent), ...more
    });
  } else if (!api?.count || api.left) return;

  // ---- one view of one advert
  const named = e => {
    const a = e.dataset, [campaign, creative] = a.throngAd?.split('/') || [a.adCampaign, a.adCreative];
    return { slot: a.throngSlot || a.adSlot, placement: a.throngPlacement, campaign: campaign || undefined, creative, group: a.throngGroup };
  };
  const say = (view, type, more, ad) => view.mute || api('ad_' + type, { ...view.ad, ...ad }, view.url ? { url: view.url, ...more } : more);
  const begun = e => e.tagName === 'IMG' ? e.complete && e.naturalWidth : e.tagName === 'VIDEO' ? e.readyState > 1
    // A frame from elsewhere shows nothing of itself from the moment its document is there.
    : e.tagName !== 'IFRAME' || !e.contentDocument || e.contentDocument.URL !== 'about:blank' || e.contentDocument.body?.firstChild;

  // Whether a point finds the element, in whatever shadow tree it is, or something within it.
  const onTop = (e, x, y, root = d, last) => {
    const hit = root?.elementFromPoint(x, y);
    return e.contains(hit) || hit && hit !== last && onTop(e, x, y, hit.shadowRoot, hit);
  };
  // How much of it 25 points of what is in view find, 0 to 1, and 64 where it is close. `thorough`, before it counts:
  // 576, what lets the pointer through may cover it too, and it is -1 where the browser does not vouch and no point
  // finds why. A filter is always -1.
  const probe = (e, view, need, thorough) => {
    const roots = new Set([d, e.getRootNode()]), box = e.getBoundingClientRect(), x = Math.max(0, box.x), y = Math.max(0, box.y);
    const width = Math.min(w.innerWidth, box.right) - x, height = Math.min(w.innerHeight, box.bottom) - y;
    let opacity = 1, found, hits, sheet;
    for (let up = e; up; up = up.assignedSlot || up.parentElement || up.getRootNode().host) {
      const style = getComputedStyle(up);
      opacity *= style.opacity;
      if (style.filter !== 'none') return -1;
    }
    if (opacity < 0.5) return 0;
    if (thorough) safe(() => {
      sheet = new CSSStyleSheet();
      sheet.replaceSync('*{pointer-events:auto!important}');
      roots.forEach(root => { root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet]; });
    })();
    for (const n of thorough ? [24] : [5, 8]) {
      let i = n * n;
      hits = 0;
      while (i--) if (onTop(e, x + width * (i % n + 0.5) / n, y + height * ((i / n | 0) + 0.5) / n)) hits += 1 / n / n;
      found = hits * width * height / box.width / box.height * view.small;
      if (hits > 0.999 || Math.abs(found - need) > 0.15) break;
    }
    if (sheet) roots.forEach(root => { root.adoptedStyleSheets = root.adoptedStyleSheets.filter(one => one !== sheet); });
    return thorough && hits > 0.999 && opacity > 0.99 && view.small > 0.99 && view.entry.isVisible === false ? -1 : found;
  };

  // What holds of a view at this moment: 1 in view, 2 perhaps (nobody can tell), 0 not.
  const look = (view, at = clock()) => {
    const e = view.target, o = view.entry, box = o?.boundingClientRect;
    if (!o) return;
    const area = box.width * box.height;
    const video = e.tagName === 'VIDEO';
    if (view.served && !view.shown && area && begun(e)) {
      view.shown = 1;
      Object.assign(view.ad, {
        width: Math.round(alone ? w.innerWidth : box.width), height: Math.round(alone ? w.innerHeight : box.height),
        frequency: view.ad.campaign && api.count?.(all => {
          const times = ++(all[view.ad.campaign + '/'] ||= [0, today()])[0];
          return times > 6 ? '7+' : times > 3 ? '4-6' : '' + times;
        }) || undefined
      });
      say(view, 'impression', 0, driven);
    }
    // A page that is scrolled comes by here in every frame: what depends on the size alone is asked for once.
    if (view.area !== area) {
      const a = view.e.dataset, rule = api.data || own;
      view.area = area;
      view.need = (a.throngShare || rule.throngShare || (area < 242500 ? 50 : 30)) / 100;
      view.long = +(a.throngMs || rule.throngMs || (video ? 2e3 : 1e3));
    }
    const need = view.need;
    // What the browser vouches for is not shrunk; and to ask may cost a layout.
    const vouched = o.isVisible && 1;
    view.small = vouched || Math.min(1, area / (e.offsetWidth * e.offsetHeight || area));
    let share = !view.shown || view.over || d.hidden || area < 100 ? 0 : o.intersectionRatio * view.small;
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
    if (!vouched) view.timer = clearTimeout(view.timer);
    if (!maybe || view.over) return;
    // The browser may be a tenth of a second late with the news that it is out of view again.
    const left = view.long + (vouched ? 120 : 0) - clock() + view.at;
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
    if (!vouched || !view.viewed) view.timer ||= after(!state || view.viewed || left <= 0 ? 1e3 : vouched ? left : 200, () => {
      view.timer = 0;
      look(view);
    });
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
  })), { threshold: [...Array(21).keys()].map(i => i / 20), trackVisibility: true, delay: 100 });

  // Whether there were as many views as one browser tells of on a day; of a page, where nothing may be kept (S10).
  const many = () => {
    let views = ++made;
    api.count?.(all => views = (all['/'] = [all['/']?.[1] === today() ? all['/'][0] + 1 : 1, today()])[0]);
    return views > MOST;
  };
  // Slots, also those in shadow trees within what is marked: to look for them everywhere costs a walk each time.
  const slots = (root, found) => {
    found.push(...root.querySelectorAll(AD));
    (root === d ? d.querySelectorAll('[data-throng-shadow]') : [root]).forEach(e => [e, ...e.querySelectorAll('*')].forEach(({ shadowRoot }) => {
      if (!shadowRoot) return;
      if (!targets.has(shadowRoot)) targets.set(shadowRoot, on('load', ready, shadowRoot));
      changes.observe(shadowRoot, WATCHED);
      slots(shadowRoot, found);
    }));
    return found;
  };
  // ---- what is in the page now: slots that came, went, or have another creative, which is another view
  const scan = () => {
    let fresh = 0;
    due = 0;
    views.forEach((view, e) => { if (!e.isConnected) drop(view, e); });
    (alone ? [s] : slots(d, [])).forEach(safe(e => {
      const ad = named(e), key = JSON.stringify(ad), has = e.dataset.adSlot != null || e.dataset.throngAd;
      let view = views.get(e);
      if (view?.served && view.served !== key) view = drop(view, e);
      if (!view) {
        // No more at once than what the beacon lets wait, however many there are.
        if (fresh++ > 9) return soon();
        views.set(e, view = { e, ad: { id: id(), ...ad }, most: 0, time: 0, state: 0, clicks: 0, mute: many() });
        view.url = say(view, 'request', 0, driven);
      }
      if (has && !view.served) {
        view.served = key;
        Object.assign(view.ad, ad);
        say(view, 'served', 0, driven);
        look(view);
      }
      // What is looked at: the picture, film or frame where the slot has nothing else, the largest of several.
      const body = alone ? d.body : e, size = one => one.offsetWidth * one.offsetHeight;
      const media = [...body.querySelectorAll(MEDIA)].sort((a, b) => size(b) - size(a))[0];
      const target = media && !(body.textContent.trim() && body.innerText.trim()) ? media : body;
      if (view.target === target) return;
      if (view.target) eyes.unobserve(view.target);
      enter(target);
      if (!targets.has(target)) watch(target, e);
      view.target = target;
      targets.set(target, e);
      eyes.observe(target);
    }));
  };
  let due;
  const soon = () => { due ||= after(200, scan); };
  const changes = new MutationObserver(soon), WATCHED = {
    childList: true, subtree: true,
    attributeFilter: ['data-throng-ad', 'data-throng-placement', 'data-ad-slot', 'data-ad-campaign', 'data-ad-creative']
  };
  // Whose advert something is in, through all shadow trees and frames of one origin around it.
  const of = e => alone ? views.get(s) : e && (views.get(e) || of(e.parentNode || e.host || e.defaultView?.frameElement));

  // ---- how somebody engages: a pointer that stays for a second, a click, a film that plays
  const watch = (target, e) => {
    let hover;
    on('mouseenter', () => { hover = after(1e3, () => { views.get(e).step ||= 'hover'; }); }, target);
    on('mouseleave', () => clearTimeout(hover), target);
    if (target.tagName === 'VIDEO') ['playing', 'pause', 'waiting', 'ended', 'timeupdate'].forEach(what => on(what, () => {
      const view = views.get(e), part = target.ended ? 4 : target.currentTime * 4 / target.duration | 0;
      view.plays = !target.paused && !target.ended && what !== 'waiting';
      look(view);
      for (view.part ||= 0; view.shown && !view.over && view.part <= part; view.part++) {
        say(view, 'video', 0, { step: ['start', 'first', 'midpoint', 'third', 'complete'][view.part] });
      }
    }, target));
  };
  const clicked = (view, step) => {
    view.step = 'click';
    if (linked) tell({ click: 1 });
    else if (view.clicks++ < CLICKS) say(view, 'click', 0, { step });
  };
  // A link of ours says for as long as it is followed what nobody has signed: the view, the visitor's own word, and
  // that this script tells the click (`told`), which it can't of a link that is opened from a menu. That is then
  // another person's, where the browser has an id, and of no view. A page around tells no word to a frame.
  const dress = (view, e, told) => {
    const a = e.composedPath().find(one => one.href?.startsWith?.(GO));
    if (!a || view.mute) return;
    const { time, consent, device_id } = api.event(), was = a.getAttribute('href'), now = new URL(a.href), said = now.searchParams;
    const more = { time, told, slot: view.ad.slot, consent: consent && JSON.stringify(consent), view: !linked && (told || !device_id) && view.ad.id };
    for (const name in more) if (more[name] && !said.has(name)) said.set(name, more[name]);
    a.href = now;
    after(300, () => { if (a.href == now) a.href = was; });
  };
  const hear = (where, frame) => {
    const heard = f => e => {
      const view = e.isTrusted && of(e.composedPath()[0]);
      // Of a frame with a script of its own that script tells.
      if (view && !(frame && view.inner != null)) f(view, e);
    };
    const click = heard((view, e) => {
      if (e.button > 1) return;
      clicked(view);
      dress(view, e, 1);
    });
    on('click', click, where);
    on('auxclick', click, where);
    on('contextmenu', heard(dress), where);
    on('pointerdown', here, where);
    on('pointerup', here, where); // a touch is one when it ends
    on('keydown', here, where);
    on('blur', e => {
      if (e.target !== e.currentTarget) return;
      clearTimeout(eye);
      if (!(clock() - hand < 1e3)) { hand = 0; eye = after(200, within); } // and not with a key, nor by a script after either
    }, where.defaultView || w);
  };
  // A frame of the page's own origin is part of the page.
  const enter = frame => {
    const inner = frame.contentDocument;
    if (inner && !targets.has(inner)) targets.set(inner, hear(inner, frame));
  };
  // Of a frame from elsewhere a page sees only that it took the focus. That was a click if somebody has just done
  // something (which a browser tells the pages around a frame), and neither a key nor a pointer did it out here.
  // While a frame that was clicked keeps the focus, it was clicked again where somebody's doing something is news,
  // and nothing was done out here since the last look, which on a busy page was more than a second ago.
  let hand, eye;
  const here = () => { hand = clock(); };
  const within = was => {
    let frame, root = d;
    while (root) {
      frame = root.activeElement;
      root = frame && (frame.shadowRoot || frame.contentDocument);
    }
    const view = frame?.tagName === 'IFRAME' && of(frame), active = navigator.userActivation?.isActive;
    if (!view) return;
    if (view.inner == null && active !== false && !was && !hand) clicked(view, 'focus');
    hand = 0;
    // Where a browser does not say it, the first click is all that is known.
    if (active != null) eye = after(500, () => within(active));
  };
  hear(w);
  const ready = e => {
    const view = e.target.matches?.(MEDIA) && of(e.target);
    if (!view) return;
    enter(e.target);
    look(view);
  };
  on('load', ready, d); // it never reaches the window
  on('loadeddata', ready, d);

  // A view ends when its tab is left, if it was viewable: many a tab is never heard of again. What has not been seen
  // yet may still be. Whoever comes back to a page of the cache sees each advert anew.
  const left = gone => {
    views.forEach(view => {
      look(view);
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
      if (said?.throng === 'heard') { linked = 1; waiting = []; views.forEach(view => look(view)); }
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
      look(view);
    });
  });
  if (alone) {
    on('visibilitychange', () => left());
    on('pagehide', () => left(1));
  } else api.left = left;
  const begin = () => {
    start = clock();
    if (alone) [0, 300, 1e3, 2e3].forEach(ms => after(ms, () => { if (!linked) tell({}); }));
    changes.observe(d, WATCHED);
    scan();
  };
  // A page that is rendered ahead asks for nothing until somebody comes.
  if (d.prerendering) on('prerenderingchange', begin);
  else if (d.body) begin();
  else on('DOMContentLoaded', begin);
} catch (e) { /* ours */ } })(document, window);
