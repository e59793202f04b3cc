"""A period that a release is about: a month, a quarter or a year of the site's own days."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import NamedTuple

from consent_filter.errors import Refused

_WRITTEN = re.compile(r"(\d{4})(?:-(?:Q([1-4])|(0[1-9]|1[0-2])))?")


class Period(NamedTuple):
    """From `first` to `last`, both included."""

    name: str
    first: date
    last: date

    @property
    def months(self) -> tuple[str, ...]:
        """The months in it, as `2026-09`: what a person's budget is counted by (S9)."""
        found, at = [], self.first
        while at <= self.last:
            found.append(f"{at:%Y-%m}")
            at = _after(at)
        return tuple(found)

    @property
    def before(self) -> Period:
        """The same period a year ago."""
        return read(f"{self.first.year - 1:04d}{self.name[4:]}")

    def closed(self, today: date, days: int) -> bool:
        """Whether it is over, and `days` more, in which late events may still come."""
        return today > self.last + timedelta(days=days)


def read(name: str) -> Period:
    """`2026`, `2026-Q3` or `2026-09`. Raises Refused for anything else."""
    found = _WRITTEN.fullmatch(name)
    if not found or int(found[1]) < 1970:
        raise Refused(400, "period", "a period is a year, a quarter or a month: 2026, 2026-Q3, 2026-09")
    year, quarter, month = int(found[1]), found[2], found[3]
    begins = int(month) if month else (int(quarter) - 1) * 3 + 1 if quarter else 1
    first = last = date(year, begins, 1)
    for _ in range(1 if month else 3 if quarter else 12):
        last = _after(last)
    return Period(name, first, last - timedelta(days=1))


def _after(first: date) -> date:
    """The first day of the month after."""
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1)
