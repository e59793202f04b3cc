"""A draft of a release under attack, before anybody may approve it; and as figures that its readers know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from warehouse import draft as drafts
from warehouse.attack.evidence import Evidence, Sheet
from warehouse.attack.figures import Figure, Meaning, figures
from warehouse.attack.linkage import public_facts
from warehouse.attack.membership import membership
from warehouse.attack.subtract import subtract
from warehouse.attack.suite import Attacked, attack
from warehouse.draft import Draft, Table

#: Noise is Gaussian: a number is off by less than so many deviations in 19 of 20 draws.
DEVIATIONS = 2.0
#: Attacks on one table or several of a draft. What needs days or versions is not among them.
TRIED = ("unlimited", "twice", "order", "unique", "names", "rates", "bins", "margin")


def attack_draft(data: Path, name: str) -> Attacked:
    """Everything that is tried on a draft. Those of its findings that stop it are `Attacked.stopping`.

    Raises Refused where there is no such draft, or a table is not the one it was made with.
    """
    made = drafts.read(data, name)
    rows = {one.name: drafts.table(data, name, one.name) for one in made.tables}
    evidence = Evidence([_sheet(one) for one in made.tables], rows, k=least(made), public=public_facts(data))
    try:
        found = attack(evidence, TRIED)
    finally:
        evidence.close()
    begun = time.monotonic()
    more = [*membership(made), *subtract(_figures(made, rows, {}), least(made))]
    seconds = found.seconds | {"membership, subtract": round(time.monotonic() - begun, 4)}
    return Attacked(tuple(sorted({*found.findings, *more})), seconds)


def of_draft(data: Path, name: str, zones: Mapping[str, str]) -> dict[str, list[Figure]]:
    """Table → its figures: what a recipient of this draft knows. `zones`: site → IANA name."""
    made = drafts.read(data, name)
    return {
        one.name: _figures(made, {one.name: drafts.table(data, name, one.name)}, zones) for one in made.tables
    }


def least(made: Draft) -> int:
    """The fewest people that any of its rows may be about."""
    return min((one.least for one in made.tables if one.least > 0), default=1)


def _sheet(one: Table) -> Sheet:
    names = [number.name for number in one.numbers]
    return Sheet(
        name=one.name,
        keys=one.keys,
        sums=tuple(name for name in names if name != "people"),
        least=one.least,
        purpose=one.purpose,
        people="people" in names,
        by_day="day" in one.keys,
        slack={number.name: DEVIATIONS * number.scale for number in one.numbers},
    )


def _figures(made: Draft, rows: Mapping[str, pa.Table], zones: Mapping[str, str]) -> list[Figure]:
    found: list[Figure] = []
    for one in made.tables:
        if one.name in rows:
            off = {number.name: DEVIATIONS * number.scale for number in one.numbers}
            meaning = Meaning(
                one.name, one.keys, off, one.purpose, over=made.period, zones=zones, sites=made.sites
            )
            found += figures(rows[one.name], meaning)
    return found
