"""signals + ledger + policy → what may be done with each event. Pure: the same batch, the same decision.

A batch has few distinct situations (law, word in the ledger, what each signal says, is there an id, what is
the event about), so the rows are reduced to situations by arithmetic on whole columns, each situation is
judged once, and the verdicts are spread back. `book.py` judges every row by itself; tests hold the two
together. Nothing here depends on another row, so that order and the splitting into batches do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct

from consent_filter.member import ADULT, MINOR, Member, standing
from consent_filter.policy import LEDGER, Pack
from consent_filter.purpose import ALL, BY_NAME, Purpose, mask
from consent_filter.raw import Column, Raw, column, combine
from consent_filter.signals import OWN, SIGNALS, Said
from consent_filter.signals.tcf import to_vendor

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
    """What the ledger says of the person behind an event: purposes granted and denied; erased for good."""

    grant: int
    deny: int
    erased: bool = False


#: Nobody has said anything, or there is no id to look up.
NO_WORD = Word(0, 0)


class Verdict(NamedTuple):
    """The decision for one situation.

    granted: bitmask of purposes. treatment: identified or cookieless (kept); count or drop (refused: a number
    remains, with or without the rule). because: `pack.regime.rule`. signal: whose word decided (SIGNALS, or
    none). basis: legal basis of what is kept. reason: why it is refused ("" when kept): consent, signal
    or erased.
    """

    granted: int
    treatment: str
    because: str
    signal: str
    basis: str
    reason: str


class Decision(NamedTuple):
    """One verdict a row: codes into the few distinct verdicts of the batch."""

    verdict: Column[Verdict]


class Law(Struct, frozen=True, eq=False):
    """A regime, its purposes as bitmasks, and the name that its rules go by.

    `grants`, `denies`, `ends`, `leaves`: by signal. `regulated`: the law of whoever's signals say so. One for
    each standing of age: what is not done while that is unknown is not named in that one (M86).
    """

    name: str
    refusal: str
    named: int
    default: int
    cookieless: int
    grants: dict[str, int]
    denies: dict[str, int]
    ends: dict[str, bool]
    leaves: dict[str, str]
    order: tuple[str, ...]
    specific: bool
    vendor: int
    regulated: Law | None
    minor: bool
    basis: dict[int, str]
    cookieless_basis: dict[int, str]
    judged: dict[Any, Verdict]

    @classmethod
    def of(cls, pack: Pack, name: str, age: str = ADULT) -> Law:
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
            refusal=regime.refusal,
            named=sum(uses),
            default=sum(bit for bit, use in uses.items() if use.default),
            cookieless=sum(bit for bit, use in uses.items() if use.cookieless),
            grants={signal: mask(meaning.grants) for signal, meaning in means},
            denies=denies,
            ends={signal: meaning.ends for signal, meaning in means},
            leaves={signal: meaning.leaves or regime.refusal for signal, meaning in means},
            order=pack.order,
            specific=pack.conflict == "specific",
            vendor=pack.tcf_vendor,
            regulated=cls.of(pack, pack.regulated, age) if stricter else None,
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
    """The law of each (site, country), made once from the packs (by site)."""

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self._packs = packs
        self._of: dict[tuple[str, str, str | None], Law] = {}
        self._made: dict[tuple[int, str, str], Law] = {}

    def of(self, site: str, country: str, age: str | None = None) -> Law:
        """`age`: as `Member` has it; None where nobody has said it."""
        found = self._of.get((site, country, age))
        if found is None:
            pack = self._packs[site]
            stands = ADULT if pack.age is None else standing(age, pack.age.minimum)
            key = id(pack), pack.regime(country), stands
            found = self._made.get(key) or self._made.setdefault(key, Law.of(pack, *key[1:]))
            if len(self._of) >= _REMEMBERED:
                self._of.clear()
            self._of[site, country, age] = found
        return found

    def rows(self, raw: Raw) -> Column[Law]:
        """The law of each row."""
        places = raw.place
        if raw.member.values != [None]:
            cases = combine([raw.site, places.few(_COUNTRY), raw.member.few(_age)])
            return cases.few(lambda case: self.of(*case))
        if len(raw.site.values) == 1:
            (site,), of = raw.site.values, self._of
            few = places.few(_COUNTRY)
            return Column(
                few.codes, [of.get((site, name, None)) or self.of(site, name) for name in few.values]
            )
        countries = places.few(_COUNTRY)
        laws = column([self.of(site, country) for site in raw.site.values for country in countries.values])
        return Column(laws.codes[raw.site.codes * len(countries.values) + countries.codes], laws.values)


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
        return Verdict(0, law.refusal, f"{law.name}.erased", "choice", "", "erased")
    if law.minor:
        return Verdict(0, law.refusal, f"{law.name}.minor", "choice", "", "consent")
    heard: dict[str, Word | Said] = {LEDGER: word, **dict(zip(SIGNALS, said, strict=True))}
    grant = own = refused = objected = ended = 0
    objector = ""
    for name in law.order:
        one = heard[name]
        if name in _OWN:
            refused |= one.deny
            grant |= one.grant
            own |= one.grant
            continue
        assert isinstance(one, Said)
        taken = _ALL if one.child else one.deny & law.denies[name] & ~(grant if law.specific else 0)
        if taken & needed and not objector:
            objector = name
        objected |= taken
        ended |= taken if one.child or law.ends[name] else 0
        grant |= one.grant & law.grants[name]
    grant, own = grant & law.named, own & law.named
    # Whoever refuses to be measured keeps out of everything but what they have agreed to by name.
    unmeasured = refused & MEASUREMENT and not own & needed
    if refused & needed or unmeasured:
        what = needed if refused & needed else MEASUREMENT
        speaker = next(name for name in law.order if name in _OWN and heard[name].deny & what)
        rule = "withdrawn" if speaker == LEDGER else _rule("", heard[speaker]) or "refused"
        return Verdict(0, law.refusal, f"{law.name}.{rule}", "choice", "", "consent")
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
        return Verdict(_scope(allowed, needed), treatment, f"{law.name}.{rule}", signal, basis, "")
    signal = objector or "none"
    if exempt & needed:
        basis = law.cookieless_basis[needed]
        return Verdict(_scope(exempt, needed), COOKIELESS, f"{law.name}.cookieless", signal, basis, "")
    if objector and needed & (standing | law.cookieless):
        rule = _rule(objector, heard[objector])
        return Verdict(0, law.leaves[objector], f"{law.name}.{rule}", objector, "", "signal")
    return Verdict(0, law.refusal, f"{law.name}.silence", "none", "", "consent")


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
