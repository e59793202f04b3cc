"""Unique values: a key that is written by visitors may be somebody's name, however many did see it."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import CLOSED, Evidence, Finding, Sure

#: Shapes that are of one person or one message: addresses, random numbers, hashes, telephone numbers.
_SHAPES = {
    "an e-mail address": r"[\w.%+-]+(@|%40)[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}",
    "a random number": r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b",
    "a hash": r"\b[0-9a-fA-F]{32,}\b",
    "a telephone number": r"(\+|\b00)[1-9][0-9 ()/-]{8,}[0-9]\b",
}


def unique(evidence: Evidence) -> Iterator[Finding]:
    """Words of open keys that look like one person's. Says the column and how many rows, never the word."""
    for one in evidence.sheets.values():
        for key in one.keys:
            if key in CLOSED:
                continue
            counts = ", ".join(f"count(*) FILTER (regexp_matches({key}::VARCHAR, ?))" for _ in _SHAPES)
            (found,) = evidence.rows(f"SELECT {counts} FROM now_{one.name}", list(_SHAPES.values()))
            for kind, rows in zip(_SHAPES, found.values(), strict=True):
                if rows:
                    says = f"{rows} rows of the key {key} look like {kind}"
                    yield Finding("unique", one.name, f"the key {key}", says, Sure.LIKELY)
