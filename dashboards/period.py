"""Which days a page is about: a preset or two dates, and the days of the same length before them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import NamedTuple

from consent_filter.errors import Refused

#: Name in the address → days, and what it is called.
PRESETS = {"day": 1, "7": 7, "28": 28, "90": 90}
_LONGEST = 800


class Period(NamedTuple):
    """First and last day, both included; `name` is the preset, or "custom"."""

    first: date
    last: date
    name: str

    @property
    def days(self) -> int:
        """How many days, at least 1."""
        return (self.last - self.first).days + 1

    @property
    def query(self) -> dict[str, str]:
        """The same period in an address."""
        if self.name == "custom":
            return {"first": self.first.isoformat(), "last": self.last.isoformat()}
        return {"period": self.name}

    def before(self) -> Period:
        """As many days, ending where this begins."""
        return Period(self.first - timedelta(days=self.days), self.first - timedelta(days=1), "before")

    def all(self) -> list[date]:
        """Each day."""
        return [self.first + timedelta(days=i) for i in range(self.days)]


def read(query: Mapping[str, str], oldest: date, newest: date) -> Period:
    """The period of a page's address. Presets end at the newest day there is. Raises Refused.

    Without one: as many days as there are, of the presets; a new site begins with its first day, by hours.
    """
    first, last = query.get("first"), query.get("last")
    if first or last:
        try:
            one, two = date.fromisoformat(first or last or ""), date.fromisoformat(last or first or "")
        except ValueError:
            raise Refused(400, "period", "first and last are dates, e.g. 2026-11-23") from None
        if not 0 <= (two - one).days < _LONGEST:
            raise Refused(400, "period", f"last is not before first, and less than {_LONGEST} days after it")
        return Period(one, two, "custom")
    span = (newest - oldest).days + 1
    usual = "day" if span < 3 else "7" if span < 14 else "28"
    name = query.get("period", usual)
    if name not in PRESETS:
        raise Refused(400, "period", f"period is one of {', '.join(PRESETS)}; or give first and last")
    return Period(newest - timedelta(days=PRESETS[name] - 1), newest, name)
