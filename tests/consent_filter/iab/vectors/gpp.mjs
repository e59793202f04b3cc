// GPP strings of the IAB's own encoder: `node gpp.mjs COUNT SEED ENCODER` prints as many lines, each a string, a
// tab and its sections in JSON: what was set, by the encoder's own names. Those of TC strings are named as by the
// IAB's other library; what stands in a sub-section that is left out is null.
// ENCODER is a package: @iabgpp/cmpapi, or cmpapi-before, as pages still have it that were not brought up to date.
const [count, seed] = process.argv.slice(2, 4).map(Number);
const now = process.argv[4] === '@iabgpp/cmpapi';
const {GppModel, Sections} = await import(process.argv[4]);

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
const some = (n) => Array.from({length: n}, (_, i) => i + 1).filter(() => chance(0.3));

// Sub-sections of TC strings are the business of tcf.mjs: here only as they are sent now.
const NAMES = Sections.SECTION_ORDER.filter((name) => name !== 'tcfcav1' && (now || name !== 'tcfeuv2'));
const IDS = Object.fromEntries([...Sections.SECTION_ID_NAME_MAP].map(([id, name]) => [name, id]));
// Sub-sections that may be left out, and their fields.
const LATER = {
  GpcSegmentIncluded: ['GpcSegmentType', 'Gpc'],
  SensitiveDataConsentSegmentIncluded: ['SensitiveDataProcessing'],
};
const FIXED = ['MspaVersion', 'GpcSegmentType'];

function unitedStates(model, name) {
  // A section comes to be when its first field is set.
  model.setFieldValue(name, 'SaleOptOut', below(3));
  const fields = model.toObject()[name];
  if (name === 'usnat') model.setFieldValue(name, 'Version', fields.Version = 1 + below(2));
  for (const [field, value] of Object.entries(fields)) {
    if (field === 'Version' || FIXED.includes(field)) continue;
    const values = field === 'MspaCoveredTransaction' ? [1, 2] : [0, 1, 2];
    if (field === 'Gpc') model.setFieldValue(name, field, chance(0.5));
    else if (Array.isArray(value)) model.setFieldValue(name, field, value.map(() => oneOf(values)));
    else model.setFieldValue(name, field, oneOf(values));
  }
  const said = model.toObject()[name];
  for (const [included, inside] of Object.entries(LATER)) {
    if (!model.hasField(name, inside[0]) || !hasSegment(model, name, included)) continue;
    const there = chance(0.5);
    model.setFieldValue(name, included, there);
    if (!there) inside.forEach((field) => { said[field] = null; });
  }
  return said;
}

function hasSegment(model, name, included) {
  try {
    return model.getFieldValue(name, included) !== null;
  } catch {
    return false;
  }
}

function usPrivacy(model, name) {
  for (const field of ['Notice', 'OptOutSale', 'LspaCovered']) model.setFieldValue(name, field, oneOf(['Y', 'N', '-']));
  return model.toObject()[name];
}

function ranges(ids) {
  const found = [];
  for (const id of ids) {
    if (found.length && found.at(-1)[1] === id - 1) found.at(-1)[1] = id;
    else found.push([id, id]);
  }
  return found;
}

const chosen = (flags) => flags.flatMap((flag, at) => flag ? [at + 1] : []);
const flags = (n) => Array.from({length: n}, () => chance(0.4));

function european(model, name) {
  const set = (field, value) => model.setFieldValue(name, field, value);
  set('CmpId', below(4096));
  set('CmpVersion', below(4096));
  set('ConsentScreen', below(64));
  set('VendorListVersion', below(4096));
  set('PublisherCountryCode', oneOf(['DE', 'FR', 'AZ']));
  set('ConsentLanguage', oneOf(['EN', 'FR']));
  set('UseNonStandardStacks', chance(0.5));
  set('PurposeOneTreatment', chance(0.5));
  set('SpecialFeatureOptins', flags(12));
  for (const field of ['PurposeConsents', 'PurposeLegitimateInterests', 'PublisherConsents',
    'PublisherLegitimateInterests']) set(field, flags(24));
  for (const field of ['VendorConsents', 'VendorLegitimateInterests', 'VendorsDisclosed']) set(field, some(below(80)));
  const told = model.toObject()[name];
  const said = {};
  for (const [field, value] of Object.entries(told)) {
    if (field.endsWith('SegmentType')) continue;
    const ours = field === 'UseNonStandardStacks' ? 'useNonStandardTexts' : field[0].toLowerCase() + field.slice(1);
    if (ours.startsWith('vendor') && Array.isArray(value)) said[ours] = ranges(value);
    else said[ours] = Array.isArray(value) && typeof value[0] === 'boolean' ? chosen(value) : value;
  }
  // Not sent by the encoder, as it was withdrawn.
  said.vendorsAllowed = null;
  return said;
}

const READ = {tcfeuv2: european, uspv1: usPrivacy};

for (let n = 0; n < count; n++) {
  const model = new GppModel();
  const names = chance(0.1) ? NAMES : chance(0.05) ? [] : NAMES.filter(() => chance(0.15));
  const sections = Object.fromEntries(names.map((name) => [name, (READ[name] ?? unitedStates)(model, name)]));
  const sectionIds = names.map((name) => IDS[name]).sort((a, b) => a - b);
  process.stdout.write(`${model.encode()}\t${JSON.stringify({sectionIds, sections, unread: []})}\n`);
}
