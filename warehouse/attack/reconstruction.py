"""Reconstruction: everything that is published of a day, as one system of equations.

Tables by closed keys of which a person has one value (country, device, browser …) and all numbers of events
are put together (`subtract.py`); of small cubes the least and the most of every part is found as well, by
integer programming (`bounds.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from warehouse.attack.algebra import loose
from warehouse.attack.atoms import systems
from warehouse.attack.bounds import bounds
from warehouse.attack.evidence import ONE_EACH, Evidence, Finding, Sure
from warehouse.attack.figures import Figure, Meaning, figures
from warehouse.attack.subtract import subtract, where

#: Atoms of a cube above which least and most are not looked for.
SMALL = 40
#: Cubes of one run for which they are.
CUBES = 50


def reconstruction(evidence: Evidence) -> Iterator[Finding]:
    """Groups that follow from several tables of a day together."""
    for found in subtract(_figures(evidence), evidence.k):
        yield Finding("reconstruction", found.report, found.where, found.says, Sure.LIKELY)


def cubes(evidence: Evidence) -> Iterator[Finding]:
    """Parts of small cubes that are of somebody and of too few, whichever way they are filled."""
    by_day: dict[tuple[object, ...], list[Figure]] = defaultdict(list)
    for one in _figures(evidence):
        if one.unit == "day" and one.ends - one.begins <= 26:
            by_day[one.sites, one.begins].append(one)
    for group in list(by_day.values())[-CUBES:]:
        for system in systems(group):
            atoms = sorted({int(atom) for row in system.atoms for atom in row})
            rows = [row.tolist() for row in system.atoms]
            if len(atoms) > SMALL or not loose(rows):
                continue
            values, off = [one.value for one in system.figures], [one.off for one in system.figures]
            found = bounds(rows, values, off, [[atom] for atom in atoms])
            if any(low > 0 and high < evidence.k for low, high in found):
                reports = ", ".join(sorted({one.said for one in system.figures}))
                says = "whichever way its hidden parts are filled, one of them is a group too small"
                yield Finding("cubes", reports, where(system.figures[:1]), says, Sure.LIKELY)


def _figures(evidence: Evidence) -> list[Figure]:
    found: list[Figure] = []
    for one in evidence.daily():
        rest = {*one.keys} - {"site", "day", "hour"}
        if not rest <= ONE_EACH or one.nested or "hour" in one.keys:
            continue
        off = {"people": one.off("people")}
        meaning = Meaning(one.name, one.keys, off, one.purpose, one.population, one.fold)
        found += figures(evidence.table(f"now_{one.name}"), meaning)
    return found
