"""Numbers, times and changes of a pack in words: the same on paper, on the page and in the sheet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from dashboards import words
from warehouse.period import Period

_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
_QUARTERS = ("First", "Second", "Third", "Fourth")
AUDIENCES = {
    "investors": "Investor report",
    "advertiser": "Advertiser report",
    "partner": "Partner report",
    "research": "Research extract",
    "public": "Public figures",
}
#: Keys that are times.
TIMES = ("month", "begins", "week", "day", "quarter", "year")
_COLUMNS = {"people": "people", "fresh": "new", "begins": "week of", "done": "times", "cohort": "first seen"}


class Seen(NamedTuple):
    """A number and the interval that holds the exact one."""

    n: int
    low: int
    high: int


def span(period: Period) -> str:
    """`2026-Q3` as Third quarter of 2026."""
    year, _, part = period.name.partition("-")
    if not part:
        return f"The year {year}"
    if part.startswith("Q"):
        return f"{_QUARTERS[int(part[1]) - 1]} quarter of {year}"
    return f"{_MONTHS[int(part) - 1]} {year}"


def days(period: Period) -> str:
    """Its first and last day."""
    return f"{day(period.first)} to {day(period.last)}"


def day(when: date) -> str:
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"


def moment(at: float) -> str:
    """UTC seconds as a day."""
    return day(datetime.fromtimestamp(at, UTC).date())


def column(name: str) -> str:
    """What a column is called."""
    return _COLUMNS.get(name) or words.column(name)


def value(key: str, said: object) -> str:
    """What stands for a key's value."""
    text = str(said)
    if key in ("month", "cohort") and len(text) == 7:
        return f"{_MONTHS[int(text[5:]) - 1][:3]} {text[:4]}"
    if key in ("begins", "week", "day") and len(text) == 10:
        return f"{int(text[8:])} {_MONTHS[int(text[5:7]) - 1][:3]} {text[:4]}"
    if key == "assuming":
        return {"none": "nothing", "alike": "they are alike"}.get(text, text)
    if key == "device" and text == "tv":
        return "TV"
    if key in ("step", "source", "device", "kind"):
        return text.replace("_", " ").capitalize()
    return words.value(key, said)


def whole(n: int) -> str:
    return f"{n:,}"


def interval(seen: Seen) -> str:
    return f"{seen.low:,} to {seen.high:,}"


def change(now: Seen, before: Seen | None) -> str:
    """How much more or less than before; where the noise could have made it, that it is not clear."""
    if before is None or not before.n:
        return ""
    if now.low <= before.high and before.low <= now.high:
        return "no clear change"
    share = 100 * (now.n - before.n) / before.n
    return f"{'+' if share > 0 else '−'}{abs(share):.1f} %"


def earlier(key: str, said: object) -> object:
    """The value of a key a year ago; a week's is 52 weeks ago, and what is no time stays."""
    text = str(said)
    if key in ("month", "cohort", "quarter", "year") and text[:4].isdigit():
        return f"{int(text[:4]) - 1:04d}{text[4:]}"
    if key in ("begins", "week") and len(text) == 10:
        return str(date.fromisoformat(text) - timedelta(days=364))
    if key == "day" and len(text) == 10:
        return str(date.fromisoformat(text) - timedelta(days=365))
    return said
