"""Which days a page is about: a preset or two dates, and the days of the same length before them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from consent_filter.errors import Refused

PRESETS = {"today": 1, "7": 7, "28": 28, "90": 90}
_LONGEST = 800


class Period(NamedTuple):
    """First and last day, both included; `name` is the preset, or "custom"."""

    first: date
    last: date
    name: str

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def before(self) -> Period:
        """As many days, ending where this begins."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1), "before")


def read(chosen: str | None, first: str | None, last: str | None, newest: date) -> Period:
    """The period of a page's query. Presets end at the newest day there is. Raises Refused."""
    if first or last:
        try:
            one, two = date.fromisoformat(first or ""), date.fromisoformat(last or "")
        except ValueError:
            raise Refused(400, "period", "first and last are dates, e.g. 2026-11-23") from None
        if not 0 <= (two - one).days <= _LONGEST:
            raise Refused(400, "period", f"last is after first, and at most {_LONGEST} days after")
        return Period(one, two, "custom")
    name = chosen if chosen in PRESETS else "7"
    return Period(newest - timedelta(days=PRESETS[name] - 1), newest, name)
