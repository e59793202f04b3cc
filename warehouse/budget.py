"""One account of what may be given away of the people of each month, over all that leaves the house (S9).

    DATA/releases/budget.sqlite

An account is of a site and a month: what was ever drawn of rows about that month. Costs of zCDP add up, so
that the sum over all months is what anybody may lose who is in all of them. A cost is on the disk before the
first noise is drawn: a draft that was killed has spent its money, and what it drew is nobody's. What leaves
without noise that has an epsilon is entered beside it (`exits.py`).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from consent_filter.database import opened, transaction
from consent_filter.errors import Broken, Refused
from warehouse.draft import folder
from warehouse.release_settings import Release

FILE = "budget.sqlite"
#: What a draft is until it lies there wholly, then, and if it never will.
RESERVED, MADE, LOST = "reserved", "made", "lost"
TABLES = """
CREATE TABLE IF NOT EXISTS release (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE, request TEXT, state TEXT, at REAL
);
CREATE TABLE IF NOT EXISTS spent (
    id TEXT, site TEXT, month TEXT, rho REAL, delta REAL, PRIMARY KEY (id, site, month)
);
CREATE TABLE IF NOT EXISTS told (
    site TEXT, month TEXT, report TEXT, number TEXT, figures INTEGER,
    PRIMARY KEY (site, month, report, number)
) WITHOUT ROWID;
"""
_CLOSE = 1e-9
Database = sqlite3.Connection


class Cost(Struct, frozen=True):
    """zCDP, and the chance that private selection shows what it should not."""

    rho: float
    delta: float


class Spent(NamedTuple):
    """What one draft has spent of an account; or a number of a report that has left, `report number`, and in
    how many `figures` one person is by it."""

    id: str
    site: str
    month: str
    rho: float
    delta: float
    figures: int = 0


class Account(Struct, frozen=True, kw_only=True):
    """One month of a site. by: draft → rho; left: what may still be spent on it, the year's limit minded.
    told: report → of how many numbers one person may be part by what has left of it; may_tell: of how many
    more (`exits.py`)."""

    site: str
    month: str
    limit: float
    spent: float
    delta: float
    by: dict[str, float]
    left: float
    told: dict[str, int] = {}
    may_tell: int = 0


def path(data: Path) -> Path:
    """Where the accounts are."""
    return data / "releases" / FILE


@contextmanager
def drafting(data: Path) -> Iterator[None]:
    """One draft at a time: who waits finds it made. Whatever was reserved before and is no draft is lost."""
    path(data).parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path(data).parent / "drafting.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        _settle(data)
        yield
    finally:
        os.close(file)


def made(data: Path, request: Sequence[object]) -> tuple[str | None, int]:
    """The newest draft of a request, if there is one; and how often it was begun."""
    with opened(path(data), TABLES) as database:
        rows = database.execute(
            "SELECT id, state FROM release WHERE request = ? ORDER BY number", [_text(request)]
        ).fetchall()
    return next((name for name, state in reversed(rows) if state == MADE), None), len(rows)


def reserve(
    data: Path,
    name: str,
    request: Sequence[object],
    costs: Mapping[tuple[str, str], Cost],
    settings: Release,
    now: float,
) -> None:
    """Spend, for good, before anything is drawn. Raises Refused where an account has not that much left."""
    with opened(path(data), TABLES) as database, transaction(database):
        _afford(database, costs, settings)
        database.execute(
            "INSERT INTO release (id, request, state, at) VALUES (?, ?, ?, ?)",
            [name, _text(request), RESERVED, now],
        )
        database.executemany(
            "INSERT INTO spent VALUES (?, ?, ?, ?, ?)",
            [(name, *account, cost.rho, cost.delta) for account, cost in sorted(costs.items())],
        )


def afford(data: Path, costs: Mapping[tuple[str, str], Cost], settings: Release) -> None:
    """Raises Refused where it would be refused now: asked before long work, and `reserve` asks again."""
    with opened(path(data), TABLES) as database:
        _afford(database, costs, settings)


def settle(data: Path, name: str) -> None:
    """The draft lies there."""
    with opened(path(data), TABLES) as database, transaction(database):
        if not database.execute("UPDATE release SET state = ? WHERE id = ?", [MADE, name]).rowcount:
            raise Broken(f"the draft {name} has not been paid for")


def accounts(data: Path, settings: Release) -> list[Account]:
    """Every month of which anything has ever left. Asking makes no file."""
    if not path(data).exists():
        return []
    with opened(path(data), TABLES) as database:
        rows = database.execute("SELECT site, month, id, rho, delta FROM spent ORDER BY 1, 2, 3").fetchall()
        left = database.execute(
            "SELECT site, month, report, sum(figures) FROM told GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
        ).fetchall()
    found: dict[tuple[str, str], dict[str, Cost]] = {}
    told: dict[tuple[str, str], dict[str, int]] = {}
    years: dict[tuple[str, str], float] = {}
    for site, month, name, rho, delta in rows:
        found.setdefault((site, month), {})[name] = Cost(rho, delta)
        years[site, month[:4]] = years.get((site, month[:4]), 0.0) + rho
    for site, month, report, figures in left:
        told.setdefault((site, month), {})[report] = figures
    return [
        Account(
            site=site, month=month, limit=settings.rho_month,
            spent=(spent := sum(cost.rho for cost in by.values())),
            delta=sum(cost.delta for cost in by.values()), by={name: cost.rho for name, cost in by.items()},
            left=max(min(settings.rho_month - spent, settings.rho_year - years.get((site, month[:4]), 0)), 0),
            told=(out := told.get((site, month), {})),
            may_tell=max(settings.figures_month - sum(out.values()), 0),
        )
        for site, month in sorted({*found, *told})
        for by in (found.get((site, month), {}),)
    ]  # fmt: skip


def spending(data: Path) -> tuple[Spent, ...]:
    """Everything that was ever spent, to be kept beside backups: an older copy must not have it to spend
    again (S9)."""
    if not path(data).exists():
        return ()
    with opened(path(data), TABLES) as database:
        rows = database.execute(
            "SELECT id, site, month, rho, delta, 0 FROM spent UNION ALL SELECT report || ' ' || number, site,"
            " month, 0.0, 0.0, figures FROM told ORDER BY 1, 2, 3"
        ).fetchall()
    return tuple(Spent(*row) for row in rows)


def remember(data: Path, spent: Iterable[Spent]) -> None:
    """What was spent since the copy was made is spent in it, too; the drafts it went for are not there."""
    with opened(path(data), TABLES) as database, transaction(database):
        for one in spent:
            if one.figures:
                told = (one.site, one.month, *one.id.split(" "), one.figures)
                database.execute("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?)", told)
                continue
            database.execute(
                "INSERT OR IGNORE INTO release (id, request, state, at) VALUES (?, '', ?, 0)", [one.id, LOST]
            )
            database.execute("INSERT OR IGNORE INTO spent VALUES (?, ?, ?, ?, ?)", one[:5])


def states(data: Path) -> dict[str, str]:
    """What became of each release that was ever paid for, in that order."""
    if not path(data).exists():
        return {}
    with opened(path(data), TABLES) as database:
        return dict(database.execute("SELECT id, state FROM release ORDER BY number").fetchall())


def _settle(data: Path) -> None:
    """After a kill: what lies there is made, what doesn't is lost. Raises Broken where a draft was never paid
    for: the accounts are not those of this folder."""
    there = {file.parent.name for file in folder(data).glob("*/draft.json")}
    with opened(path(data), TABLES) as database, transaction(database):
        known = dict(database.execute("SELECT id, state FROM release").fetchall())
        if there - known.keys():
            raise Broken("drafts lie there that the accounts don't know: budget.sqlite is not theirs")
        for name, state in known.items():
            if state == RESERVED:
                database.execute(
                    "UPDATE release SET state = ? WHERE id = ?", [MADE if name in there else LOST, name]
                )
                if name not in there:  # what was drawn of it is nobody's
                    shutil.rmtree(folder(data) / name, ignore_errors=True)


def _afford(database: sqlite3.Connection, costs: Mapping[tuple[str, str], Cost], settings: Release) -> None:
    for (site, month), cost in sorted(costs.items()):
        year = sum(one.rho for (at, of), one in costs.items() if at == site and of[:4] == month[:4])
        for what, limit, asked, after in (
            (month, settings.rho_month, cost.rho, "the months that follow have accounts of their own"),
            (month[:4], settings.rho_year, year, f"that of {int(month[:4]) + 1} is the next"),
        ):
            spent = _sum(database, site, what + "%")
            if spent + asked > limit + _CLOSE:
                raise Refused(
                    409,
                    "budget_spent",
                    f"of the budget of {what} at {site} {max(limit - spent, 0):.4f} of {limit:g} is left, and"
                    f" this costs {asked:.4f} (rho). What was spent of it does not come back; {after}. See:"
                    " throng release budget",
                )


def _sum(database: sqlite3.Connection, site: str, month: str) -> float:
    found = database.execute(
        "SELECT coalesce(sum(rho), 0) FROM spent WHERE site = ? AND month LIKE ?", [site, month]
    ).fetchone()
    return float(found[0])


def _text(request: Sequence[object]) -> str:
    return msgspec.json.encode(request).decode()
