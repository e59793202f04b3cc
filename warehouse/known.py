"""What recipients know: every figure that was delivered to each, and what would follow from more (S8).

    DATA/releases/figures.sqlite

Only added to. It holds published figures and recipients' names: of nobody who was counted there is anything
in it, so that an erasure has nothing to look for here.

Figures with noise count with it (`attack/subtract.py`): a difference of two is a finding only where the noise
of both does not cover it. That the noise protects each person is the budget's affair; the solver looks at
what is left between figures that overlap, whatever was paid for them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from consent_filter.database import opened, transaction
from warehouse.attack.evidence import Finding
from warehouse.attack.figures import Figure
from warehouse.attack.subtract import subtract

_TABLES = """
CREATE TABLE IF NOT EXISTS figures (
    n INTEGER PRIMARY KEY, recipient TEXT NOT NULL, release TEXT NOT NULL, at INTEGER NOT NULL,
    figure BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS figures_of ON figures (recipient);
CREATE TRIGGER IF NOT EXISTS figures_update BEFORE UPDATE ON figures
    BEGIN SELECT RAISE(ABORT, 'what was delivered stays delivered'); END;
CREATE TRIGGER IF NOT EXISTS figures_delete BEFORE DELETE ON figures
    BEGIN SELECT RAISE(ABORT, 'what was delivered stays delivered'); END;
"""


def file(data: Path) -> Path:
    """Where it is."""
    return data / "releases" / "figures.sqlite"


class Figures:
    """The open file."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    @staticmethod
    @contextmanager
    def open(data: Path) -> Iterator[Figures]:
        """That of a data folder, made if there is none."""
        with opened(file(data), _TABLES) as database:
            yield Figures(database)

    def held(self, recipients: Iterable[str]) -> list[Figure]:
        """All that any of these has, each figure once: of a coalition, what they have together."""
        found: dict[Figure, None] = {}
        for name in dict.fromkeys(recipients):
            for (text,) in self._database.execute(
                "SELECT figure FROM figures WHERE recipient = ? ORDER BY n", [name]
            ):
                found[msgspec.json.decode(text, type=Figure)] = None
        return list(found)

    def would(self, recipients: Sequence[str], new: Sequence[Figure], k: int) -> list[Finding]:
        """What follows about fewer than k people once these recipients, who may talk, have these figures,
        too; of that, what does not follow from what they have already. None: it may be delivered."""
        have = _touching(self.held(recipients), new)
        before = set(subtract(have, k)) if have else set()
        return [one for one in subtract([*have, *new], k) if one not in before]

    def fitting(
        self, recipients: Sequence[str], tables: Mapping[str, Sequence[Figure]], k: int
    ) -> tuple[list[str], list[Finding]]:
        """Tables that may be delivered together, and why the others may not: the coarser pack.

        One after the other, in the order given: a table is left out if with it something follows.
        """
        kept: list[str] = []
        why: list[Finding] = []
        for name in tables:
            figures = [figure for one in (*kept, name) for figure in tables[one]]
            found = self.would(recipients, figures, k)
            if found:
                why += found
            else:
                kept.append(name)
        return kept, why

    def note(self, recipient: str, release: str, figures: Iterable[Figure]) -> int:
        """Write down that a recipient has these, all or none. How many are new to that recipient."""
        known = set(self.held([recipient]))
        now = time.time_ns() // 1_000_000
        rows = [
            (recipient, release, now, msgspec.json.encode(one))
            for one in dict.fromkeys(figures)
            if one not in known
        ]
        with transaction(self._database):
            self._database.executemany(
                "INSERT INTO figures (recipient, release, at, figure) VALUES (?, ?, ?, ?)", rows
            )
        return len(rows)


def _touching(held: Sequence[Figure], new: Sequence[Figure]) -> list[Figure]:
    """Those of the figures that can have to do with the new ones: of the same numbers and sites."""
    measures = {one.measure for one in new}
    sites = {site for one in new for site in one.sites}
    return [one for one in held if one.measure in measures and sites.intersection(one.sites)]
