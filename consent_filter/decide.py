"""signals + ledger + policy → what may be done with each event. Pure: the same batch, the same decision.

A batch has few distinct situations (law, word in the ledger, what each signal says, is there an id, what is
the event about), so the rows are reduced to situations by arithmetic on whole columns, each situation is
judged once, and the verdicts are spread back. `book.py` judges every row by itself; tests hold the two
together. Nothing here depends on another row, so that order and the splitting into batches do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from consent_filter.in_force import History
from consent_filter.market import Counterpart
from consent_filter.member import ADULT, MINOR, Member, standing
from consent_filter.policy import LEDGER, Pack, histories
from consent_filter.policy_change import reset
from consent_filter.purpose import ALL, BY_NAME, Purpose, mask
from consent_filter.raw import Column, Raw, column, combine
from consent_filter.signals import OWN, SIGNALS, Said
from consent_filter.signals.tcf import to_vendor
from consent_filter.site import local

MEASUREMENT = int(Purpose.MEASUREMENT)
AD_MEASUREMENT = int(Purpose.AD_MEASUREMENT)
#: An advert's events are for adverts: they carry another pseudonym, and no report on visits may read them.
_VISITS = int(Purpose.MEASUREMENT | Purpose.RESEARCH)

_ALL = int(ALL)
#: Whose refusal ends what it speaks of.
_OWN = OWN | {LEDGER}

IDENTIFIED, COOKIELESS, COUNT, DROP = "identified", "cookieless", "count", "drop"
KEPT = frozenset({IDENTIFIED, COOKIELESS})


class Word(NamedTuple):
    """What the ledger says of the person behind an event: purposes granted and denied; erased for good.

    old: for each change of the site's policy, what had been agreed to before it and not again since; none
    where that is nothing.
    """

    grant: int
    deny: int
    erased: bool = False
    old: tuple[int, ...] = ()

    def refuses(self, purpose: int) -> bool:
        """Whether no pseudonym may be made for it."""
        return self.erased or bool(self.deny & purpose)


#: Nobody has said anything, or there is no id to look up.
NO_WORD = Word(0, 0)


class Verdict(NamedTuple):
    """The decision for one situation.

    granted: bitmask of purposes. treatment: identified or cookieless (kept); count or drop (refused: a number
    remains, with or without the rule). because: `pack.regime.rule`. signal: whose word decided (SIGNALS, or
    none). basis: legal basis of what is kept. policy: the pack in force, and its version. reason: why it is
    refused ("" when kept): consent, signal or erased.
    """

    granted: int
    treatment: str
    because: str
    signal: str
    basis: str
    policy: str
    reason: str


class Decision(NamedTuple):
    """One verdict a row: codes into the few distinct verdicts of the batch."""

    verdict: Column[Verdict]


#: By the pack's rule of conflict: those whose grants stand against a signal that is heard later. What is on
#: record was said before the event that it is looked up for, so any signal of that event is newer.
_STANDS = {
    "restrictive": frozenset[str](),
    "latest": frozenset(SIGNALS),
    "specific": frozenset([LEDGER, *SIGNALS]),
}


class Law(Struct, frozen=True, eq=False):
    """A regime, its purposes as bitmasks, and the name that its rules go by.

    `grants`, `denies`, `ends`, `leaves`: by signal. `regulated`: the law of whoever's signals say so. One for
    each standing of age: what is not done while that is unknown is not named in that one (M86). `lapses`:
    what each change of the policy up to this one has reset, the oldest first. `stands`: whose grants a signal
    that is heard later does not take back.
    """

    name: str
    policy: str
    refusal: str
    named: int
    default: int
    cookieless: int
    grants: dict[str, int]
    denies: dict[str, int]
    ends: dict[str, bool]
    leaves: dict[str, str]
    order: tuple[str, ...]
    stands: frozenset[str]
    lapses: tuple[int, ...]
    vendor: int
    regulated: Law | None
    minor: bool
    basis: dict[int, str]
    cookieless_basis: dict[int, str]
    judged: dict[Any, Verdict]

    @classmethod
    def of(
        cls,
        pack: Pack,
        name: str,
        age: str = ADULT,
        lapses: tuple[int, ...] = (),
        regulated: tuple[int, ...] = (),
    ) -> Law:
        regime = pack.regimes[name]
        barred = pack.age.unknown_denies if pack.age is not None and age != ADULT else ()
        uses = {
            int(BY_NAME[purpose]): use for purpose, use in regime.purposes.items() if purpose not in barred
        }
        means = regime.signals.items()
        denies = {signal: mask(meaning.denies) for signal, meaning in means}
        stricter = pack.regulated and pack.regulated != name
        return cls(
            name=f"{pack.name}.{name}",
            policy=f"{pack.name}/{pack.version}",
            refusal=regime.refusal,
            named=sum(uses),
            default=sum(bit for bit, use in uses.items() if use.default),
            cookieless=sum(bit for bit, use in uses.items() if use.cookieless),
            grants={signal: mask(meaning.grants) for signal, meaning in means},
            denies=denies,
            ends={signal: meaning.ends for signal, meaning in means},
            leaves={signal: meaning.leaves or regime.refusal for signal, meaning in means},
            order=pack.order,
            stands=_STANDS[pack.conflict],
            lapses=lapses,
            vendor=pack.tcf_vendor,
            regulated=cls.of(pack, pack.regulated, age, regulated) if stricter else None,
            minor=age == MINOR and pack.age is not None,
            basis={bit: use.basis for bit, use in uses.items()},
            cookieless_basis={bit: use.cookieless for bit, use in uses.items()},
            judged={},
        )


_COUNTRY = attrgetter("country")
#: Situations that a law remembers the verdict of, and (site, country) pairs whose law is remembered.
_REMEMBERED = 10_000


def _age(member: Member | None) -> str | None:
    return None if member is None else member.age


class Laws:
    """The law of each (site, country) on each day, made once from the packs (by site) that are in force."""

    def __init__(self, packs: Mapping[str, Pack | History]) -> None:
        self._history = histories(packs)
        self._of: dict[tuple[str, str, str | None, int], Law] = {}
        self._made: dict[tuple[Any, ...], Law] = {}
        self._resets: dict[tuple[int, int], dict[str, tuple[str, ...]]] = {}

    def turns(self, site: str) -> tuple[int, ...]:
        """When the site's policy changed, UTC milliseconds."""
        return self._history(site).turns

    def of(self, site: str, country: str, day: int, age: str | None = None) -> Law:
        """The law on a day of the site (days since 1970 in its zone). `age`: as `Member` has it; None where
        nobody has said it."""
        return self._in(site, country, age, self._history(site).at(day))

    def _in(self, site: str, country: str, age: str | None, era: int) -> Law:
        found = self._of.get((site, country, age, era))
        if found is None:
            history = self._history(site)
            pack = history.eras[era].pack
            stands = ADULT if pack.age is None else standing(age, pack.age.minimum)
            key = id(pack), pack.regime(country), stands, *self._lapses(history, country, era)
            found = self._made.get(key) or self._made.setdefault(key, Law.of(pack, *key[1:]))
            if len(self._of) >= _REMEMBERED:
                self._of.clear()
            self._of[site, country, age, era] = found
        return found

    def _lapses(self, history: History, country: str, era: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What each change up to that era has reset (M123): in the country; where agreement is regulated."""
        here, regulated = [], []
        for (_, old), (_, new) in pairwise(history.eras[: era + 1]):
            step = id(old), id(new)
            if step not in self._resets:
                self._resets[step] = reset(old, new)
            again, regime = self._resets[step], new.regime(country)
            here.append(mask(again.get(regime, ())))
            regulated.append(mask(again.get(new.regulated or regime, ())))
        return tuple(here), tuple(regulated)

    def rows(self, raw: Raw) -> Column[Law]:
        """The law of each row."""
        countries = raw.place.few(_COUNTRY)
        histories = [self._history(site) for site in raw.site.values]
        if raw.member.values != [None] or any(history.turns for history in histories):
            cases = combine([raw.site, countries, raw.member.few(_age), _eras(raw, histories)])
            return Column(cases.codes, [self._in(*case) for case in cases.values])
        if len(raw.site.values) == 1:
            (site,), of = raw.site.values, self._of
            some = ((site, name, None, 0) for name in countries.values)
            return Column(countries.codes, [of.get(one) or self._in(*one) for one in some])
        both = [(site, country) for site in raw.site.values for country in countries.values]
        found = column([self._in(site, country, None, 0) for site, country in both])
        return Column(found.codes[raw.site.codes * len(countries.values) + countries.codes], found.values)

    def others(self, raw: Raw) -> Column[Law | None]:
        """The law of the other side of each row: of the country that the site says of them, or of one that
        nobody knows; of nobody's age. What the sender's browser says is not theirs."""
        eras = _eras(raw, [self._history(site) for site in raw.site.values])
        cases = combine([raw.site, raw.counterpart.few(_country), eras])
        laws = [country and self._in(site, country, None, era) for site, country, era in cases.values]
        return Column(cases.codes, laws)


def _country(said: Counterpart | None) -> str | None:
    return None if said is None else said.country


def _eras(raw: Raw, histories: list[History]) -> Column[int]:
    """Which policy of its site each row is judged by."""
    eras = np.zeros(raw.n, np.int32)
    for code, history in enumerate(histories):
        if history.turns:
            rows = np.flatnonzero(raw.site.codes == code)
            eras[rows] = history.each(local(history.timezone, raw.time[rows])[0])
    return Column(eras, list(range(max(len(history.eras) for history in histories))))


def lapsed(law: Law, word: Word) -> int:
    """What was agreed to under an older policy and counts no more: a change since then is significant for it,
    and it has not been agreed to again."""
    found = 0
    for old, again in zip(word.old, law.lapses, strict=False):
        found |= old & again
    return found


def judge(law: Law, word: Word, needed: int, has_id: bool, *said: Said) -> Verdict:
    """The verdict for one situation. `needed`: the purpose that the event is for; `said`: as in SIGNALS.

    Any refusal binds, whoever said it and whatever else was granted (standards 1.9), unless the pack lets
    what is more specific stand. An own refusal ends what it speaks of; a signal's objection takes back what
    needs an identifier, and the rest where the regime says so or a child is known to be behind it.
    """
    if law.regulated is not None and any(one.regulated for one in said):
        law = law.regulated
    if law.vendor:
        said = tuple(to_vendor(one, law.vendor) if one.tcf else one for one in said)
    if word.erased:
        return Verdict(0, law.refusal, f"{law.name}.erased", "choice", "", law.policy, "erased")
    if law.minor:
        return Verdict(0, law.refusal, f"{law.name}.minor", "choice", "", law.policy, "consent")
    heard: dict[str, Word | Said] = {LEDGER: word, **dict(zip(SIGNALS, said, strict=True))}
    if gone := lapsed(law, word):
        # What a browser remembers is no newer than what the ledger knows of it: only asking again is.
        for name in _OWN:
            heard[name] = heard[name]._replace(grant=heard[name].grant & ~gone)
    stood = grant = own = refused = objected = ended = 0
    objector = ""
    for name in law.order:
        one = heard[name]
        if name in _OWN:
            refused |= one.deny
            grant |= one.grant
            own |= one.grant
            stood |= one.grant if name in law.stands else 0
            continue
        assert isinstance(one, Said)
        taken = _ALL if one.child else one.deny & law.denies[name] & ~stood
        if taken & needed and not objector:
            objector = name
        objected |= taken
        ended |= taken if one.child or law.ends[name] else 0
        grant |= one.grant & law.grants[name]
        stood |= one.grant & law.grants[name] if name in law.stands else 0
    grant, own = grant & law.named, own & law.named
    # Whoever refuses to be measured keeps out of everything but what they have agreed to by name.
    unmeasured = refused & MEASUREMENT and not own & needed
    if refused & needed or unmeasured:
        what = needed if refused & needed else MEASUREMENT
        speaker = next(name for name in law.order if name in _OWN and heard[name].deny & what)
        rule = "withdrawn" if speaker == LEDGER else _rule("", heard[speaker]) or "refused"
        return Verdict(0, law.refusal, f"{law.name}.{rule}", "choice", "", law.policy, "consent")
    standing = own if refused & MEASUREMENT else grant | law.default
    allowed = standing & ~refused & ~objected
    exempt = law.cookieless & ~refused & ~ended
    if allowed & needed:
        agreed = (own if refused & MEASUREMENT else grant) & needed
        granting = (name for name in law.order if _grants(law, name, heard[name]) & agreed)
        speaker = next(granting, "")
        rule = {"": "default", LEDGER: "on_record"}.get(speaker, "agreed")
        signal = {"": "none", LEDGER: "choice"}.get(speaker, speaker)
        treatment = IDENTIFIED if has_id and allowed & MEASUREMENT else COOKIELESS
        basis = "consent" if speaker else law.basis[needed]
        return Verdict(
            _scope(allowed, needed), treatment, f"{law.name}.{rule}", signal, basis, law.policy, ""
        )
    signal = objector or "none"
    if exempt & needed:
        basis = law.cookieless_basis[needed]
        return Verdict(
            _scope(exempt, needed), COOKIELESS, f"{law.name}.cookieless", signal, basis, law.policy, ""
        )
    if objector and needed & (standing | law.cookieless):
        rule = _rule(objector, heard[objector])
        return Verdict(0, law.leaves[objector], f"{law.name}.{rule}", objector, "", law.policy, "signal")
    return Verdict(0, law.refusal, f"{law.name}.silence", "none", "", law.policy, "consent")


def _rule(signal: str, said: Word | Said) -> str:
    """A rule is named after its signal and what was the matter with it."""
    matter = ""
    if isinstance(said, Said) and (said.unreadable or said.child):
        matter = "unreadable" if said.unreadable else "child"
    return "_".join(filter(None, (signal, matter)))


def _grants(law: Law, name: str, said: Word | Said) -> int:
    """What one of those who are heard may permit here."""
    return said.grant if name in _OWN else said.grant & law.grants[name]


def _scope(granted: int, needed: int) -> int:
    """The purposes that may read this event."""
    return granted & ~_VISITS if needed == AD_MEASUREMENT else granted


def decide(raw: Raw, words: Column[Word], laws: Laws) -> Decision:
    """A verdict for each row. `words`: what the ledger says of each row's ids (`Ledger.words`)."""
    cases = combine(
        [
            laws.rows(raw),
            words,
            raw.type.few(needed),
            _has_id(raw),
            *(signal(raw) for signal in SIGNALS.values()),
        ]
    )
    return Decision(Column(cases.codes, [remembered(law, *case) for law, *case in cases.values]))


def remembered(law: Law, *case: Any) -> Verdict:
    """What `judge` says of a case; a law remembers the few thousand that it has judged."""
    verdict = law.judged.get(case)
    if verdict is None:
        if len(law.judged) >= _REMEMBERED:
            law.judged.clear()
        verdict = law.judged[case] = judge(law, *case)
    return verdict


def needed(type: str) -> int:
    """The purpose that an event of this type is for."""
    return AD_MEASUREMENT if type.startswith("ad_") else MEASUREMENT


def _has_id(raw: Raw) -> Column[bool]:
    """Whether a row has an id of a person or a browser."""
    there = np.zeros(raw.n, np.bool_)
    for ids in (raw.user_id, raw.device_id):
        if ids.values != [None]:
            there |= np.array([id is not None for id in ids.values])[ids.codes]
    return Column(there.view(np.int8).astype(np.int32), [False, True])
