"""Legal holds: whose rows stay for a dispute or an investigation, in no report, and until when (M80, M81).

A hold is about persons, by pseudonym, and a period of days, if one is said. While it stands nothing of it is
purged, made coarser or erased from the disk, and no report counts those persons. It ends when it is released,
or by itself; what waited for that is then done. Nothing that anybody wrote freely is kept: a hold names its
owner, one of the reasons, and a reference to the file that says more.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.database import opened, transaction
from consent_filter.errors import Misconfigured, Refused

FILE = "holds.sqlite"
#: The policies' own words: complaints and disputes; investigations, the law, enforcement of the terms.
REASONS = ("complaint", "dispute", "investigation", "law", "enforcement")
#: Longest time that a hold may stand before somebody must place it again.
LONGEST_DAYS = 3 * 365
_WORD = re.compile(r"[\w.@/-]{1,64}", re.ASCII)
_TABLES = """
CREATE TABLE IF NOT EXISTS hold (
  id TEXT PRIMARY KEY, site TEXT NOT NULL, owner TEXT NOT NULL, reason TEXT NOT NULL, reference TEXT NOT NULL,
  first TEXT NOT NULL, last TEXT NOT NULL, placed INTEGER NOT NULL, expires INTEGER NOT NULL,
  released INTEGER, released_by TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (hold TEXT NOT NULL, person INTEGER NOT NULL, PRIMARY KEY (hold, person))
  WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (person INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL);
"""


class Hold(NamedTuple):
    """One hold. Times are UTC milliseconds; `first` and `last`: days (ISO); `standing`: it holds now."""

    id: str
    site: str
    owner: str
    reason: str
    reference: str
    first: str
    last: str
    placed: int
    expires: int
    released: int | None
    released_by: str | None
    persons: int
    standing: bool


class Holds:
    """The holds of a data folder. `add` and `release` are durable on return."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, data: Path) -> Iterator[Holds]:
        """DATA/holds.sqlite, made if there is none."""
        with opened(data / FILE, _TABLES) as database:
            yield cls(database)

    def add(
        self,
        persons: NDArray[np.uint64],
        *,
        site: str,
        owner: str,
        reason: str,
        reference: str,
        expires: int,
        now: int,
        first: date | None = None,
        last: date | None = None,
    ) -> str:
        """Place a hold; returns its id. Raises Misconfigured for what no hold can be, Refused for nobody."""
        if reason not in REASONS:
            raise Misconfigured("reason", reason, f"one of {', '.join(REASONS)}")
        for key, said in (("owner", owner), ("reference", reference)):
            if not _WORD.fullmatch(said):
                raise Misconfigured(key, "…", "1 to 64 letters, digits and . @ / _ -")
        if not now < expires <= now + LONGEST_DAYS * 86_400_000:
            raise Misconfigured("expires", expires, f"in the future, within {LONGEST_DAYS} days")
        begin, end = (first or date.min).isoformat(), (last or date.max).isoformat()
        if begin > end:
            raise Misconfigured("to", end, "no day before --from")
        if not len(persons):
            raise Refused(404, "nobody", "no pseudonym is known of that id: there is nothing to hold")
        id = secrets.token_hex(4)
        with transaction(self._database):
            self._database.execute(
                "INSERT INTO hold VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
                (id, site, owner, reason, reference, begin, end, now, expires),
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO held VALUES (?, ?)",
                [(id, person) for person in np.asarray(persons, np.uint64).view(np.int64).tolist()],
            )
        return id

    def all(self, now: int) -> list[Hold]:
        """Every hold that was ever placed, the oldest first."""
        rows = self._database.execute(
            "SELECT h.*, (SELECT count(*) FROM held WHERE hold = h.id),"
            " released IS NULL AND expires > ? FROM hold h ORDER BY placed, id",
            (now,),
        )
        return [Hold._make([*row[:-1], bool(row[-1])]) for row in rows]

    def release(self, id: str, by: str, now: int) -> None:
        """End a hold. Raises Refused where there is none of that id, or it has ended."""
        if not _WORD.fullmatch(by):
            raise Misconfigured("owner", "…", "1 to 64 letters, digits and . @ / _ -")
        with transaction(self._database):
            changed = self._database.execute(
                "UPDATE hold SET released = ?, released_by = ?"
                " WHERE id = ? AND released IS NULL AND expires > ?",
                (now, by, id, now),
            ).rowcount
        if not changed:
            raise Refused(404, "no_such_hold", "no hold of that id stands")

    def periods(self, now: int) -> pa.Table:
        """What is held now: person, first, last (days)."""
        rows = self._database.execute(
            "SELECT DISTINCT person, first, last FROM held JOIN hold ON id = hold"
            " WHERE released IS NULL AND expires > ? ORDER BY 1, 2, 3",
            (now,),
        ).fetchall()
        return _periods(rows)

    def waiting(self, kept: pa.Table) -> NDArray[np.uint64]:
        """Persons of whom something was kept back when facts were looked after last, and is not in `kept`
        now: what waited for that is to be done."""
        before = set(self._database.execute("SELECT person, first, last FROM kept").fetchall())
        return _persons([(person,) for person in {person for person, *_ in before - {*_rows(kept)}}])

    def note(self, kept: pa.Table) -> None:
        """This is kept back by what is done now; `waiting` tells when it is not any more."""
        known = set(self._database.execute("SELECT person, first, last FROM kept").fetchall())
        with transaction(self._database):
            self._database.executemany("INSERT INTO kept VALUES (?, ?, ?)", list({*_rows(kept)} - known))

    def settle(self, kept: pa.Table, now: int) -> None:
        """What waited has been done, and this is kept back now. Forget whom ended holds were about."""
        with transaction(self._database):
            self._database.execute("DELETE FROM kept")
            self._database.executemany("INSERT INTO kept VALUES (?, ?, ?)", _rows(kept))
            self._database.execute(
                "DELETE FROM held WHERE hold IN (SELECT id FROM hold WHERE released <= ?1 OR expires <= ?1)",
                (now,),
            )

    def mentioned(self) -> NDArray[np.uint64]:
        """Everyone of whom anything stands here, also of holds that have ended. Sorted."""
        rows = self._database.execute("SELECT person FROM held UNION SELECT person FROM kept").fetchall()
        return _persons(rows)

    def forget(self, whom: NDArray[np.uint64]) -> None:
        """Nothing of these is held any more, nor will be: they have been erased."""
        rows = [(person,) for person in whom.view(np.int64).tolist()]
        with transaction(self._database):
            self._database.executemany("DELETE FROM held WHERE person = ?", rows)
            self._database.executemany("DELETE FROM kept WHERE person = ?", rows)


def periods(data: Path, now: int | None = None) -> pa.Table:
    """What is held in a data folder at that time (UTC ms; None: now): person, first, last. Makes no file."""
    if not (data / FILE).exists():
        return _periods([])
    with Holds.open(data) as holds:
        return holds.periods(_now(now))


def persons(data: Path, now: int | None = None) -> NDArray[np.uint64]:
    """Who is held, whatever the period: no report counts them. Sorted."""
    found: NDArray[np.uint64] = np.unique(periods(data, now)["person"].to_numpy())
    return found


def always(whom: NDArray[np.uint64]) -> pa.Table:
    """As `periods`: these persons, on every day."""
    rows = [(person, date.min.isoformat(), date.max.isoformat()) for person in whom.view(np.int64).tolist()]
    return _periods(rows)


def held(data: Path, whom: NDArray[np.uint64], now: int | None = None) -> NDArray[np.bool_]:
    """Which of these may not be erased from the disk yet."""
    return np.isin(whom, persons(data, now))


def _now(now: int | None) -> int:
    return round(time.time() * 1000) if now is None else now


def _persons(rows: Sequence[tuple[int]]) -> NDArray[np.uint64]:
    return np.sort(np.array([person for (person,) in rows], np.int64).view(np.uint64))


def _rows(kept: pa.Table) -> list[tuple[int, str, str]]:
    persons = kept["person"].to_numpy().view(np.int64).tolist()
    days = ([day.isoformat() for day in kept[name].to_pylist()] for name in ("first", "last"))
    return list(zip(persons, *days, strict=True))


def _periods(rows: Sequence[tuple[int, str, str]]) -> pa.Table:
    return pa.table(
        {
            "person": pa.array(np.array([person for person, _, _ in rows], np.int64).view(np.uint64)),
            "first": pa.array([date.fromisoformat(first) for _, first, _ in rows], pa.date32()),
            "last": pa.array([date.fromisoformat(last) for _, _, last in rows], pa.date32()),
        }
    )
