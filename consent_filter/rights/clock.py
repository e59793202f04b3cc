"""The statutory clock: when an answer is due (GDPR Art. 12(3); Regulation 1182/71 Art. 3; M117).

A period of months ends with the last hour of the day that has the number of the day on which the request came
(the last of the month where there is none); if that is a Saturday, a Sunday or a public holiday, with the
next working day. Days are the site's own. While identity is asked for the clock stands, in whole days, so
that nobody gains a part of one (EDPB guidelines 01/2022, 157–160).
"""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

#: Months to answer, and those by which they may be extended.
MONTHS, FURTHER = 1, 2


def day(zone: str, at: int) -> date:
    """The site's day of a moment (UTC milliseconds)."""
    # From seconds: milliseconds as a float may be rounded up into the next day.
    return datetime.fromtimestamp(at // 1000, UTC).astimezone(ZoneInfo(zone)).date()


def begin(zone: str, of: date) -> int:
    """When that day begins there (UTC milliseconds); also where midnight is left out."""
    return int(datetime(of.year, of.month, of.day, tzinfo=ZoneInfo(zone)).timestamp()) * 1000


def months(after: date, n: int) -> date:
    """The same day n months on, or the last of that month."""
    year, month = divmod(after.year * 12 + after.month - 1 + n, 12)
    return date(year, month + 1, min(after.day, monthrange(year, month + 1)[1]))


def due(zone: str, received: int, *, extended: bool, stood: int, holidays: Collection[date] = ()) -> int:
    """The first moment at which an answer is late (UTC milliseconds). stood: days that the clock stood."""
    last = months(day(zone, received), MONTHS + FURTHER * extended) + timedelta(days=stood)
    while last.weekday() > 4 or last in holidays:
        last += timedelta(days=1)
    return begin(zone, last + timedelta(days=1))


def between(zone: str, start: int, end: int) -> int:
    """Whole days that the clock stood."""
    return max((day(zone, end) - day(zone, start)).days, 0)
