"""Forged contributors: an attacker makes all of a group but one up, and the row shows the one.

No rule about groups is safe from that (docs/attacks.md). What can be seen is a row that came into being with
exactly a group in it, each of whom did one thing, under a word that visitors write.
"""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import CLOSED, Evidence, Finding, Sure, place


def forged(evidence: Evidence) -> Iterator[Finding]:
    """Rows that are new since the version before, of just a group, each with one event."""
    for one in evidence.daily():
        if f"was_{one.name}" not in evidence.there or {*one.keys} <= CLOSED or "events" not in one.sums:
            continue
        keys = ", ".join(one.keys)
        for row in evidence.rows(
            f"SELECT o.* FROM (SELECT *, row_number() OVER (ORDER BY {keys}) AS stands FROM now_{one.name}) o"
            f" ANTI JOIN (FROM was_{one.name} WHERE _version = 0) USING ({keys})"
            f" WHERE people BETWEEN {one.least} AND {one.least + 1} AND events = people"
        ):
            says = "just a group came at once, each with one event"
            yield Finding("forged", one.name, place(row, one.keys, row["stands"]), says, Sure.POSSIBLE)
