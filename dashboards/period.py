"""Which days a page is about, in stretches of what length, and which days they are compared with."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from consent_filter.errors import Refused
from dashboards import words

#: Name in the address → days, and what it is called.
PRESETS = {"day": 1, "7": 7, "28": 28, "90": 90, "365": 365}
#: Stretches that a curve can be told in; and what a period can be compared with.
GRAINS = ("hour", "day", "week", "month")
COMPARED = ("before", "year", "no")
_LONGEST = 1_500
#: Days of which hours can be told one beside the other, and above which weeks say more than days.
MOST_HOURS, _MANY = 7, 120


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

    @property
    def whole_months(self) -> int:
        """How many calendar months it is; 0 where it begins or ends within one."""
        if self.first.day != 1 or self.last.day != monthrange(self.last.year, self.last.month)[1]:
            return 0
        return 12 * (self.last.year - self.first.year) + self.last.month - self.first.month + 1

    def before(self) -> Period:
        """As many days, ending where this begins; of whole months as many months."""
        last = self.first - timedelta(days=1)
        if months := self.whole_months:
            return Period(_month(self.first, -months), last, "before")
        return Period(self.first - timedelta(days=self.days), last, "before")

    def year_before(self, *, months: bool = False) -> Period:
        """The days 52 weeks before, so that each is compared with the same weekday: a Monday with a Monday.
        In stretches of `months`, the same dates of the year before, as a month is a month."""
        if months or self.whole_months:
            ends = self.last + timedelta(days=1)
            return Period(_year(self.first), _year(ends) - timedelta(days=1), "year")
        year = timedelta(weeks=52)
        return Period(self.first - year, self.last - year, "year")

    def all(self) -> list[date]:
        """Each day."""
        return [self.first + timedelta(days=i) for i in range(self.days)]

    def until(self, last: date) -> Period | None:
        """What of it is not after that day; None where nothing is."""
        return self if last >= self.last else self._replace(last=last) if last >= self.first else None


class Stretch(NamedTuple):
    """A part of a period that is one point of a curve. cut: it would be longer, but the period ends there."""

    begins: date
    label: str
    cut: bool = False


def stretches(period: Period, grain: str) -> list[Stretch]:
    """The days, weeks (Monday to Sunday) or months of a period, the first and last cut where it cuts them."""
    days, form = period.all(), "day" if period.days > 7 else "weekday"
    if grain == "day":
        return [Stretch(day, words.day(day, form)) for day in days]
    begins = begin_of(grain)
    found = []
    for one in sorted({begins(day) for day in days}):
        ends = (one + timedelta(days=7) if grain == "week" else _month(one, 1)) - timedelta(days=1)
        label = words.day(one, "day" if grain == "week" else "month")
        found.append(Stretch(one, label, one < period.first or ends > period.last))
    return found


def begin_of(grain: str) -> Callable[[date], date]:
    """Which stretch a day is in, by its first day."""
    if grain == "month":
        return lambda day: day.replace(day=1)
    return monday if grain == "week" else lambda day: day


def monday(day: date) -> date:
    """The first day of its week."""
    return day - timedelta(days=day.weekday())


def grain_of(query: Mapping[str, str], period: Period) -> str:
    """The grain of an address; without one hours of a day, weeks of many days, else days. Raises Refused."""
    grain = query.get("grain", "")
    if not grain:
        return "hour" if period.days == 1 else "week" if period.days > _MANY else "day"
    if grain not in GRAINS:
        raise Refused(400, "grain", "grain is one of {grains}", grains=", ".join(GRAINS))
    if grain == "hour" and period.days > MOST_HOURS:
        return "day"  # a longer period was chosen with the grain of a shorter one
    return grain


def compared(query: Mapping[str, str], period: Period, grain: str) -> Period | None:
    """The days that an address wants them compared with; None where with none. Raises Refused."""
    how = query.get("compare", "before")
    if how not in COMPARED:
        raise Refused(400, "compare", "compare is one of {compared}", compared=", ".join(COMPARED))
    if how == "no":
        return None
    return period.before() if how == "before" else period.year_before(months=grain == "month")


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
        # Comparisons need days before them.
        if not 0 <= (two - one).days < _LONGEST or one.year < 1980 or two.year > 9998:
            raise Refused(
                400,
                "period",
                "last is not before first, and less than {longest} days after it",
                longest=_LONGEST,
            )
        return Period(one, two, "custom")
    span = (newest - oldest).days + 1
    usual = "day" if span < 3 else "7" if span < 14 else "28"
    name = query.get("period", usual)
    if name not in PRESETS:
        raise Refused(
            400, "period", "period is one of {presets}; or give first and last", presets=", ".join(PRESETS)
        )
    return Period(newest - timedelta(days=PRESETS[name] - 1), newest, name)


def _month(day: date, months: int) -> date:
    """The first day of the month so many months later."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


def _year(day: date) -> date:
    """The same date a year before; of 29 February the 28th."""
    return day.replace(year=day.year - 1, day=28 if (day.month, day.day) == (2, 29) else day.day)
