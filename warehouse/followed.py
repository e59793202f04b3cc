"""What was ever told of funnels of one's own, and what it has cost: two more tables of DATA/explore.sqlite.

An answer and its price are written together, before anybody sees the answer: what was seen is paid for, and a
process that is killed has shown nothing. Nothing is taken back from what was spent, whatever rule changes.
The rows are released ones: noisy groups, and nobody.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from msgspec import Struct

from consent_filter.database import transaction
from consent_filter.errors import Refused
from warehouse.opened import FILE, packed, reading, unpacked

_TABLES = """
CREATE TABLE IF NOT EXISTS followed (question TEXT PRIMARY KEY, at REAL, days INTEGER, rows BLOB);
CREATE TABLE IF NOT EXISTS paid (id TEXT, site TEXT, month TEXT, rho REAL, PRIMARY KEY (id, site, month));
"""
_CLOSE = 1e-9


class Paid(NamedTuple):
    """What one answer has cost a month of a site (zCDP). id: drawn by lot, it says nothing."""

    id: str
    site: str
    month: str
    rho: float


class Told(NamedTuple):
    """An answer. at: when it was counted, seconds since 1970. days: how many it is of."""

    at: float
    days: int
    table: pa.Table


class Account(Struct, frozen=True, kw_only=True):
    """A month of a site: how many funnels are left, and how many it is good for altogether."""

    month: str
    left: int
    of: int


class Spent(Struct, frozen=True, kw_only=True):
    """What all funnels of a month of a site have cost, of what they may (zCDP); `funnels`: how many."""

    site: str
    month: str
    limit: float
    spent: float
    left: float
    funnels: int


class Followed:
    """One data folder's. rho: the price of a question; month: what a month of a site is good for."""

    def __init__(self, data: Path, rho: float, month: float) -> None:
        self._data, self._rho, self._month = data, rho, month

    def told(self, question: str) -> Told | None:
        """The answer to that question, in its one form, where it was given already."""
        with _database(self._data) as database:
            return _told(database, question)

    def accounts(self, site: str, months: Collection[str]) -> list[Account]:
        """What is left of these months, in their order."""
        with _database(self._data) as database:
            spent = {month: _spent(database, site, month) for month in months}
        return [
            Account(
                month=month, of=int(self._month / self._rho + _CLOSE),
                left=max(int((self._month - spent[month]) / self._rho + _CLOSE), 0),
            )
            for month in sorted(months)
        ]  # fmt: skip

    def afford(self, site: str, months: Collection[str]) -> None:
        """Raises Refused where `keep` would be refused now: asked before long work."""
        with _database(self._data) as database:
            self._afford(database, site, months)

    def keep(self, question: str, site: str, months: Collection[str], told: Told) -> Told:
        """Pay for an answer and keep it; or what was told meanwhile, which costs nothing. Raises Refused."""
        with _database(self._data) as database, transaction(database):
            before = _told(database, question)
            if before is not None:
                return before
            self._afford(database, site, months)
            id = secrets.token_hex(8)
            paid = [(id, site, month, self._rho) for month in sorted(months)]
            database.executemany("INSERT INTO paid VALUES (?, ?, ?, ?)", paid)
            row = [question, told.at, told.days, packed(told.table)]
            database.execute("INSERT INTO followed VALUES (?, ?, ?, ?)", row)
        return told

    def _afford(self, database: sqlite3.Connection, site: str, months: Collection[str]) -> None:
        for month in sorted(months):
            if _spent(database, site, month) + self._rho > self._month + _CLOSE:
                after = date.fromisoformat(f"{month}-01") + timedelta(days=31)
                raise Refused(
                    409, "budget_spent", "of {month} at {site} no more funnels can be followed: as many"
                    " different ones were as tell of no single person. What was followed can be read again;"
                    " days from {after} on have an account of their own",
                    month=month, site=site, after=f"{after:%Y-%m}-01",
                )  # fmt: skip


def paid(data: Path) -> tuple[Paid, ...]:
    """Everything that was ever spent: what a restored copy of an older day must have spent, too."""
    if not (data / FILE).exists():
        return ()
    with reading(data) as one:
        if not one.execute("SELECT 1 FROM sqlite_master WHERE name = 'paid'").fetchone():
            return ()
        return tuple(Paid(*row) for row in one.execute("SELECT * FROM paid ORDER BY id, site, month"))


def spending(data: Path, month: float) -> list[Spent]:
    """Each account that anything was ever spent of; month: what it is good for."""
    costs = defaultdict[tuple[str, str], list[float]](list)
    for one in paid(data):
        costs[one.site, one.month].append(one.rho)
    return [
        Spent(
            site=site, month=at, limit=month, spent=sum(mine), left=max(month - sum(mine), 0.0),
            funnels=len(mine),
        )
        for (site, at), mine in sorted(costs.items())
    ]  # fmt: skip


def remember(data: Path, spent: Iterable[Paid]) -> None:
    """What was spent since the copy was made is spent in it, too, though its answers are not there."""
    rows = [*spent]
    if not rows:
        return
    with _database(data) as database, transaction(database):
        database.executemany("INSERT OR IGNORE INTO paid VALUES (?, ?, ?, ?)", rows)


@contextmanager
def _database(data: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(data / FILE, timeout=30, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.executescript(_TABLES)
        yield database


def _told(database: sqlite3.Connection, question: str) -> Told | None:
    row = database.execute("SELECT at, days, rows FROM followed WHERE question = ?", [question]).fetchone()
    return None if row is None else Told(row[0], row[1], unpacked(row[2]))


def _spent(database: sqlite3.Connection, site: str, month: str) -> float:
    found = database.execute(
        "SELECT coalesce(sum(rho), 0) FROM paid WHERE site = ? AND month = ?", [site, month]
    ).fetchone()
    return float(found[0])
