// TC strings of the IAB's own encoder: `node tcf.mjs COUNT SEED` prints as many lines, each a string, a tab and
// its fields in JSON. Fields are those that were set; restrictions are what the IAB's decoder reads back, since
// its encoder lets ranges run over vendors that do not exist.
import {GVL, PurposeRestriction, Segment, TCModel, TCString}
  from '@iabtechlabtcf/core';

const [count, seed] = process.argv.slice(2).map(Number);

// Dice that fall alike everywhere (mulberry32).
let state = seed;
const roll = () => {
  state = (state + 0x6D2B79F5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};
const below = (n) => Math.floor(roll() * n);
const oneOf = (list) => list[below(list.length)];
const chance = (p) => roll() < p;

const named = (n) => Object.fromEntries(
  Array.from({length: n}, (_, i) => [i + 1, {id: i + 1, name: `${i + 1}`, description: ''}]));
const all = Array.from({length: 11}, (_, i) => i + 1);
const byInterest = [2, 7, 8, 9, 10, 11];

const LANGUAGES = ['EN', 'FR', 'DE', 'PT-BR', 'SR-LATN'];

// In each language: vendors that may do everything on either basis, so that the encoder leaves alone what is set.
function vendorList(ids, version, policy) {
  const vendors = {};
  for (const id of ids) {
    vendors[id] = {id, name: `${id}`, purposes: all, legIntPurposes: byInterest, flexiblePurposes: all,
      specialPurposes: [1, 2, 3], features: [1], specialFeatures: [1, 2]};
  }
  const list = {gvlSpecificationVersion: 3, vendorListVersion: version, tcfPolicyVersion: policy,
    lastUpdated: '2026-01-01T00:00:00Z', purposes: named(11), specialPurposes: named(3), features: named(3),
    specialFeatures: named(2), stacks: {}, dataCategories: {}, vendors};
  return LANGUAGES.map((language) => new GVL(list, {language}));
}

const to = (n) => Array.from({length: n}, (_, i) => i + 1);
const lists = [
  vendorList([1], 1, 2),
  vendorList(to(12), 4095, 4),
  vendorList(to(40).filter((id) => id % 3), 12, 4),
  vendorList(to(400).filter((id) => id % 7 && (id < 100 || id > 180)), 80, 5),
];
const every = vendorList(to(1500), 301, 5);
const sparse = vendorList([1, 2, 3, 700, 701, 65534, 65535], 302, 5);

// From nobody over stretches and single ones to everybody.
function some(ids) {
  switch (below(5)) {
    case 0: return [];
    case 1: return [oneOf(ids)];
    case 2: return ids;
    case 3: { const p = roll(); return ids.filter(() => chance(p)); }
    default: {
      const found = new Set();
      for (let n = 1 + below(4); n > 0; n--) {
        const from = below(ids.length);
        ids.slice(from, from + 1 + below(60)).forEach((id) => found.add(id));
      }
      return [...found].sort((a, b) => a - b);
    }
  }
}

const into = (vector, ids) => ids.forEach((id) => vector.set(id));
const instant = () => new Date(100 * Math.floor(roll() * 2 ** (chance(0.1) ? 36 : 34)));
const letter = () => String.fromCharCode(65 + below(26));
const LATER = [Segment.VENDORS_DISCLOSED, Segment.VENDORS_ALLOWED, Segment.PUBLISHER_TC];

function model() {
  const gvl = oneOf(chance(0.1) ? every : chance(0.01) ? sparse : oneOf(lists));
  const ids = [...gvl.vendorIds];
  const tc = new TCModel(gvl);
  tc.created = instant();
  tc.lastUpdated = chance(0.5) ? tc.created : instant();
  tc.cmpId = 2 + below(4094);
  tc.cmpVersion = below(4096);
  tc.consentScreen = below(64);
  tc.isServiceSpecific = chance(0.8);
  tc.useNonStandardTexts = chance(0.5);
  tc.purposeOneTreatment = chance(0.5);
  tc.publisherCountryCode = letter() + letter();
  into(tc.specialFeatureOptins, some(to(12)));
  into(tc.purposeConsents, some(to(24)));
  into(tc.purposeLegitimateInterests, some(to(24)));
  into(tc.vendorConsents, some(ids));
  into(tc.vendorLegitimateInterests, some(ids));
  into(tc.vendorsDisclosed, some(to(ids.at(-1) > 2000 ? 300 : ids.at(-1))));
  into(tc.vendorsAllowed, some(ids));
  into(tc.publisherConsents, some(to(24)));
  into(tc.publisherLegitimateInterests, some(to(24)));
  tc.numCustomPurposes = oneOf([0, 0, 1, 2, 7, 33, 63]);
  if (tc.numCustomPurposes) {
    into(tc.publisherCustomConsents, some(to(tc.numCustomPurposes)));
    into(tc.publisherCustomLegitimateInterests, some(to(tc.numCustomPurposes)));
  }
  for (let n = chance(0.4) ? below(6) : 0; n > 0; n--) {
    const restriction = new PurposeRestriction(oneOf(all), below(3));
    some(ids).forEach((id) => tc.publisherRestrictions.add(id, restriction));
  }
  return tc;
}

function segments() {
  const later = LATER.filter(() => chance(0.6));
  return [Segment.CORE, ...later.sort(() => roll() - 0.5)];
}

const listed = (vector) => vector.size ? to(vector.maxId).filter((id) => vector.has(id)) : [];
function ranges(ids) {
  const found = [];
  for (const id of ids) {
    if (found.length && found.at(-1)[1] === id - 1) found.at(-1)[1] = id;
    else found.push([id, id]);
  }
  return found;
}

function fields(tc, sent, restrictions) {
  const has = (segment, value) => sent.includes(segment) ? value() : null;
  const numbers = 'version created lastUpdated cmpId cmpVersion consentScreen consentLanguage vendorListVersion ' +
    'policyVersion isServiceSpecific useNonStandardTexts purposeOneTreatment publisherCountryCode';
  const said = Object.fromEntries(numbers.split(' ').map((name) => [name, tc[name]]));
  for (const name of ['specialFeatureOptins', 'purposeConsents', 'purposeLegitimateInterests']) {
    said[name] = listed(tc[name]);
  }
  for (const name of ['vendorConsents', 'vendorLegitimateInterests']) said[name] = ranges(listed(tc[name]));
  said.publisherRestrictions = restrictions.getRestrictions()
    .map((r) => ({purposeId: r.purposeId, restrictionType: r.restrictionType,
      vendors: ranges(restrictions.getVendors(r))}))
    .sort((a, b) => a.purposeId - b.purposeId || a.restrictionType - b.restrictionType);
  said.vendorsDisclosed = has(Segment.VENDORS_DISCLOSED, () => ranges(listed(tc.vendorsDisclosed)));
  said.vendorsAllowed = has(Segment.VENDORS_ALLOWED, () => ranges(listed(tc.vendorsAllowed)));
  for (const name of ['publisherConsents', 'publisherLegitimateInterests', 'publisherCustomConsents',
    'publisherCustomLegitimateInterests']) {
    said[name] = has(Segment.PUBLISHER_TC, () => listed(tc[name]));
  }
  said.numCustomPurposes = has(Segment.PUBLISHER_TC, () => tc.numCustomPurposes);
  return said;
}

// A segment's kind is in its first three bits.
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const kind = (segment) => [Segment.CORE, ...LATER][DIGITS.indexOf(segment[0]) >> 3];

for (let n = 0; n < count; n++) {
  const tc = model();
  // Half as a page would send them, half with whatever segments there may be, in any order.
  const string = TCString.encode(tc, chance(0.5) ? {segments: segments()} : {});
  // What the encoder sets itself: the list's language, and no interest where there can be none.
  tc.consentLanguage = tc.gvl.language.slice(0, 2);
  tc.purposeLegitimateInterests.unset([1, 3, 4, 5, 6]);
  const said = fields(tc, string.split('.').map(kind), TCString.decode(string).publisherRestrictions);
  process.stdout.write(`${string}\t${JSON.stringify(said)}\n`);
}
