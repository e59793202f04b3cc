"""What has left the house in tables that cell keys move: the other half of a month's account (S9).

    DATA/releases/budget.sqlite

A bounded noise that is drawn once has no epsilon, so there is no sum of it with what was drawn for packs
(DECISIONS). What grows with every table that leaves is how many numbers one person may be part of, which
reconstruction lives on (Dinur and Nissim, PODS 2003). So an account holds that, too, has a limit for it, and
refuses when it is reached. It is a bound by the caps of the report, whoever was there.

The same number of a month counts once, whoever gets it: it is the same to the bit, and two who put together
what they have have nothing to average. It is on the disk before the first byte goes.
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from consent_filter.database import opened, transaction
from consent_filter.errors import Refused
from warehouse import budget
from warehouse.release_settings import Release
from warehouse.report import Report, load


class Exit(NamedTuple):
    """One number of a report in one month of a site, and in how many rows' numbers one person is at most."""

    site: str
    month: str
    report: str
    number: str
    figures: int


def figures(report: Report, month: str) -> int:
    """In how many rows of a month one person counts at most: in each of them in each number once."""
    year, number = map(int, month.split("-"))
    return (report.caps["cells"] if report.rest else 1) * monthrange(year, number)[1]


def inside(month: str) -> int:
    """The same of all numbers of all reports by day: what is published for pages and queries is all of it."""
    return sum(
        figures(one, month) * (1 + len(one.sums))
        for one in load().values()
        if one.people and one.grain == "day"
    )


def leave(data: Path, settings: Release, tables: Mapping[str, pa.Table], site: str = "") -> None:
    """Enter these rows of reports, by name, into the accounts of their months, before they are sent. `site`:
    where rows do not say whose they are. Raises Refused, and then nothing is entered:
    none of it may leave."""
    enter(data, settings, [one for name, table in tables.items() for one in _numbers(name, table, site)])


def _numbers(name: str, table: pa.Table, site: str) -> Iterable[Exit]:
    report = load()[name]
    if not table.num_rows:
        return
    sites = table["site"].to_pylist() if "site" in table.column_names else [site] * table.num_rows
    days: Sequence[date] = table["day"].to_pylist()
    numbers = [one for one in table.column_names if one not in report.keys]
    for where, month in sorted({(at, f"{day:%Y-%m}") for at, day in zip(sites, days, strict=True)}):
        for number in numbers:
            yield Exit(where, month, name, number, figures(report, month))


def enter(data: Path, settings: Release, exits: Sequence[Exit]) -> None:
    """Raises Refused where a month has not that many left; what it knows already costs nothing."""
    if not exits:
        return
    with opened(budget.path(data), budget.TABLES) as database:
        held = "SELECT 1 FROM told WHERE site = ? AND month = ? AND report = ? AND number = ?"
        new = [one for one in dict.fromkeys(exits) if not database.execute(held, one[:4]).fetchone()]
        if not new:
            return
        with transaction(database):
            database.executemany("INSERT OR IGNORE INTO told VALUES (?, ?, ?, ?, ?)", new)
            for site, month in sorted({one[:2] for one in new}):
                (spent,) = database.execute(
                    "SELECT sum(figures) FROM told WHERE site = ? AND month = ?", [site, month]
                ).fetchone()
                if spent > settings.figures_month:
                    raise Refused(
                        409,
                        "budget_spent",
                        f"no more may be told outside of {month}: one person would be part of more than"
                        f" {settings.figures_month:,} numbers. What was told does not come back; the months"
                        " that follow have accounts of their own. See: throng release budget",
                    )
