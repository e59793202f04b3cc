/* Every text of the banner and the panel, by language, in one table: a purpose is its name and what is done. A page
   may bring further languages, or other words, before the script: window.throngTexts = {fr: {…}}, a language that
   is written from the right with rtl: 1. Whoever changes a text that is chosen over counts up its version: what
   stands behind the slash of `wording` is what a receipt says was shown. */
const WORDING = '1';
const TEXTS = {
  en: {
    ask: 'Your choice',
    asks: 'We would like to use data about your visit for what is named below. Nothing is kept in your browser before you choose, and you can change your mind at any time.',
    accept: 'Accept all', refuse: 'Refuse all', choose: 'Choose', save: 'Save this choice', more: 'Privacy policy', mine: 'Your privacy settings',
    gpc: 'Your browser objects to being tracked (Global Privacy Control). We keep to that, whatever you choose here.',
    title: 'Your privacy', loading: 'Looking up what holds for you…', failed: 'This cannot be shown now. Please try again later.',
    again: 'Try again', under: 'Under', uses: 'What your data is used for', writes: 'Who may write to you', own: 'Our own news', theirs: 'News of our affiliates',
    on: 'On', off: 'Off', unnamed: 'Counted without recognising you',
    why: {
      on_record: 'you agreed', agreed: 'you agreed', withdrawn: 'you refused', refused: 'you refused', erased: 'you were erased', default: 'unless you refuse', silence: 'you have not agreed',
      cookieless: 'you have not agreed', gpc: 'your browser objects', dnt: 'your browser objects', unnamed: 'our policy does not allow it'
    },
    basis: { consent: 'with your agreement', legitimate_interest: 'legitimate interest', notice: 'as our policy says', exempt: 'exempt by law' },
    kept: 'kept for {0} days', saving: 'Saving…', saved: 'Saved. It holds from now on.', local: 'Saved in this browser only: we could not be reached. Please try again.',
    unsaved: 'Not saved: nothing has changed. Please try again.',
    history: 'What you have said', never: 'You have not said anything yet.', said: { granted: 'agreed to', denied: 'refused' },
    at: { banner: 'banner', panel: 'this page', account: 'account settings', api: 'site', officer: 'entered for you', unsubscribe: 'link in a message' },
    text: 'text {0}', receipt: 'Receipt', receipts: 'A receipt is signed: with our key anybody can check it, without us.', key: 'Our key',
    rights: 'Your rights', send: 'Send this request', note: 'What should we know? (may be left empty)', cancel: 'Cancel',
    right: {
      access: ['A copy of my data', 'We show you everything that is held about you, what for and why.'],
      rectify: ['Correct my data', 'Tell us what is wrong and how it should be.'],
      restrict: ['Restrict the use', 'Your data stays but is used for nothing until you say so.'],
      object: ['Object', 'We stop what we do because of our own interests, and profiling.'],
      withdraw: ['Withdraw my agreement', 'We stop everything that you agreed to.'],
      erase: ['Erase my data', 'What is held about you goes, everywhere, and does not come back.'],
      complaint: ['Complain', 'Tell us what went wrong. You may also turn to a supervisory authority.']
    },
    received: 'Received under the number {0}. You have an answer by {1}.', prove: 'First we have to know that it is you: {0}.', unsent: 'It could not be sent. Please try again.', or: ', or ',
    proof: { token: 'open this page while signed in', code: 'follow the message that we send you', device: 'ask from the same browser', judgement: 'we will get in touch' },
    nobody: 'Nothing on record belongs to this browser: there is no number by which we would know it again.',
    requests: 'Your requests', due: 'due {0}', state: { unproved: 'waiting for proof that it is you', verified: 'being dealt with', done: 'answered', refused: 'refused', joined: 'dealt with together with another request' }, answer: 'Fetch the answer',
    storage: 'What is stored in this browser', nothing: 'Nothing is stored.', days: 'at most {0} days',
    stored: { 'throng.c': 'your choice', 'throng.t': 'when you chose', 'throng.d': 'a random number, so that we know this browser again', 'throng.f': 'how often you were shown which advert, and how many today', 'throng-rights': 'the numbers of your requests' },
    purposes: {
      measurement: ['Measurement', 'Counting visits, and whether it is you again.'], research: ['Research', 'Studies about the crowd, never about one person.'],
      personalisation: ['Personal pages', 'Showing what fits you.'], ad_measurement: ['Measuring adverts', 'Counting whether adverts are seen.'],
      ad_personalisation: ['Personal adverts', 'Choosing adverts that fit you.'], remarketing: ['Remarketing', 'Showing you our adverts elsewhere.'],
      third_party: ['Third parties', 'Passing data on to others for their own purposes.'], precise_geo: ['Precise location', 'Using where your device is, as a coarse cell.'],
      gender: ['Gender', 'Using your gender, as you have stated it, in counts.'], security: ['Security', 'Keeping fraud and attacks away.'], referral: ['Invitations', 'Writing to you because a member has named you.']
    },
    ways: { email: 'E-mail', post: 'Post', sms: 'Text message', phone: 'Telephone', account: 'In the account', referral: 'Invitations because a member has named you' }
  },
  de: {
    ask: 'Ihre Wahl',
    asks: 'Wir möchten Daten über Ihren Besuch für die unten genannten Zwecke verwenden. Bevor Sie wählen, wird in Ihrem Browser nichts gespeichert, und Sie können Ihre Wahl jederzeit ändern.',
    accept: 'Alle annehmen', refuse: 'Alle ablehnen', choose: 'Auswählen', save: 'Auswahl speichern', more: 'Datenschutzerklärung', mine: 'Ihre Einstellungen',
    gpc: 'Ihr Browser widerspricht der Verfolgung (Global Privacy Control). Daran halten wir uns, was immer Sie hier wählen.',
    title: 'Ihre Privatsphäre', loading: 'Wir sehen nach, was für Sie gilt …', failed: 'Das lässt sich gerade nicht anzeigen. Bitte versuchen Sie es später noch einmal.',
    again: 'Noch einmal', under: 'Es gilt', uses: 'Wofür Ihre Daten verwendet werden', writes: 'Wer Ihnen schreiben darf', own: 'Nachrichten von uns', theirs: 'Nachrichten unserer Partner',
    on: 'An', off: 'Aus', unnamed: 'Gezählt, ohne Sie wiederzuerkennen',
    why: {
      on_record: 'Sie haben zugestimmt', agreed: 'Sie haben zugestimmt', withdrawn: 'Sie haben abgelehnt', refused: 'Sie haben abgelehnt', erased: 'Sie wurden gelöscht', default: 'solange Sie nicht ablehnen', silence: 'Sie haben nicht zugestimmt',
      cookieless: 'Sie haben nicht zugestimmt', gpc: 'Ihr Browser widerspricht', dnt: 'Ihr Browser widerspricht', unnamed: 'unsere Erklärung erlaubt es nicht'
    },
    basis: { consent: 'mit Ihrer Zustimmung', legitimate_interest: 'berechtigtes Interesse', notice: 'wie in unserer Erklärung', exempt: 'vom Gesetz ausgenommen' },
    kept: '{0} Tage aufbewahrt', saving: 'Wird gespeichert …', saved: 'Gespeichert. Es gilt ab jetzt.', local: 'Nur in diesem Browser gespeichert: wir waren nicht zu erreichen. Bitte versuchen Sie es noch einmal.',
    unsaved: 'Nicht gespeichert: nichts hat sich geändert. Bitte versuchen Sie es noch einmal.',
    history: 'Was Sie gesagt haben', never: 'Sie haben noch nichts gesagt.', said: { granted: 'zugestimmt', denied: 'abgelehnt' },
    at: { banner: 'Banner', panel: 'diese Seite', account: 'Kontoeinstellungen', api: 'Website', officer: 'für Sie eingetragen', unsubscribe: 'Link in einer Nachricht' },
    text: 'Text {0}', receipt: 'Beleg', receipts: 'Ein Beleg ist unterschrieben: mit unserem Schlüssel kann ihn jeder prüfen, auch ohne uns.', key: 'Unser Schlüssel',
    rights: 'Ihre Rechte', send: 'Antrag senden', note: 'Was sollten wir wissen? (kann leer bleiben)', cancel: 'Abbrechen',
    right: {
      access: ['Kopie meiner Daten', 'Wir zeigen Ihnen alles, was über Sie gespeichert ist, wofür und warum.'],
      rectify: ['Daten berichtigen', 'Sagen Sie uns, was falsch ist und wie es heißen muss.'],
      restrict: ['Verwendung einschränken', 'Ihre Daten bleiben, werden aber zu nichts verwendet, bis Sie es sagen.'],
      object: ['Widersprechen', 'Wir lassen, was wir aus eigenem Interesse tun, und Profile.'],
      withdraw: ['Zustimmung widerrufen', 'Wir lassen alles, dem Sie zugestimmt hatten.'],
      erase: ['Daten löschen', 'Was über Sie gespeichert ist, verschwindet überall und kommt nicht wieder.'],
      complaint: ['Sich beschweren', 'Sagen Sie uns, was schiefging. Sie können sich auch an eine Aufsichtsbehörde wenden.']
    },
    received: 'Eingegangen unter der Nummer {0}. Sie haben bis {1} eine Antwort.', prove: 'Zuerst müssen wir wissen, dass Sie es sind: {0}.', unsent: 'Es ließ sich nicht senden. Bitte versuchen Sie es noch einmal.', or: ', oder ',
    proof: { token: 'öffnen Sie diese Seite angemeldet', code: 'folgen Sie der Nachricht, die wir Ihnen senden', device: 'fragen Sie aus demselben Browser', judgement: 'wir melden uns' },
    nobody: 'Zu diesem Browser ist nichts gespeichert: es gibt keine Nummer, an der wir ihn wiedererkennen würden.',
    requests: 'Ihre Anträge', due: 'bis {0}', state: { unproved: 'es fehlt der Nachweis, dass Sie es sind', verified: 'in Arbeit', done: 'beantwortet', refused: 'abgelehnt', joined: 'wird mit einem anderen Antrag behandelt' }, answer: 'Antwort holen',
    storage: 'Was in diesem Browser gespeichert ist', nothing: 'Nichts ist gespeichert.', days: 'höchstens {0} Tage',
    stored: { 'throng.c': 'Ihre Wahl', 'throng.t': 'wann Sie gewählt haben', 'throng.d': 'eine Zufallszahl, an der wir diesen Browser wiedererkennen', 'throng.f': 'wie oft Ihnen welche Werbung gezeigt wurde, und wie viel heute', 'throng-rights': 'die Nummern Ihrer Anträge' },
    purposes: {
      measurement: ['Messung', 'Besuche zählen, und ob Sie es wieder sind.'], research: ['Forschung', 'Untersuchungen über die Menge, nie über Einzelne.'],
      personalisation: ['Persönliche Seiten', 'Zeigen, was zu Ihnen passt.'], ad_measurement: ['Messung von Werbung', 'Zählen, ob Anzeigen gesehen werden.'],
      ad_personalisation: ['Persönliche Werbung', 'Anzeigen auswählen, die zu Ihnen passen.'], remarketing: ['Remarketing', 'Ihnen anderswo unsere Anzeigen zeigen.'],
      third_party: ['Dritte', 'Daten an andere für deren eigene Zwecke weitergeben.'], precise_geo: ['Genauer Ort', 'Verwenden, wo Ihr Gerät ist, als grobes Feld.'],
      gender: ['Geschlecht', 'Ihr Geschlecht, wie Sie es angegeben haben, in Zählungen verwenden.'], security: ['Sicherheit', 'Betrug und Angriffe abwehren.'], referral: ['Einladungen', 'Ihnen schreiben, weil ein Mitglied Sie genannt hat.']
    },
    ways: { email: 'E-Mail', post: 'Post', sms: 'Textnachricht', phone: 'Telefon', account: 'Im Konto', referral: 'Einladungen, weil ein Mitglied Sie genannt hat' }
  }
};

/* What the banner and the panel share: where they are, which language, and how elements are made. */
const SELF = (document.currentScript || 0).dataset || {};
const HOST = SELF.host || new URL(document.currentScript.src).origin;
/* The language of the page if it is in the table, else English; what is missing in it is said in English. */
const tongue = wanted => {
  const table = { ...TEXTS, ...window.throngTexts };
  const name = [wanted, wanted.split('-')[0], 'en'].find(one => table[one]);
  const merge = (all, some) => {
    const made = { ...all };
    for (const key in some) made[key] = some[key] && some[key].constructor === Object ? merge(made[key], some[key]) : some[key];
    return made;
  };
  return { name, text: merge(TEXTS.en, table[name]) };
};
const fill = (text, ...all) => text.replace(/\{(\d)\}/g, (_, n) => all[n]);
/* An element: `make('a', {href: '/'}, 'text', child)`. No markup is ever read from a text. */
const make = (tag, more, ...inside) => {
  const one = document.createElement(tag);
  for (const name in more) {
    if (name.startsWith('on')) one.addEventListener(name.slice(2), more[name]);
    else if (more[name] != null && more[name] !== false) one.setAttribute(name, more[name] === true ? '' : more[name]);
  }
  one.append(...inside.filter(part => part != null && part !== false));
  return one;
};
/* A shadow root with its style: a made style sheet is no inline style, so that a strict policy of the page lets it be. */
const shade = (host, css) => {
  const root = host.attachShadow({ mode: 'open' }), sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  root.adoptedStyleSheets = [sheet];
  return root;
};
const BASE = `
:host { all: initial; display: block; color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; color: CanvasText }
:host([hidden]) { display: none }
* { box-sizing: border-box }
button, summary { font: inherit; color: inherit; cursor: pointer }
button { min-block-size: 2.75rem; padding: .5rem 1rem; border: 2px solid CanvasText; border-radius: .4rem; background: Canvas }
button:hover { background: color-mix(in srgb, CanvasText 12%, Canvas) }
a { color: LinkText }
:focus-visible { outline: 3px solid Highlight; outline-offset: 2px }
h2, h3, p, ul, ol, fieldset { margin: 0; padding: 0; border: 0 }
ul, ol { list-style: none }
label { display: flex; gap: .75rem; align-items: start; cursor: pointer; padding-block: .5rem; min-block-size: 2.75rem }
input { inline-size: 1.5rem; block-size: 1.5rem; margin: 0; flex: none; accent-color: CanvasText }
small { display: block; font-size: .875rem; opacity: .85 }
`;
