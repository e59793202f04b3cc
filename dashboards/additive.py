"""Rows that add up to their total on a page: what they lack of it, or have too much, is a line of its own.

A total is a number of another report, moved by itself, so rows that were moved one by one don't add up to it.
No row is bent: a number is the same on every page, in every table and in SQL. The line between them holds
what was moved, and what is in no row as it is of too few people. It is the difference of two published
numbers, so nobody learns more by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from dashboards.period import Period
from warehouse import report as reports
from warehouse.reader import Reading


class Footing(Struct, frozen=True):
    """The last lines of a table, by column: `rows`, all of them added up, listed or not; `rest`, what makes
    them the total; `total`. A column without a total of the same name has none. of, title: the report that
    has the total."""

    of: str
    title: str
    rows: dict[str, int]
    rest: dict[str, int]
    total: dict[str, int]


def footing(
    reading: Reading, name: str, site: str, period: Period, rows: Sequence[Mapping[str, Any]]
) -> Footing | None:
    """Of a report's rows over a period, where another report has their total by day; None where none has.
    People have none: somebody may be in several rows, and would be added up more than once."""
    known = reports.load()
    report = known.get(name)
    of = (
        next((known[one] for one in report.total if known[one].keys == ("site", "day")), None)
        if report
        else None
    )
    if report is None or of is None or of.name not in reading.tables or not rows:
        return None
    shared = [one for one in report.sums if one in of.sums]
    if not shared:
        return None
    sums = ", ".join(f"sum({one})::BIGINT AS {one}" for one in shared)
    (found,) = reading.rows(
        f"SELECT {sums} FROM {of.name} WHERE site = ? AND day BETWEEN ? AND ?",
        [site, period.first, period.last],
    )
    if any(value is None for value in found.values()):
        return None
    added = {one: sum(row[one] or 0 for row in rows) for one in shared}
    rest = {one: found[one] - added[one] for one in shared}
    return Footing(of=of.name, title=of.title, rows=added, rest=rest, total=found)
