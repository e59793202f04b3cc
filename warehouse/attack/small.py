"""Small cell: a row that is about fewer people than it may be."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place


def small(evidence: Evidence) -> Iterator[Finding]:
    """Rows of too few people on any side, by what is published; rows about requests are sized by the first of
    their numbers."""
    for one in evidence.sheets.values():
        sizes = one.sides if one.people else one.sums[:1]
        few, keys = " OR ".join(f"{size} < {one.least}" for size in sizes), ", ".join(one.keys)
        for row in evidence.rows(
            f"FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{one.name}) WHERE {few}"
        ):
            yield Finding(
                "small", one.name, place(row, one.keys, row["stands"]), "a row of too few", Sure.CERTAIN
            )
