/* The script that sites load as /banner.js, behind /t.js: it asks what the visitor allows, where agreement has to come
   first. Refusing is as easy as accepting, nothing is ticked before, Escape closes without a choice.

   <script defer src="https://…/banner.js" data-site="shop" data-policy="/privacy"></script>     more: docs/panel.md
   <button data-throng-ask>Privacy settings</button>       opens it again, from anywhere on the page */
try {
  const site = SELF.site;
  const ask = async opener => {
    if (document.querySelector('throng-banner')) return;
    let here;
    try {
      const answer = await fetch(`${HOST}/preferences?site=${encodeURIComponent(site)}`);
      here = answer.ok && await answer.json();
    } catch (e) { /* asked again on the next page; until then nothing is granted */ }
    if (!here || !opener && here.kind !== 'opt_in' && SELF.always == null) return;
    const uses = here.purposes.filter(one => !one.channel && (!SELF.purposes || SELF.purposes.split(' ').includes(one.purpose)));
    if (!uses.length || document.querySelector('throng-banner')) return;

    const { name, text } = tongue(SELF.lang || document.documentElement.lang || 'en');
    const before = throng.consent() || {};
    const host = make('throng-banner', { lang: name, dir: text.rtl ? 'rtl' : getComputedStyle(document.documentElement).direction });
    const root = shade(host, BASE + `
      :host { position: fixed; z-index: 2147483000; inset-block-end: 0; inset-inline: 0; display: flex; justify-content: center; pointer-events: none }
      section { pointer-events: auto; background: Canvas; inline-size: min(44rem, 100%); max-block-size: min(100dvh, 40rem); overflow: auto;
        border: 1px solid color-mix(in srgb, CanvasText 40%, Canvas); border-radius: .75rem .75rem 0 0; padding: 1rem 1.25rem 1.25rem; box-shadow: 0 -.25rem 2rem #0005 }
      h2 { font-size: 1.25rem; line-height: 1.3; margin-block-end: .5rem }
      p { margin-block-end: .75rem }
      .gpc { border-inline-start: .25rem solid Highlight; padding-inline-start: .75rem }
      .row { position: sticky; inset-block-end: -1.25rem; background: Canvas; padding-block: .5rem; display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: .5rem }
      @media (max-width: 30rem) { .row { grid-template-columns: 1fr } }
      ul { margin-block-end: .75rem; columns: 17rem; column-gap: 2rem } li { break-inside: avoid }
    `);
    const close = () => {
      removeEventListener('keydown', escape, true);
      host.remove();
      if (opener) opener.focus();
    };
    const escape = event => { if (event.key === 'Escape') { event.stopPropagation(); close(); } };
    const choose = of => {
      const choice = { ...before };
      uses.forEach(one => { choice[one.purpose] = of(one.purpose); });
      throng.consent(choice, { surface: 'banner', locale: name, wording: SELF.wording || `throng-banner/${WORDING}` });
      close();
    };
    const boxes = {};
    const list = make('ul', { hidden: true, id: 'list' }, ...uses.map(({ purpose }) => {
      const [title, says] = text.purposes[purpose] || [purpose, ''];
      // Ticked only what was agreed to before.
      boxes[purpose] = make('input', { type: 'checkbox', checked: before[purpose] === true, 'aria-describedby': `p-${purpose}` });
      return make('li', 0, make('label', 0, boxes[purpose], make('span', 0, title, make('small', { id: `p-${purpose}` }, says))));
    }));
    const third = make('button', { type: 'button', 'aria-expanded': 'false', 'aria-controls': 'list', onclick: () => {
      if (!list.hidden) return choose(purpose => boxes[purpose].checked);
      list.hidden = false;
      third.textContent = text.save;
      third.removeAttribute('aria-expanded');
      boxes[uses[0].purpose].focus();
    } }, text.choose);
    const link = (href, says) => href && make('a', { href }, says);
    root.append(make('section', { role: 'dialog', 'aria-modal': 'false', 'aria-labelledby': 'ask', 'aria-describedby': 'asks' },
      make('h2', { id: 'ask' }, text.ask),
      make('p', { id: 'asks' }, text.asks, ' ', uses.map(one => (text.purposes[one.purpose] || [one.purpose])[0]).join(', ') + '.'),
      here.objecting.includes('gpc') && make('p', { class: 'gpc' }, text.gpc),
      list,
      // The three look the same, and stand in the order of the page's own language.
      make('div', { class: 'row' },
        make('button', { type: 'button', onclick: () => choose(() => false) }, text.refuse),
        make('button', { type: 'button', onclick: () => choose(() => true) }, text.accept),
        third),
      (SELF.policy || SELF.panel) && make('p', { class: 'links' }, link(SELF.policy, text.more), SELF.policy && SELF.panel && ' · ', link(SELF.panel, text.mine))));
    addEventListener('keydown', escape, true);
    // First in the page: the first stop of the keyboard, without taking the focus from where it is.
    document.body.prepend(host);
    if (opener) root.querySelector('button').focus();
  };
  let tries = 0;
  const start = () => {
    if (!window.throng || !throng.consent) return tries++ < 100 && setTimeout(start, 100); // the beacon is on its way
    addEventListener('click', event => {
      const opener = event.target.closest && event.target.closest('[data-throng-ask]');
      if (opener) ask(opener);
    });
    if (!throng.consent() && !(SELF.quiet || '').split(' ').includes(location.pathname)) ask();
  };
  start();
} catch (e) { /* ours, never the page's */ }
