"""How long an anonymous identifier lasts (M23): after a site's time a browser gets a new salt, and so becomes
somebody else, whom nothing in the facts joins to who it was.

Salts are numbered as they are made, so the first number of each day says how old any of them is: a row a
day. Of the old pseudonym the ledger keeps whose it was, as long as facts of it may be there: it must be
found when that person withdraws, asks or is erased.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections.abc import Collection, Iterable
from operator import itemgetter

from consent_filter.departed import signed, unsigned
from consent_filter.fields import FACTS

TABLES = """
CREATE TABLE IF NOT EXISTS salted (day INTEGER PRIMARY KEY, seq INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS past (
  person INTEGER PRIMARY KEY, key BLOB NOT NULL, purpose INTEGER NOT NULL, until INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS past_key ON past (key);
"""


class Renewal:
    """Which salts have had their time, and whom the renewed ones were of. Days are since 1970, in UTC."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, int]] = []
        self._pending: list[tuple[int, int]] = []
        self._past: dict[tuple[int, bytes], int] = {}
        self._known: tuple[int, dict[int, int]] = (0, {})

    def load(self, database: sqlite3.Connection) -> None:
        """The first number of each day on which there was one."""
        self._marks = list(database.execute("SELECT day, seq FROM salted ORDER BY day"))

    def mark(self, day: int, seq: int) -> None:
        """A salt of that number was made on that day. A clock that has stepped back changes nothing."""
        if not self._marks or self._marks[-1][0] < day:
            self._marks.append((day, seq))
            self._pending.append((day, seq))
            self._known = (0, {})

    def made(self, seq: int, today: int) -> int:
        """The day on which the salt of that number was made; today where nothing is known of it."""
        at = bisect_right(self._marks, seq, key=itemgetter(1))
        return self._marks[at - 1][0] if at else today

    def over(self, lasts: int, day: int) -> int:
        """Salts with a smaller number are older than `lasts` days. What is older than the first mark, of a
        ledger that had none before, counts from there."""
        if self._known[0] != day:
            self._known = (day, {})
        found = self._known[1].get(lasts)
        if found is None:
            begun = day - lasts
            later = [seq for marked, seq in self._marks if marked > begun]
            some = bool(self._marks) and self._marks[0][0] <= begun
            found = self._known[1][lasts] = (later[0] if later else 1 << 62) if some else 0
        return found

    def turn(self, purpose: int, key: bytes, person: int) -> None:
        """That was their pseudonym until now."""
        self._past[purpose, key] = person

    def write(self, database: sqlite3.Connection, renewed: Iterable[tuple[int, bytes]], day: int) -> None:
        """With the new salts, in one transaction; what no fact may be of any more is forgotten."""
        database.executemany("INSERT OR IGNORE INTO salted VALUES (?, ?)", self._pending)
        rows = [(self._past[one], one[1], one[0], day) for one in renewed if one in self._past]
        note(database, rows)
        if rows:
            database.execute("DELETE FROM past WHERE until < ?", (day - FACTS.days - 1,))

    def any(self, pending: Iterable[tuple[int, bytes]]) -> bool:
        """Whether one of these takes the place of another."""
        return not self._past.keys().isdisjoint(pending)

    def written(self, renewed: Iterable[tuple[int, bytes]]) -> None:
        """These are durable."""
        self._pending.clear()
        for one in renewed:
            self._past.pop(one, None)

    def of(
        self, database: sqlite3.Connection, key: bytes, purposes: Collection[int]
    ) -> list[tuple[int, int]]:
        """(purpose, pseudonym) that an id had before."""
        rows = database.execute(
            "SELECT purpose, person FROM past WHERE key = ? ORDER BY until, person", (key,)
        )
        found = [(purpose, unsigned(person)) for purpose, person in rows if purpose in purposes]
        return found + [(p, self._past[p, key]) for p in purposes if (p, key) in self._past]

    def drop(self, database: sqlite3.Connection, key: bytes, purposes: Iterable[int]) -> None:
        """They are withdrawn, and stand there. Part of the caller's transaction."""
        for purpose in purposes:
            database.execute("DELETE FROM past WHERE key = ? AND purpose = ?", (key, purpose))

    def forget(self, key: bytes, purposes: Iterable[int]) -> None:
        """From memory."""
        for purpose in purposes:
            self._past.pop((purpose, key), None)


def note(database: sqlite3.Connection, persons: Iterable[tuple[int, bytes, int, int]]) -> None:
    """Whose a pseudonym was until which day: (pseudonym, key, purpose, day). In the caller's transaction."""
    rows = [(signed(person), *rest) for person, *rest in persons]
    database.executemany("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?)", rows)
