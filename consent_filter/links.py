"""Logins: which browser's pseudonym turned out to be which account's, and when (M42).

A link is noted where both ids came with one event and both may be measured. It says nothing of rows: reports
decide how far back it reaches, so that undoing it is taking it away. What was undone is kept apart while both
ids are known, for the reports that were made with it (S1).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.departed import signed

TABLES = """
CREATE TABLE IF NOT EXISTS link (
  device BLOB NOT NULL, account BLOB NOT NULL, at INTEGER NOT NULL, device_person INTEGER NOT NULL,
  account_person INTEGER NOT NULL, PRIMARY KEY (device, account, at)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS link_account ON link (account);
CREATE TABLE IF NOT EXISTS unlinked (
  device BLOB NOT NULL, account BLOB NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (device, account)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS undone (
  device BLOB NOT NULL, account BLOB NOT NULL, at INTEGER NOT NULL, device_person INTEGER NOT NULL,
  account_person INTEGER NOT NULL, PRIMARY KEY (device, account, at)
) WITHOUT ROWID;
"""
#: Milliseconds in which a second login need not be noted: no more than a pause that ends a visit.
SAME_VISIT = 30 * 60 * 1000
#: Links remembered, so that each event of a visit need not be looked up.
_REMEMBERED = 50_000


class Linked(NamedTuple):
    """Logins: pseudonyms of the browser and of the account, and when (UTC milliseconds). In that order."""

    device: NDArray[np.uint64]
    account: NDArray[np.uint64]
    at: NDArray[np.int64]


class Links:
    """What is to be noted. One thread at a time."""

    def __init__(self) -> None:
        self._noted: dict[tuple[bytes, bytes], int] = {}
        self.pending: dict[tuple[bytes, bytes, int], None] = {}
        self.undone: set[tuple[bytes, bytes]] = set()

    def load(self, database: sqlite3.Connection) -> None:
        """Which pairs were told apart."""
        self.undone = set(database.execute("SELECT device, account FROM unlinked"))

    def note(self, device: bytes, account: bytes, at: int) -> None:
        """A login, unless it is known."""
        pair = device, account
        last = self._noted.get(pair)
        if pair in self.undone or (last is not None and abs(at - last) < SAME_VISIT):
            return
        if len(self._noted) >= _REMEMBERED:
            self._noted.clear()
        self._noted[pair] = at
        self.pending[device, account, at] = None

    def written(self, links: Iterable[tuple[bytes, bytes, int]]) -> None:
        """These are durable."""
        for one in links:
            self.pending.pop(one, None)

    def forget(self, key: bytes) -> None:
        """What memory has of an id whose pseudonym is gone."""
        for one in [one for one in self.pending if key in one[:2]]:
            del self.pending[one]
        for pair in [pair for pair in self._noted if key in pair]:
            del self._noted[pair]


def write(database: sqlite3.Connection, link: tuple[bytes, bytes, int], device: int, account: int) -> None:
    """A link, with the pseudonyms of both. Part of the caller's transaction."""
    database.execute(
        "INSERT OR IGNORE INTO link VALUES (?, ?, ?, ?, ?)", (*link, signed(device), signed(account))
    )


def drop(database: sqlite3.Connection, key: bytes) -> None:
    """Whatever was joined to that id stands for itself again. Part of the caller's transaction."""
    for table in ("link", "undone"):
        database.execute(f"DELETE FROM {table} WHERE device = ? OR account = ?", (key, key))


def undo(database: sqlite3.Connection, device: bytes, account: bytes, now: int) -> None:
    """These two are not one, nor will they be. Part of the caller's transaction."""
    pair = "device = ? AND account = ?"
    # First, as that is the order in which it is told (`telling.py`): others must still find what to undo.
    database.execute("INSERT OR REPLACE INTO unlinked VALUES (?, ?, ?)", (device, account, now))
    database.execute(f"INSERT OR IGNORE INTO undone SELECT * FROM link WHERE {pair}", (device, account))
    database.execute(f"DELETE FROM link WHERE {pair}", (device, account))


def of(database: sqlite3.Connection, key: bytes) -> tuple[bytes, ...]:
    """The ids that were joined to that one."""
    found = database.execute(
        "SELECT DISTINCT account FROM link WHERE device = ? UNION SELECT device FROM link WHERE account = ?",
        (key, key),
    )
    return tuple(other for (other,) in found)


def every(database: sqlite3.Connection, *, undone: bool = False) -> Linked:
    """Every login that stands (or that did, until it was undone), ordered by browser, moment and account."""
    rows = database.execute(
        f"SELECT device_person, account_person, at FROM {'undone' if undone else 'link'}"
        " ORDER BY device_person, at, account_person"
    ).fetchall()
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Linked(table[:, 0].copy().view(np.uint64), table[:, 1].copy().view(np.uint64), table[:, 2].copy())
