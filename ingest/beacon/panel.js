/* The script that sites load as /privacy.js, where the visitor is to see what holds of them and to change it: state,
   history, receipts, rights, and what their browser stores.

   <script defer src="https://…/privacy.js" data-site="shop"></script> <throng-privacy></throng-privacy>

   data-user: the site's id of who is signed in. A site whose users have to prove it gives signed tokens:
   document.querySelector('throng-privacy').token = right => fetch('/token?right=' + right).then(a => a.text()) */
const RIGHTS = ['access', 'rectify', 'restrict', 'object', 'withdraw', 'erase', 'complaint'];
const MADE = 'throng-rights', LIFE = 180 * 864e5;

/* Requests made here: number, secret, when. They have an end like everything that is kept. */
const requests = () => {
  try {
    const all = JSON.parse(localStorage[MADE]).filter(one => Date.now() - one.t < LIFE);
    if (!all.length) delete localStorage[MADE];
    return all;
  } catch (e) { return []; }
};
const remember = one => {
  try { localStorage[MADE] = JSON.stringify([...requests().filter(old => old.request !== one.request), { ...one, t: Date.now() }]); } catch (e) { /* it may not be */ }
};
const kept = () => { try { return JSON.parse(localStorage.throng) || {}; } catch (e) { return {}; } };

customElements.get('throng-privacy') || customElements.define('throng-privacy', class extends HTMLElement {
  connectedCallback() {
    if (this.root) return;
    const { name, text } = tongue(this.dataset.lang || SELF.lang || document.documentElement.lang || 'en');
    this.name = name;
    this.text = text;
    this.lang = name;
    this.dir = text.rtl ? 'rtl' : getComputedStyle(this).direction;
    this.root = shade(this, BASE + `
      :host { max-inline-size: 46rem; margin-inline: auto; background: Canvas }
      h2 { font-size: 1.6rem; line-height: 1.2; margin-block-end: .5rem }
      h3, legend { font-size: 1.15rem; font-weight: 600; padding: 0; margin-block: 2rem .5rem }
      fieldset { margin-block-start: 2rem } fieldset legend { margin: 0 0 .5rem }
      li { border-block-end: 1px solid color-mix(in srgb, CanvasText 25%, Canvas); padding-block: .5rem }
      .row { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center }
      .row > span { flex: 1 1 14rem } p.row { margin-block: 1rem } .state { display: block }
      .note { border-inline-start: .25rem solid Highlight; padding-inline-start: .75rem; margin-block: .75rem }
      [role=status]:not(:empty) { padding: .5rem .75rem; border: 1px solid; border-radius: .4rem; margin-block: .75rem; position: sticky; inset-block-start: .5rem; background: Canvas; z-index: 1 }
      input[role=switch] { appearance: none; inline-size: 3rem; block-size: 1.75rem; border: 2px solid CanvasText; border-radius: 1rem; background: Canvas; cursor: pointer; display: grid; align-items: center }
      input[role=switch]::before { content: ''; inline-size: 1.1rem; block-size: 1.1rem; border-radius: 50%; background: CanvasText; margin-inline: .2rem }
      input[role=switch]:checked { background: CanvasText }
      input[role=switch]:checked::before { background: Canvas; margin-inline-start: auto }
      textarea { font: inherit; inline-size: 100%; min-block-size: 5rem; border: 2px solid CanvasText; border-radius: .4rem; padding: .5rem; background: Canvas; color: CanvasText }
      form { padding-block: .5rem } form label { display: block }
      @media (forced-colors: active) { input[role=switch] { forced-color-adjust: none } }
    `);
    this.live = make('div', { role: 'status', 'aria-live': 'polite' });
    this.main = make('div', 0);
    this.root.append(this.live, this.main);
    this.main.append(make('p', 0, text.loading));
    if (SELF.frame != null && parent !== window) {
      // The page around it says who it is about; who may be that page, the collector has told the browser.
      addEventListener('message', ({ source, data }) => {
        const who = source === parent && data && data.throng;
        if (!who) return;
        this.device = who.device_id;
        if (who.user_id) this.dataset.user = who.user_id;
        this.load();
      });
      parent.postMessage({ throng: 'ready' }, '*');
    }
    this.load();
  }

  get site() { return this.dataset.site || SELF.site; }
  get user() { return this.dataset.user || SELF.user; }
  get who() { return this.user ? { user_id: this.user } : { device_id: this.device || kept().d }; }
  say(text) { this.live.textContent = text; }
  day(time) { return new Intl.DateTimeFormat(this.name, { dateStyle: 'medium' }).format(time); }
  moment(time) { return new Intl.DateTimeFormat(this.name, { dateStyle: 'medium', timeStyle: 'short' }).format(time); }

  /* What holds, from the collector. The id is in a header: an address stays in logs and histories. */
  async ask(more, who) {
    const head = {}, { user_id, device_id } = who || { device_id: this.device || kept().d, user_id: this.user };
    if (user_id) head['throng-user'] = encodeURIComponent(user_id);
    if (device_id) head['throng-device'] = device_id;
    if (user_id && this.token) head['throng-token'] = await this.token('preferences');
    const answer = await fetch(`${HOST}/preferences?site=${encodeURIComponent(this.site)}${more || ''}`, { headers: head, cache: 'no-store' });
    if (!answer.ok) throw answer;
    return answer.json();
  }

  async load() {
    try { this.show(await this.ask()); } catch (e) {
      this.main.replaceChildren(make('p', 0, this.text.failed), make('button', { type: 'button', onclick: () => this.load() }, this.text.again));
    }
  }

  show(here) {
    const { text } = this, focused = this.root.activeElement && this.root.activeElement.id;
    this.here = here;
    const pages = here.purposes.filter(one => !one.channel), ways = here.purposes.filter(one => one.channel);
    const own = ways.filter(one => !/^affiliate/.test(one.channel)), theirs = ways.filter(one => /^affiliate/.test(one.channel));
    const group = (title, all) => all.length > 0 && make('fieldset', 0, make('legend', 0, title), make('ul', 0, ...all.map(one => this.row(one))));
    this.main.replaceChildren(...[
      make('h2', 0, text.title),
      make('p', 0, `${text.under}: ${here.text}`),
      here.objecting.includes('gpc') && make('p', { class: 'note' }, text.gpc),
      group(text.uses, pages),
      make('p', { class: 'row' }, make('button', { type: 'button', id: 'none', onclick: () => this.change(pages, false) }, text.refuse)),
      this.user && group(`${text.writes}: ${text.own}`, own),
      this.user && group(`${text.writes}: ${text.theirs}`, theirs),
      ...this.history(here),
      ...this.rights(),
      ...this.storage(here)
    ].filter(Boolean));
    if (focused && this.root.getElementById(focused)) this.root.getElementById(focused).focus();
  }

  row(one) {
    const { text } = this, [title, says] = one.channel ? [text.ways[one.channel.replace('affiliate_', '')] || one.channel, ''] : text.purposes[one.purpose] || [one.purpose, ''];
    const on = one.holds && !one.without_id;
    const state = [
      `${one.without_id ? text.unnamed : on ? text.on : text.off}: ${text.why[one.why] || one.why}${one.since ? `, ${this.day(one.since)}` : ''}`,
      text.basis[one.basis], one.days && fill(text.kept, one.days)
    ].filter(Boolean).join(' · ');
    const box = make('input', { type: 'checkbox', role: 'switch', id: one.purpose, checked: on, 'aria-describedby': `s-${one.purpose}` });
    box.addEventListener('change', () => this.change([one], box.checked));
    return make('li', 0, make('label', { for: one.purpose }, box, make('span', 0, title, make('small', { id: `s-${one.purpose}` }, says, make('span', { class: 'state' }, state)))));
  }

  async change(all, yes) {
    const { text } = this, wording = `throng-panel/${WORDING}`;
    const pages = all.filter(one => !one.channel), choice = of => Object.fromEntries(of.map(one => [one.purpose, yes]));
    this.say(text.saving);
    const before = kept(), beacon = window.throng && throng.consent;
    // The browser obeys at once, and the beacon tells the collector until it has heard (surface: panel).
    if (beacon && pages.length) throng.consent({ ...before.c, ...choice(pages) }, { surface: 'panel', locale: this.name, wording });
    try {
      // On a page of its own, or without the beacon: here nobody else tells the collector.
      const told = this.user || !beacon;
      if (told) {
        const token = this.token && await this.token('preferences');
        const answer = await fetch(`${HOST}/preferences`, {
          method: 'PUT', headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ site: this.site, source: 'panel', ...this.who, purposes: choice(all), locale: this.name, wording, ...(token && { token }) })
        });
        if (!answer.ok) throw answer;
      }
      // Whoever has taken their number back sees its last word once, to know that it has arrived.
      const awaited = !told && (before.d || kept().d);
      let here;
      for (let tries = 0; tries < 12; tries++) {
        here = await this.ask('', awaited && { device_id: awaited });
        if (!awaited || all.every(one => (here.purposes.find(now => now.purpose === one.purpose) || {}).chosen === yes)) break;
        here = 0;
        await new Promise(done => setTimeout(done, 250));
      }
      if (!here) throw 0;
      // Who has no number is on no record: their own browser says what they have chosen.
      if (!told && !awaited && kept().c) this.overlay(here, kept());
      this.show(here);
      this.say(text.saved);
    } catch (e) {
      this.say(beacon && pages.length ? text.local : text.unsaved);
      if (!beacon || !pages.length) this.show(this.here);
    }
  }

  overlay(here, { c, t }) {
    here.purposes.forEach(one => {
      if (!(one.purpose in c)) return;
      Object.assign(one, { chosen: c[one.purpose], since: t, why: c[one.purpose] ? one.why : 'withdrawn', holds: c[one.purpose] && one.holds });
    });
  }

  history(here) {
    const { text } = this, names = of => of.map(one => (text.purposes[one] || [this.written(one)])[0]).join(', ');
    const lines = here.history.map(one => make('li', { class: 'row' },
      make('span', 0, make('time', { datetime: new Date(one.at).toISOString() }, this.moment(one.at)), ' · ', text.at[one.surface] || one.source,
        make('small', 0, [
          one.granted.length && `${text.said.granted}: ${names(one.granted)}`, one.denied.length && `${text.said.denied}: ${names(one.denied)}`,
          one.wording && fill(text.text, one.wording), one.policy
        ].filter(Boolean).join(' · '))),
      make('button', { type: 'button', 'aria-label': `${text.receipt}, ${this.moment(one.at)}`, onclick: () => this.receipt(one.position) }, text.receipt)));
    return [
      make('h3', 0, text.history),
      lines.length ? make('ol', 0, ...lines) : make('p', 0, text.never),
      lines.length > 0 && make('p', 0, make('small', 0, text.receipts, ' ', make('a', { href: `${HOST}/consent/key`, download: 'key.json' }, text.key)))
    ];
  }

  written(purpose) {
    const { text } = this, way = purpose.replace(/^(marketing|affiliate)_/, '');
    return `${/^affiliate/.test(purpose) ? text.theirs : text.own} (${text.ways[way] || way})`;
  }

  async receipt(position) {
    try {
      const one = (await this.ask('&receipts=1')).history.find(record => record.position === position);
      if (!one || !one.receipt) throw 0;
      // The letters as they were signed: names in order, no blanks (RFC 8785).
      const order = all => all && typeof all === 'object' && !Array.isArray(all) ? Object.fromEntries(Object.keys(all).sort().map(key => [key, order(all[key])])) : Array.isArray(all) ? all.map(order) : all;
      this.file(new Blob([JSON.stringify(order(one.receipt))], { type: 'application/json' }), `receipt-${position}.json`);
    } catch (e) { this.say(this.text.failed); }
  }

  file(blob, name) {
    const link = make('a', { href: URL.createObjectURL(blob), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  rights() {
    const { text } = this, made = requests();
    const list = make('ol', 0, ...made.map(one => {
      const line = make('small', 0, fill(text.due, this.day(one.due)));
      const item = make('li', { class: 'row' }, make('span', 0, `${(text.right[one.right] || [one.right])[0]} · ${one.request}`, line));
      this.state(one, line, item);
      return item;
    }));
    return [
      make('h3', 0, text.rights),
      make('ul', 0, ...RIGHTS.map(right => {
        const [title, says] = text.right[right];
        const button = make('button', { type: 'button', id: `r-${right}`, 'aria-expanded': 'false', 'aria-describedby': `d-${right}` }, title);
        const item = make('li', 0, make('div', { class: 'row' }, button, make('span', { id: `d-${right}` }, says)));
        button.addEventListener('click', () => this.form(right, button, item));
        return item;
      })),
      made.length > 0 && make('h3', 0, text.requests), made.length > 0 && list
    ];
  }

  form(right, button, item) {
    const { text } = this, open = item.querySelector('form');
    if (open) return this.shut(open, button);
    const note = make('textarea', { id: `n-${right}`, maxlength: 2000 });
    const form = make('form', 0, make('label', { for: `n-${right}` }, text.note), note,
      make('div', { class: 'row' }, make('button', { type: 'submit' }, text.send), make('button', { type: 'button', onclick: () => this.shut(form, button) }, text.cancel)));
    form.addEventListener('submit', event => { event.preventDefault(); this.request(right, note.value.trim()); });
    form.addEventListener('keydown', event => { if (event.key === 'Escape') this.shut(form, button); });
    item.append(form);
    button.setAttribute('aria-expanded', 'true');
    note.focus();
  }

  shut(form, button) {
    form.remove();
    button.setAttribute('aria-expanded', 'false');
    button.focus();
  }

  async request(right, note) {
    const { text, who } = this;
    if (!who.user_id && !who.device_id && right !== 'complaint') return this.say(text.nobody);
    this.say(text.saving);
    try {
      const token = this.user && this.token && await this.token(right);
      const answer = await fetch(`${HOST}/rights`, {
        method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ site: this.site, right, ...who, ...(note && { text: note }), ...(token && { token }) })
      });
      const said = await answer.json();
      if (!answer.ok) return this.say(said.error && said.error.message || text.unsent);
      remember({ request: said.request, secret: said.secret, right, due: said.due });
      const how = (said.prove || []).map(way => text.proof[way] || way).join(text.or);
      // What is only a word in the ledger is done already: it shows at once.
      this.show(await this.ask().catch(() => this.here));
      this.root.getElementById(`r-${right}`).focus();
      this.say(`${fill(text.received, said.request, this.day(said.due))}${how ? ' ' + fill(text.prove, how) : ''}`);
    } catch (e) { this.say(text.unsent); }
  }

  async state(one, line, item) {
    const { text } = this, head = { headers: { authorization: `Bearer ${one.secret}` }, cache: 'no-store' };
    try {
      const said = await (await fetch(`${HOST}/rights/${one.request}`, head)).json();
      if (!said.state) return;
      line.textContent = `${text.state[said.state] || said.state} · ${fill(text.due, this.day(said.due))}${said.ground ? ' · ' + said.ground.says : ''}`;
      if (said.state === 'done') item.append(make('button', { type: 'button', onclick: async () => {
        const answer = await fetch(`${HOST}/rights/${one.request}/answer`, head);
        if (!answer.ok) return this.say(text.failed);
        const zip = answer.headers.get('content-type').includes('zip');
        this.file(await answer.blob(), `${one.request}.${zip ? 'zip' : 'json'}`);
      } }, text.answer));
    } catch (e) { /* what is known stands there: the day that it is due */ }
  }

  storage(here) {
    const { text } = this, there = here.storage.filter(({ name }) => {
      const [key, member] = name.split('.');
      try { return member ? JSON.parse(localStorage[key])[member] !== undefined : localStorage[key]; } catch (e) { return false; }
    });
    return [make('h3', 0, text.storage), there.length
      ? make('ul', 0, ...there.map(one => make('li', 0, `${text.stored[one.name] || one.says} · ${fill(text.days, one.days)}`, make('small', 0, one.name))))
      : make('p', 0, text.nothing)];
  }
});

/* Where the page has no place for it, it stands behind the script. */
{
  const self = document.currentScript;
  const place = () => { if (!document.querySelector('throng-privacy')) self.after(make('throng-privacy')); };
  if (document.readyState === 'loading') addEventListener('DOMContentLoaded', place); else place();
}
