"""What the suites have found, over time: DATA/published/validation/runs.sqlite and the pages beside it.

A run that finds what the run before it found is not noted again within the hour, or a busy day would be ten
thousand lines that say nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from consent_filter.database import opened, transaction
from warehouse.checks.expectations import Outcome

FILE = "runs.sqlite"
EVERY = 3600.0
#: Runs that are kept; and pages of those that found something.
KEPT, PAGES = 5_000, 50
_TABLES = """
CREATE TABLE IF NOT EXISTS runs (
    at REAL NOT NULL, suite TEXT NOT NULL, stop INTEGER NOT NULL, looked INTEGER NOT NULL,
    seconds REAL NOT NULL, failures TEXT NOT NULL, page TEXT);
CREATE TABLE IF NOT EXISTS seen (file TEXT PRIMARY KEY);
"""


def note(docs: Path, outcome: Outcome, now: float) -> None:
    """Write a run down, and keep its page where it found something."""
    with opened(docs / FILE, _TABLES) as database:
        last = database.execute(
            "SELECT at, failures FROM runs WHERE suite = ? ORDER BY at DESC LIMIT 1", [outcome.suite]
        ).fetchone()
        said = json.dumps(outcome.failures)
        if last and last[1] == said and now - last[0] < EVERY:
            return
        page = _keep(docs, outcome, now) if outcome.failures else None
        with transaction(database):
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, ?)",
                [now, outcome.suite, outcome.stop, outcome.looked, outcome.seconds, said, page],
            )
            database.execute(
                "DELETE FROM runs WHERE at <= (SELECT at FROM runs ORDER BY at DESC LIMIT 1 OFFSET ?)", [KEPT]
            )


def _keep(docs: Path, outcome: Outcome, now: float) -> str | None:
    if outcome.docs is None:
        return None
    pages = docs / "pages"
    pages.mkdir(exist_ok=True)
    name = f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{Path(outcome.docs).name}"
    (pages / name).unlink(missing_ok=True)
    os.link(outcome.docs, pages / name)
    for old in sorted(pages.iterdir())[:-PAGES]:
        old.unlink()
    return f"pages/{name}"


def past(docs: Path, most: int = 200) -> list[dict[str, Any]]:
    """The latest runs first: at (UTC seconds), suite, stop, looked, seconds, failures, page (or None)."""
    if not (docs / FILE).exists():
        return []
    with opened(docs / FILE, _TABLES) as database:
        database.row_factory = sqlite3.Row
        rows = database.execute("SELECT * FROM runs ORDER BY at DESC, suite LIMIT ?", [most]).fetchall()
    return [dict(row) | {"failures": json.loads(row["failures"]), "stop": bool(row["stop"])} for row in rows]


def latest(docs: Path) -> list[dict[str, Any]]:
    """The last run of each suite."""
    found: dict[str, dict[str, Any]] = {}
    for one in past(docs, KEPT):
        found.setdefault(one["suite"], one)
    return sorted(found.values(), key=lambda one: str(one["suite"]))


def last(docs: Path, suite: str) -> float:
    """When a suite was noted last, in UTC seconds; 0 if never."""
    if not (docs / FILE).exists():
        return 0.0
    with opened(docs / FILE, _TABLES) as database:
        ((at,),) = database.execute("SELECT coalesce(max(at), 0) FROM runs WHERE suite = ?", [suite])
    return float(at)


def seen(docs: Path) -> set[str]:
    """Names of files of facts that were looked at and found good."""
    if not (docs / FILE).exists():
        return set()
    with opened(docs / FILE, _TABLES) as database:
        return {name for (name,) in database.execute("SELECT file FROM seen")}


def saw(docs: Path, files: Iterable[str], there: Iterable[str]) -> None:
    """Remember good files; forget those that are not `there` any more."""
    with opened(docs / FILE, _TABLES) as database, transaction(database):
        gone = {name for (name,) in database.execute("SELECT file FROM seen")} - set(there)
        database.executemany("DELETE FROM seen WHERE file = ?", [(name,) for name in gone])
        database.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(name,) for name in files])
