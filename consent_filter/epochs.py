"""Under which key each salt's pseudonym is made: salts are numbered, so each key has a range of numbers.

A row for each key, and no byte for a person (as `renewal.py` has a row for each day). A number is noted with
the first salt under a key, in one transaction, so whoever sees the salt knows its key.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Iterable, Mapping

TABLES = """
CREATE TABLE IF NOT EXISTS epoch (
  purpose INTEGER NOT NULL, first INTEGER NOT NULL, id TEXT NOT NULL, PRIMARY KEY (purpose, first)
) WITHOUT ROWID;
"""
#: Behind every number.
_LAST = 1 << 62


class Epochs:
    """The first number under each key, by purpose. Salts before the first mark are under the first key that
    there ever was, which is named None."""

    def __init__(self, purposes: Iterable[int]) -> None:
        # Of each purpose first numbers and names, replaced as one: others read meanwhile.
        self._marks: dict[int, tuple[list[int], list[str | None]]] = {one: ([0], [None]) for one in purposes}
        self._pending: dict[tuple[int, int], str] = {}

    def load(self, database: sqlite3.Connection) -> None:
        """What is written; what is not written yet stays."""
        found: dict[tuple[int, int], str] = {}
        for purpose, first, id in database.execute("SELECT purpose, first, id FROM epoch ORDER BY first"):
            found[purpose, first] = id
        found |= self._pending
        for purpose in self._marks:
            rows = [(first, id) for (one, first), id in found.items() if one == purpose]
            self._marks[purpose] = [0, *(first for first, _ in rows)], [None, *(id for _, id in rows)]

    def newest(self, purpose: int) -> tuple[int, str | None]:
        """The first number under the newest key that has made any, and its name."""
        first, ids = self._marks[purpose]
        return first[-1], ids[-1]

    def of(self, purpose: int, number: int) -> str | None:
        """The name of the key that a salt of that number is under."""
        first, ids = self._marks[purpose]
        return ids[bisect_right(first, number) - 1]

    def mark(self, purpose: int, number: int, id: str) -> None:
        """From that number on, salts are under that key."""
        first, ids = self._marks[purpose]
        self._pending[purpose, number] = id
        self._marks[purpose] = [*first, number], [*ids, id]

    def ranges(self, purpose: int, first: str) -> list[tuple[str, int, int]]:
        """(key, its first number, the next key's). `first`: the name of the first key that there was."""
        starts, ids = self._marks[purpose]
        ends = [*starts[1:], _LAST]
        return [(id or first, start, end) for id, start, end in zip(ids, starts, ends, strict=True)]

    @property
    def pending(self) -> Mapping[tuple[int, int], str]:
        """What is not written yet: (purpose, first number) → key."""
        return self._pending

    def written(self, pending: Iterable[tuple[int, int]]) -> None:
        """These are durable."""
        for one in pending:
            self._pending.pop(one, None)


def write(database: sqlite3.Connection, pending: Mapping[tuple[int, int], str]) -> None:
    """With the new salts, in one transaction."""
    rows = [(*where, id) for where, id in pending.items()]
    database.executemany("INSERT OR REPLACE INTO epoch VALUES (?, ?, ?)", rows)
