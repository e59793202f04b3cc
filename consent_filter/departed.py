"""Whose rows no report may count: who has withdrawn, is restricted, or is to be removed; and who has been.

A pseudonym stays here as long as rows of it may be on a disk. When they are gone it is replaced by its
tombstone, a keyed hash: whoever brings an old copy back finds out that its rows may not be there, and nobody
can tell from a tombstone whose it was (S2).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.pseudonym import Keyring

TABLES = """
CREATE TABLE IF NOT EXISTS withdrawn (
  person INTEGER PRIMARY KEY, since INTEGER NOT NULL, key BLOB, purpose INTEGER,
  removes INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS restriction (key BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS restricted (person INTEGER PRIMARY KEY, key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS tombstone (hash BLOB PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
"""
INDEX = "CREATE INDEX IF NOT EXISTS withdrawn_key ON withdrawn (key)"
_HASH = 16
_RECORD = np.dtype([("hash", f"V{_HASH}"), ("since", "<i8")])

Persons = NDArray[np.uint64]


class Person(NamedTuple):
    """One pseudonym of an id. standing: active, withdrawn (rows hidden) or removing (rows to be deleted)."""

    purpose: int
    person: int
    standing: str


def migrate(database: sqlite3.Connection) -> None:
    """Add what a ledger of before does not have."""
    there = {row[1] for row in database.execute("PRAGMA table_info(withdrawn)")}
    for name, kind in (("key", "BLOB"), ("purpose", "INTEGER"), ("removes", "INTEGER NOT NULL DEFAULT 0")):
        if name not in there:
            database.execute(f"ALTER TABLE withdrawn ADD COLUMN {name} {kind}")
    database.execute(INDEX)


def withdraw(
    database: sqlite3.Connection, key: bytes, persons: Iterable[tuple[int, int]], now: int, removes: bool
) -> None:
    """Their rows leave every report. `persons`: (purpose, pseudonym). Part of the caller's transaction."""
    for purpose, person in persons:
        database.execute(
            "INSERT INTO withdrawn VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET removes = max(removes, excluded.removes)",
            (signed(person), now, key, purpose, removes),
        )


def restrict(database: sqlite3.Connection, key: bytes, persons: Iterable[int]) -> None:
    """Their rows are hidden, and not deleted. Part of the caller's transaction."""
    database.executemany(
        "INSERT OR IGNORE INTO restricted VALUES (?, ?)", [(signed(person), key) for person in persons]
    )


def remove(database: sqlite3.Connection, key: bytes) -> None:
    """Also what was withdrawn before is to leave the disk. Part of the caller's transaction."""
    database.execute("UPDATE withdrawn SET removes = 1 WHERE key = ?", (key,))
    database.execute("DELETE FROM restricted WHERE key = ?", (key,))
    database.execute("DELETE FROM restriction WHERE key = ?", (key,))


def of(database: sqlite3.Connection, key: bytes) -> list[Person]:
    """What was withdrawn of one id and is not removed yet."""
    rows = database.execute("SELECT purpose, person, removes FROM withdrawn WHERE key = ?", (key,))
    return [
        Person(purpose, unsigned(person), "removing" if removes else "withdrawn")
        for purpose, person, removes in rows
    ]


def hidden(database: sqlite3.Connection) -> Persons:
    """Everyone whose rows no report may count, in ascending order."""
    return _sorted(database.execute("SELECT person FROM withdrawn UNION SELECT person FROM restricted"))


def restricted(database: sqlite3.Connection) -> Persons:
    """Everyone of whom nothing may be deleted either, in ascending order (GDPR Art. 18)."""
    return _sorted(database.execute("SELECT person FROM restricted"))


def removing(database: sqlite3.Connection) -> Persons:
    """Everyone whose rows must leave the disk, in ascending order."""
    return _sorted(database.execute("SELECT person FROM withdrawn WHERE removes"))


def bury(database: sqlite3.Connection, hashes: Iterable[bytes], persons: Persons, now: int) -> None:
    """Their rows are gone: tombstones take the place of pseudonyms. Part of the caller's transaction."""
    database.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?)", [(hash, now) for hash in hashes])
    database.executemany(
        "DELETE FROM withdrawn WHERE person = ?", [(person,) for person in persons.view(np.int64).tolist()]
    )


def remember(database: sqlite3.Connection, tombstones: Iterable[tuple[bytes, int]]) -> None:
    """Tombstones that came from elsewhere. Part of the caller's transaction."""
    database.executemany("INSERT OR IGNORE INTO tombstone VALUES (?, ?)", list(tombstones))


class Tombstones:
    """Who has been removed, as keyed hashes of pseudonyms."""

    def __init__(self, keys: Keyring, held: dict[bytes, int]) -> None:
        self._state = blake2b(key=keys.derived("ledger", b"tombstone"), digest_size=_HASH)
        self._held = held

    @classmethod
    def read(cls, database: sqlite3.Connection, keys: Keyring) -> Tombstones:
        """Those of a ledger."""
        return cls(keys, dict(database.execute("SELECT hash, since FROM tombstone")))

    def __len__(self) -> int:
        return len(self._held)

    def hashes(self, persons: Persons) -> list[bytes]:
        """The tombstone of each of them."""
        copy, found = self._state.copy, []
        for person in _eights(persons):
            one = copy()
            one.update(person)
            found.append(one.digest())
        return found

    def among(self, persons: Persons) -> NDArray[np.bool_]:
        """Which of them have been removed. Give distinct ones: each costs half a microsecond."""
        if not self._held:
            return np.zeros(len(persons), np.bool_)
        return np.fromiter((hash in self._held for hash in self.hashes(persons)), np.bool_, len(persons))

    def dump(self) -> bytes:
        """All of them, to be kept beside backups: 24 bytes each, in the order of their hashes."""
        rows = np.empty(len(self._held), _RECORD)
        ordered = sorted(self._held.items())
        rows["hash"] = np.frombuffer(b"".join(hash for hash, _ in ordered), f"V{_HASH}")
        rows["since"] = [since for _, since in ordered]
        return rows.tobytes()


def load(data: bytes) -> list[tuple[bytes, int]]:
    """(hash, since) of what `Tombstones.dump` gave. Raises ValueError where it is something else."""
    rows = np.frombuffer(data, _RECORD)
    return [(bytes(hash), int(since)) for hash, since in zip(rows["hash"], rows["since"], strict=True)]


def signed(person: int) -> int:
    """As SQLite holds 64 bits."""
    return person - (1 << 64) if person >> 63 else person


def unsigned(person: int) -> int:
    """As we do."""
    return person & (1 << 64) - 1


def _eights(persons: Persons) -> Sequence[bytes]:
    data = persons.astype("<u8").tobytes()
    return [data[at : at + 8] for at in range(0, len(data), 8)]


def _sorted(rows: Iterable[tuple[int]]) -> Persons:
    return np.sort(np.array([person for (person,) in rows], np.int64).view(np.uint64))
