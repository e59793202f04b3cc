"""The suite: every attack in one table by hand, what it stops, and one function that runs them (S19)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from msgspec import Struct

from warehouse.attack.absence import absence, unlimited
from warehouse.attack.averaging import averaging, exact
from warehouse.attack.bins import bins
from warehouse.attack.dominance import dominance, few_acts, less
from warehouse.attack.evidence import Evidence, Finding, Sure
from warehouse.attack.forged import forged
from warehouse.attack.linkage import leftover, names, shared
from warehouse.attack.margin import margin
from warehouse.attack.metadata import order, twice
from warehouse.attack.nested import nested
from warehouse.attack.rates import rates
from warehouse.attack.reconstruction import cubes, reconstruction
from warehouse.attack.scope import same_rows, scope
from warehouse.attack.small import small
from warehouse.attack.spans import spans
from warehouse.attack.tenants import tenants
from warehouse.attack.unique import unique
from warehouse.attack.update import update


class Attack(NamedTuple):
    """What tries; how sure a finding must be to stop a publication (None: it is only noted); why."""

    run: Callable[[Evidence], Iterable[Finding]]
    stops: Sure | None
    says: str


#: Of every finding that only is noted docs/attacks.md says why.
ATTACKS: dict[str, Attack] = {
    "small": Attack(small, Sure.CERTAIN, "a row about too few"),
    "unlimited": Attack(unlimited, Sure.CERTAIN, "rows that one person makes"),
    "margin": Attack(margin, Sure.LIKELY, "a total less the parts that are shown"),
    "nested": Attack(nested, Sure.CERTAIN, "steps and cohorts less the next"),
    "spans": Attack(spans, Sure.CERTAIN, "weeks, months and cohorts less their days"),
    "same_rows": Attack(same_rows, None, "two tables of the same rows"),
    "scope": Attack(scope, None, "a total less one row"),
    "update": Attack(update, Sure.CERTAIN, "versions of a table"),
    "averaging": Attack(averaging, Sure.CERTAIN, "the same question asked again"),
    "exact": Attack(exact, Sure.CERTAIN, "exact numbers beside noisy ones"),
    "rates": Attack(rates, Sure.LIKELY, "quotients and what they were divided by"),
    "absence": Attack(absence, None, "rows that everyone is in"),
    "unique": Attack(unique, Sure.LIKELY, "words that are one person's"),
    "dominance": Attack(dominance, Sure.CERTAIN, "numbers that one person made"),
    "few_acts": Attack(few_acts, None, "numbers that a few made"),
    "less": Attack(less, None, "a number of a row less one that is a part of it"),
    "tenants": Attack(tenants, Sure.LIKELY, "two sites of the same people"),
    "names": Attack(names, Sure.LIKELY, "words that are names of public members"),
    "leftover": Attack(leftover, Sure.LIKELY, "rows less the members who are public there"),
    "shared": Attack(shared, None, "what all share, of members who are public there"),
    "bins": Attack(bins, Sure.CERTAIN, "bins that are cut differently"),
    "forged": Attack(forged, None, "rows of just a group that came at once"),
    "twice": Attack(twice, Sure.CERTAIN, "rows of the same name"),
    "order": Attack(order, Sure.POSSIBLE, "the order of rows"),
    "reconstruction": Attack(reconstruction, Sure.LIKELY, "all tables of a day as equations"),
    "cubes": Attack(cubes, Sure.LIKELY, "the least and the most of small cubes"),
}


class Attacked(Struct, frozen=True):
    """What came of it. seconds: attack → how long it took."""

    findings: tuple[Finding, ...] = ()
    seconds: dict[str, float] = {}

    @property
    def stopping(self) -> list[Finding]:
        """Those that a publication may not have."""
        return [one for one in self.findings if stops(one)]

    def noted(self) -> dict[str, int]:
        """Attack → how many findings."""
        return dict(sorted(Counter(one.attack for one in self.findings).items()))


def stops(finding: Finding) -> bool:
    """Whether a finding is one above the limit."""
    limit = ATTACKS[finding.attack].stops if finding.attack in ATTACKS else Sure.LIKELY
    return limit is not None and finding.sure >= limit


def attack(evidence: Evidence, chosen: Iterable[str] = ATTACKS) -> Attacked:
    """All of them, or these. Each finding once, sorted."""
    found: set[Finding] = set()
    seconds = {}
    for name in chosen:
        begun = time.monotonic()
        found.update(ATTACKS[name].run(evidence))
        seconds[name] = round(time.monotonic() - begun, 4)
    return Attacked(tuple(sorted(found)), seconds)
