"""Closed accounts: whose they were, by pseudonym, since when, and for what anything stays (M78, M82).

Closing ends every optional purpose in the ledger; here stands only what looking after facts needs to know.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.database import opened, transaction
from consent_filter.errors import Misconfigured
from consent_filter.retention import CLASSES

FILE = "closed.sqlite"
_TABLE = """
CREATE TABLE IF NOT EXISTS closed (
  person INTEGER PRIMARY KEY, site TEXT NOT NULL, classes TEXT NOT NULL, since INTEGER NOT NULL
)
"""


class Account(NamedTuple):
    """A pseudonym of a closed account. `since`: the UTC day on which it was closed."""

    person: int
    site: str
    classes: tuple[str, ...]
    since: date


class Closed:
    """The closed accounts of a data folder."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @classmethod
    @contextmanager
    def open(cls, data: Path) -> Iterator[Closed]:
        """DATA/closed.sqlite, made if there is none."""
        with opened(data / FILE, _TABLE) as database:
            yield cls(database)

    def close(self, persons: NDArray[np.uint64], site: str, classes: Collection[str], now: int) -> None:
        """Note, durably, that these were an account's, closed now (UTC ms). Said again, the first day stays
        and the reasons are the new ones. Raises Misconfigured for a class that is none."""
        for name in classes:
            if name not in CLASSES:
                raise Misconfigured("class", name, f"one of {', '.join(CLASSES)}")
        said = json.dumps(sorted(set(classes)))
        with transaction(self._database):
            self._database.executemany(
                "INSERT INTO closed VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET classes = excluded.classes",
                [(one, site, said, now) for one in np.asarray(persons, np.uint64).view(np.int64).tolist()],
            )

    def all(self) -> list[Account]:
        """All that are still remembered."""
        rows = self._database.execute("SELECT person, site, classes, since FROM closed ORDER BY 1").fetchall()
        return [
            Account(
                p % (1 << 64), site, tuple(json.loads(said)), datetime.fromtimestamp(ms / 1000, UTC).date()
            )
            for p, site, said, ms in rows
        ]

    def forget(self, persons: Collection[int]) -> None:
        """Of whom no row is left, nor will be."""
        signed = np.array(sorted(persons), np.uint64).view(np.int64).tolist()
        self._database.executemany("DELETE FROM closed WHERE person = ?", [(one,) for one in signed])


def _day(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def closed(data: Path) -> list[Account]:
    """The closed accounts of a data folder; makes no file."""
    if not (data / FILE).exists():
        return []
    with Closed.open(data) as accounts:
        return accounts.all()
