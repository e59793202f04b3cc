"""Salts of lasting pseudonyms: in memory, and in the ledger's table, which only ever grows at its end.

A commit so writes one or two pages, whatever the number of people (a table ordered by hash writes one page
for each new person), and a salt is found without touching the disk: 44 bytes a person and purpose in memory.
Forgetting somebody is deleting the salt: nobody can make that pseudonym again.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from consent_filter.packed import Packed

TABLES = """
CREATE TABLE IF NOT EXISTS salt (
  seq INTEGER PRIMARY KEY, key BLOB NOT NULL, purpose INTEGER NOT NULL, salt BLOB NOT NULL
);
"""
SALT = 16
#: The salt, and behind it where it stands in the table.
_PLACE = 6


def number(record: bytes) -> int:
    """Which salt it is."""
    return int.from_bytes(record[SALT:], "big")


class Salts:
    """By purpose and key. One process makes them; others know those that it has written."""

    def __init__(self, purposes: Iterable[int]) -> None:
        self._held = {purpose: Packed(SALT + _PLACE) for purpose in purposes}
        #: New ones that only memory has.
        self._pending: dict[tuple[int, bytes], bytes] = {}
        #: Places of what the pending ones take the place of.
        self._old: dict[tuple[int, bytes], int] = {}
        self._last = 0

    def load(self, database: sqlite3.Connection) -> bool:
        """Those that were written since the last look; whether there were any."""
        rows = "SELECT seq, key, purpose, salt FROM salt WHERE seq > ? ORDER BY seq"
        before = self._last
        first, found = before == 0, {purpose: bytearray() for purpose in self._held}
        for seq, key, purpose, salt in database.execute(rows, (self._last,)):
            self._last = seq
            if first:
                found[purpose] += key + salt + seq.to_bytes(_PLACE, "big")
            else:
                self._held[purpose].put(key, salt + seq.to_bytes(_PLACE, "big"))
        for purpose, records in found.items():
            if records:
                self._held[purpose].load(records)
        return self._last != before

    def get(self, purpose: int, key: bytes) -> bytes | None:
        """The salt, 16 bytes; None where there is none."""
        found = self._held[purpose].get(key)
        return None if found is None else found[:SALT]

    def record(self, purpose: int, key: bytes) -> bytes | None:
        """The salt, and behind it its number, 6 bytes that compare as numbers do."""
        return self._held[purpose].get(key)

    def place(self, purpose: int, key: bytes) -> int:
        """The number that the salt was made with; later ones have larger ones. 0 where there is none."""
        found = self._held[purpose].get(key)
        return 0 if found is None else number(found)

    @property
    def next(self) -> int:
        """The number of the next one."""
        return self._last + 1

    def renew(self, purpose: int, key: bytes) -> bytes:
        """Another record instead of the one that there is, which leaves the disk when this is written."""
        self._old.setdefault((purpose, key), self.place(purpose, key))
        return self.new(purpose, key)

    def new(self, purpose: int, key: bytes) -> bytes:
        """The record of a salt for who has none yet; `write` makes it durable."""
        self._last += 1
        found = secrets.token_bytes(SALT) + self._last.to_bytes(_PLACE, "big")
        self._pending[purpose, key] = found
        self._held[purpose].put(key, found)
        return found

    def take(self, purpose: int, key: bytes, salt: bytes) -> bytes:
        """The record of a salt that was given elsewhere, instead of the one that there may be."""
        one = purpose, key
        if one not in self._pending and (there := self.place(purpose, key)):
            self._old.setdefault(one, there)
        self._last += 1
        found = self._pending[one] = salt + self._last.to_bytes(_PLACE, "big")
        self._held[purpose].put(key, found)
        return found

    def before(self, database: sqlite3.Connection, purpose: int, key: bytes) -> bytes | None:
        """The salt whose place a pending one takes; None where there was none."""
        place = self._old.get((purpose, key))
        row = database.execute("SELECT salt FROM salt WHERE seq = ?", (place,)).fetchone()
        return None if row is None else bytes(row[0])

    @property
    def pending(self) -> Mapping[tuple[int, bytes], bytes]:
        """What is not written yet: (purpose, key) → salt and place."""
        return self._pending

    def write(self, database: sqlite3.Connection, pending: Mapping[tuple[int, bytes], bytes]) -> None:
        """Part of the caller's transaction; `written` says that it has held."""
        rows: list[tuple[Any, ...]] = [
            (int.from_bytes(salt[SALT:], "big"), key, purpose, salt[:SALT])
            for (purpose, key), salt in pending.items()
        ]
        database.executemany(
            "DELETE FROM salt WHERE seq = ?", [(self._old[one],) for one in pending if one in self._old]
        )
        database.executemany("INSERT INTO salt VALUES (?, ?, ?, ?)", rows)

    def written(self, pending: Mapping[tuple[int, bytes], bytes]) -> None:
        """These are durable."""
        for one in pending:
            self._pending.pop(one, None)
            self._old.pop(one, None)

    def delete(self, database: sqlite3.Connection, purpose: int, key: bytes) -> None:
        """From the disk. Part of the caller's transaction; `drop` follows when it has held."""
        found = self._held[purpose].get(key)
        if found is not None:
            places = [int.from_bytes(found[SALT:], "big"), self._old.get((purpose, key), 0)]
            database.executemany("DELETE FROM salt WHERE seq = ?", [(place,) for place in places])

    def drop(self, purpose: int, key: bytes) -> None:
        """From memory."""
        self._held[purpose].pop(key)
        self._pending.pop((purpose, key), None)
        self._old.pop((purpose, key), None)
