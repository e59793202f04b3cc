"""signals + ledger + policy → what may be done with each event. Pure: the same batch, the same decision.

A batch has few distinct situations (regime, choice, word in the ledger, GPC, DNT, is there an id, is it about
an advert), so the rows are reduced to situations by arithmetic on whole columns, each situation is judged
once, and the verdicts are spread back. `book.py` judges every row by itself; tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.policy import Pack, Regime, mask
from consent_filter.purpose import Purpose
from consent_filter.raw import Column, Raw, column
from consent_filter.signals.choice import read_all
from consent_filter.signals.dnt import read as read_dnt
from consent_filter.signals.gpc import read as read_gpc

MEASUREMENT = int(Purpose.MEASUREMENT)
AD_MEASUREMENT = int(Purpose.AD_MEASUREMENT)

IDENTIFIED, COOKIELESS, COUNT = "identified", "cookieless", "count"


class Word(NamedTuple):
    """What the ledger says of the person behind an event: purposes granted and denied; erased for good."""

    grant: int
    deny: int
    erased: bool = False


#: Nobody has said anything, or there is no id to look up.
NO_WORD = Word(0, 0)


class Verdict(NamedTuple):
    """The decision for one situation.

    treatment: identified, cookieless, or count (only a number remains). because: `pack.regime.rule`. signal:
    which one spoke: choice, ledger, gpc, dnt or none. basis: legal basis of what is kept. reason: why it is
    refused ("" when kept): consent, signal or erased.
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

    def granted(self) -> NDArray[np.uint32]:
        """Bitmask of purposes a row."""
        return np.array([v.granted for v in self.verdict.values], np.uint32)[self.verdict.codes]


class Law(Struct, frozen=True):
    """A regime with its purposes as bitmasks, and the name that its rules go by."""

    name: str
    default: int
    cookieless: int
    gpc: int
    dnt: int
    objection: frozenset[str]
    basis: str
    cookieless_basis: str

    @classmethod
    def of(cls, pack: Pack, name: str) -> Law:
        regime: Regime = pack.regimes[name]
        return cls(
            f"{pack.name}.{name}",
            mask(regime.default),
            mask(regime.cookieless),
            mask(regime.gpc),
            mask(regime.dnt),
            frozenset(regime.objection),
            regime.basis,
            regime.cookieless_basis,
        )


class Laws:
    """The law of each (site, country), made once from the packs."""

    def __init__(self, packs: Mapping[str, Pack]) -> None:
        self._packs = packs
        self._of: dict[tuple[str, str], Law] = {}
        self._made: dict[tuple[str, str], Law] = {}

    def of(self, site: str, country: str) -> Law:
        found = self._of.get((site, country))
        if found is None:
            pack = self._packs[site]
            name = pack.by_country().get(country, pack.otherwise)
            found = self._made.get((pack.name, name))
            if found is None:
                found = self._made[pack.name, name] = Law.of(pack, name)
            if len(self._of) > 50_000:
                self._of.clear()
            self._of[site, country] = found
        return found


def judge(
    law: Law, said: tuple[int, int], word: Word, has_gpc: bool, has_dnt: bool, has_id: bool, needed: int
) -> Verdict:
    """The verdict for one situation. `said` is the choice sent with the event, `needed` its own purpose.

    Any refusal binds, whoever said it and whatever else was granted (standards 1.9). Silence is the regime's
    default. A browser's objection narrows; an own refusal of the event's purpose ends it.
    """
    grant = law.default | said[0] | word.grant
    deny = said[1] | word.deny
    signals = (law.gpc if has_gpc else 0) | (law.dnt if has_dnt else 0)
    granted = grant & ~deny & ~signals
    objected = "gpc" if has_gpc and "gpc" in law.objection else ""
    objected = objected or ("dnt" if has_dnt and "dnt" in law.objection else "")
    own = "choice" if (said[0] | said[1]) & needed else ("ledger" if (word.grant | word.deny) & needed else "")
    if word.erased:
        return Verdict(0, COUNT, f"{law.name}.erased", "ledger", "", "erased")
    if deny & needed:
        return Verdict(0, COUNT, f"{law.name}.refused", own, "", "consent")
    if granted & needed:
        explicit = (said[0] | word.grant) & needed
        basis = "consent" if explicit else law.basis
        treatment = IDENTIFIED if has_id and granted & MEASUREMENT else COOKIELESS
        rule = "agreed" if explicit else "default"
        return Verdict(granted, treatment, f"{law.name}.{rule}", own if explicit else "none", basis, "")
    if objected:
        return Verdict(0, COUNT, f"{law.name}.{objected}", objected, "", "signal")
    exempt = law.cookieless & ~deny
    if exempt & needed:
        blocked = "gpc" if has_gpc and law.gpc & needed else "dnt" if has_dnt and law.dnt & needed else "none"
        return Verdict(exempt, COOKIELESS, f"{law.name}.cookieless", blocked, law.cookieless_basis, "")
    if signals & grant & needed:
        spoke = "gpc" if has_gpc and law.gpc & needed else "dnt"
        return Verdict(0, COUNT, f"{law.name}.{spoke}", spoke, "", "signal")
    return Verdict(0, COUNT, f"{law.name}.silence", "none", "", "consent")


def decide(raw: Raw, words: Column[Word], laws: Laws) -> Decision:
    """A verdict for each row. `words`: what the ledger says of each row's ids (`Ledger.words`)."""
    countries = column([place.country for place in raw.place.values])
    sites = raw.site
    law = column([laws.of(site, country) for site in sites.values for country in countries.values])
    row_country = countries.codes[raw.place.codes]
    parts: list[tuple[NDArray[np.int32], int]] = [
        (law.codes[sites.codes * len(countries.values) + row_country], len(law.values))
    ]
    said = read_all(raw.consent.values)
    parts.append((said.codes[raw.consent.codes], len(said.values)))
    parts.append((words.codes, len(words.values)))
    flags = (
        np.array([read_gpc(v)[1] != 0 for v in raw.gpc.values])[raw.gpc.codes] * 1
        + np.array([read_dnt(v)[1] != 0 for v in raw.dnt.values])[raw.dnt.codes] * 2
        + np.array([v.startswith("ad_") for v in raw.type.values])[raw.type.codes] * 8
    )
    users = np.array([v is not None for v in raw.user_id.values])[raw.user_id.codes]
    devices = np.array([v is not None for v in raw.device_id.values])[raw.device_id.codes]
    flags += (users | devices) * 4
    parts.append((flags.astype(np.int32), 16))
    code = np.zeros(raw.n, np.int64)
    for codes, width in parts:
        code = code * width + codes
    cases = column(code.tolist())
    verdicts = []
    for case in cases.values:
        rest, flag = divmod(case, 16)
        rest, word = divmod(rest, len(words.values))
        which, spoken = divmod(rest, len(said.values))
        needed = AD_MEASUREMENT if flag & 8 else MEASUREMENT
        verdicts.append(
            judge(
                law.values[which],
                said.values[spoken],
                words.values[word],
                bool(flag & 1),
                bool(flag & 2),
                bool(flag & 4),
                needed,
            )
        )
    return Decision(Column(cases.codes, verdicts))
