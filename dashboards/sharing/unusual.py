"""Whether a day is unusual for its weekday, and whether a number is over a line: what alerts judge by.

A week has its own shape, so a day is compared with the same weekday of the weeks before. The middle of these
is their median, and their spread the median distance from it (MAD): a feast or a broken day among them moves
neither. What release has moved a number by is allowed for on top, so that noise alone is never an alert; a
day that is not published, as too few were there, is no zero and no alert.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from statistics import median
from typing import NamedTuple

#: Weeks that are looked back, and how many of them must have the day.
WEEKS, LEAST = 8, 4
#: A normal distribution's standard deviation is 1.4826 MAD (Rousseeuw and Croux, 1993); so many of them are
#: usual. With eight weeks 3.5 (Iglewicz and Hoaglin, 1993) is about one day in five hundred.
_SCALE, LIMIT = 1.4826, 3.5
#: The kinds of alerts, and what they say.
KINDS = {"above": "more than", "below": "fewer than", "unusual": "unusual for its weekday"}


class Usual(NamedTuple):
    """What that weekday usually has: the middle, and the ends of what is not unusual."""

    middle: float
    low: float
    high: float


def usual(values: Mapping[date, float], day: date, moved: float) -> Usual | None:
    """Of the same weekday before. moved: the most that release moves a number by. None where too few weeks
    have that day."""
    past = [values[one] for n in range(1, WEEKS + 1) if (one := day - timedelta(weeks=n)) in values]
    if len(past) < LEAST:
        return None
    middle = median(past)
    spread = _SCALE * median(abs(value - middle) for value in past)
    # As many people as n come and go by about its root from week to week, even where nothing has changed.
    reach = LIMIT * max(spread, max(middle, 0.0) ** 0.5) + moved
    return Usual(middle, max(middle - reach, 0.0), middle + reach)


def judged(
    kind: str, line: float, values: Mapping[date, float], day: date, moved: float
) -> tuple[bool, Usual | None]:
    """Whether that day is an alert, and what would have been usual. False where the day is not published."""
    if day not in values:
        return False, None
    value, expected = values[day], usual(values, day, moved)
    match kind:
        case "above":
            return value - moved > line, expected
        case "below":
            return value + moved < line, expected
    return expected is not None and not expected.low <= value <= expected.high, expected
