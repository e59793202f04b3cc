"""Which lines have been imported: keyed fingerprints, so that a line counts once whatever file it is in.

A line's fingerprint is a keyed hash of (site, line, how many equal ones came before it in its file), eight
bytes, kept in sets of some thousand, sorted, so that they say nothing of order. Lines and not files are
remembered, because files grow, are renamed, compressed, cut, joined and exported again with an overlap.
A line whose time can't be read may say the same on any day, so its fingerprint has the dated line before it.

Exactly once over a kill at any point: a set is written with the log's end before its record (the intent);
then the record is appended; the next write confirms it. Whoever opens the ledger after a crash compares: the
log has grown beyond the intent, so the record is there; or it has not, and the set is forgotten. That holds
because the log's import partition has one writer, and this ledger is only opened by it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter.errors import Broken

_TABLES = """
CREATE TABLE IF NOT EXISTS seen (
  id INTEGER PRIMARY KEY, site TEXT NOT NULL, low INTEGER NOT NULL, high INTEGER NOT NULL,
  imported INTEGER NOT NULL, before INTEGER, prints BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS seen_when ON seen (site, low, high);
CREATE INDEX IF NOT EXISTS seen_open ON seen (before) WHERE before IS NOT NULL;
CREATE TABLE IF NOT EXISTS confirmed (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL);
"""
#: Lines after which an equal one counts as new again; equal lines share their second, so they lie close.
_WINDOW = 65_536
Prints = NDArray[np.uint64]


class Fingerprints:
    """The fingerprints of one file's lines, in the file's order. `state`: a keyed BLAKE2b to copy."""

    def __init__(self, state: Any, site: str) -> None:
        self._state = state.copy()
        self._state.update(b"import\0" + site.encode() + b"\0")
        self._now: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}
        self._dated = b""

    def of(self, lines: Sequence[bytes], time: NDArray[np.int64]) -> Prints:
        """One fingerprint a line; equal lines are told apart by their number. `time` as for `unseen`."""
        copy, now, before = self._state.copy, self._now, self._before
        digests = []
        for line, dated in zip(lines, (time >= 0).tolist(), strict=True):
            one = copy()
            one.update(line)
            if dated:
                self._dated = line
            else:
                one.update(b"\n\n" + self._dated)
            digest = one.digest()[:8]
            earlier = now.get(digest) or before.get(digest, 0)
            now[digest] = earlier + 1
            if earlier:
                one.update(b"\n%d" % earlier)
                digest = one.digest()[:8]
            digests.append(digest)
        if len(now) >= _WINDOW:
            self._now, self._before = {}, now
        return np.frombuffer(b"".join(digests), "<u8")


class Imports:
    """The ledger in `imports.sqlite`. One process at a time: the one that writes the log's import partition.

    `end` is that partition's durable end. Raises Broken where the log ends before what was confirmed.
    """

    def __init__(self, path: Path | None, end: int) -> None:
        if path is not None:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._database = sqlite3.connect(path or ":memory:", isolation_level=None)
        self._database.execute("PRAGMA synchronous=EXTRA")
        self._database.execute("PRAGMA secure_delete=ON")
        self._database.executescript(_TABLES)
        self._settle(end)

    def _settle(self, end: int) -> None:
        """Decide what a crash left open."""
        (known,) = self._database.execute("SELECT coalesce(max(position), 0) FROM confirmed").fetchone()
        (intent,) = self._database.execute("SELECT coalesce(max(before), 0) FROM seen").fetchone()
        if end < max(known, intent):
            raise Broken(
                "the log ends before what was imported into it: it was removed, or put back from an older "
                "copy. Put imports.sqlite back from the same copy, or remove it to import everything again"
            )
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.execute("DELETE FROM seen WHERE before = ?", (end,))
            self._confirm(end)

    def unseen(self, site: str, prints: Prints, time: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which lines are not imported yet. `time` (UTC ms, negative where unreadable) narrows the search."""
        new = np.ones(len(prints), np.bool_)
        for rows, low, high in _scopes(time):
            known = [
                np.frombuffer(blob, "<u8")
                for (blob,) in self._database.execute(
                    "SELECT prints FROM seen WHERE site = ? AND low <= ? AND high >= ?", (site, high, low)
                )
            ]
            if known:
                new[rows] = ~np.isin(prints[rows], np.concatenate(known))
        return new

    def intend(self, site: str, prints: Prints, time: NDArray[np.int64], imported: int, before: int) -> None:
        """These lines go into the record that is appended next, at the log's end `before`. Durable on return.

        Also confirms what came before. `imported` is now, UTC milliseconds.
        """
        rows = [
            (site, low, high, imported, before, np.sort(prints[rows]).tobytes())
            for rows, low, high in _scopes(time)
        ]
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            # What was to be appended here and was not: the log could not be written.
            self._database.execute("DELETE FROM seen WHERE before >= ?", (before,))
            self._confirm(before)
            self._database.executemany(
                "INSERT INTO seen (site, low, high, imported, before, prints) VALUES (?, ?, ?, ?, ?, ?)", rows
            )

    def confirm(self, end: int) -> None:
        """The record is in the log, which now ends there."""
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._confirm(end)

    def _confirm(self, end: int) -> None:
        self._database.execute("UPDATE seen SET before = NULL WHERE before < ?", (end,))
        self._database.execute("INSERT OR REPLACE INTO confirmed VALUES (1, ?)", (end,))

    def close(self) -> None:
        self._database.close()


def forget(path: Path, before: int) -> int:
    """Delete the sets imported before that moment (UTC ms), whose facts have had their time; how many.

    Any process may, also beside an import: what is not confirmed yet is left to the one that wrote it.
    """
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete=ON")
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'confirmed'").fetchone():
            return 0  # made a moment ago, and not yet filled
        return database.execute("DELETE FROM seen WHERE imported < ? AND before IS NULL", (before,)).rowcount


def _scopes(time: NDArray[np.int64]) -> list[tuple[NDArray[np.bool_], int, int]]:
    """Lines with a time lie between their first and last; those without are a scope of their own."""
    timed = time >= 0
    scopes = []
    if timed.any():
        scopes.append((timed, int(time[timed].min()), int(time[timed].max())))
    if not timed.all():
        scopes.append((~timed, -1, -1))
    return scopes
