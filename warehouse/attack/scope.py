"""Differencing by scope: a total less one row of it is everyone who is not in that row.

A row of "/pricing" and the day's total give those who did not look at it. Where a person is in one row only
(country, device) they are the other rows' people, which are groups together (`margin.py`). Where not, they
may be a few: that they were there at all is all that an observer learns, and has to know before.
"""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, named, place


def scope(evidence: Evidence) -> Iterator[Finding]:
    """Rows that all but a few of a total are in; and two tables of the same rows that differ by a few."""
    for coarse, fine in evidence.pairs():
        if not coarse.people:
            continue
        by = ", ".join(coarse.keys)
        off = coarse.off("people") + fine.off("people")
        for row in evidence.rows(
            f"SELECT f.* FROM (SELECT *, row_number() OVER (ORDER BY {', '.join(fine.keys)}) AS stands"
            f" FROM now_{fine.name}) f JOIN now_{coarse.name} c USING ({by})"
            f" WHERE c.people - f.people > {off} AND c.people - f.people < {evidence.k - off}"
            f" AND {named(fine.keys, 'f.')}"
        ):
            says = f"those of {coarse.name} who are not in this row are a group too small"
            yield Finding("scope", fine.name, place(row, fine.keys, row["stands"]), says, Sure.CERTAIN)


def same_rows(evidence: Evidence) -> Iterator[Finding]:
    """Two tables with the same keys, of which one has a few people more in a row (visits, and everyone)."""
    for one, other in evidence.pairs(equal=True):
        if not one.people or one.population == other.population:
            continue
        by, off = ", ".join(one.keys), one.off("people") + other.off("people")
        for row in evidence.rows(
            f"SELECT {by} FROM now_{one.name} a JOIN now_{other.name} b USING ({by})"
            f" WHERE {named(one.keys, 'a.')}"
            f" AND a.people - b.people > {off} AND a.people - b.people < {evidence.k - off}"
        ):
            says = f"those of this row who are not in that of {other.name} are a group too small"
            yield Finding("same_rows", one.name, place(row, one.keys), says, Sure.CERTAIN)
