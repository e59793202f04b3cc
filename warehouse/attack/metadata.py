"""Metadata: what a file says beside its cells: the order of its rows, and words about what is not shown."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure


def order(evidence: Evidence) -> Iterator[Finding]:
    """Rows in another order than that of their keys: the order in which they came, or of what was hidden."""
    for one in evidence.sheets.values():
        keys = ", ".join(one.keys)
        (found,) = evidence.rows(
            "SELECT count(*) AS n FROM (SELECT row_number() OVER () AS stands,"
            f" row_number() OVER (ORDER BY {keys}) AS belongs FROM now_{one.name}) WHERE stands <> belongs"
        )
        if found["n"]:
            says = "rows do not stand in the order of their keys"
            yield Finding("order", one.name, "the whole table", says, Sure.POSSIBLE)


def twice(evidence: Evidence) -> Iterator[Finding]:
    """Two rows of the same name: one is folded, and the other bears the folded row's name."""
    for one in evidence.sheets.values():
        (found,) = evidence.rows(
            f"SELECT count(*) - count(DISTINCT ({', '.join(one.keys)})) AS n FROM now_{one.name}"
        )
        if found["n"]:
            says = "two rows have the same name: one of them is what was folded"
            yield Finding("twice", one.name, "the whole table", says, Sure.CERTAIN)
