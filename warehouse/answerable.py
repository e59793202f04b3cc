"""Which sites and days may be asked about: those that are published, and over in every time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from consent_filter.errors import Refused
from warehouse.question import USUAL
from warehouse.reader import Reading

#: A day is over in every time zone when it is over twelve hours west of Greenwich.
_WEST = timedelta(hours=12)


def sites(reading: Reading) -> list[str]:
    """Those that something is published of, the largest first. Raises Refused where there are none."""
    found = reading.rows("SELECT site FROM traffic_day GROUP BY site ORDER BY sum(views) DESC, site")
    if not found:
        raise Refused(404, "nothing_published", "nothing is published yet")
    return [row["site"] for row in found]


def over(reading: Reading, site: str, now: float) -> tuple[str, list[date]]:
    """The site asked about (the largest, where none is named), and its days, in their order. now: seconds
    since 1970. Raises Refused where there are none."""
    there = sites(reading)
    if site and site not in there:
        raise Refused(404, "no_such_site", "nothing is published of that site")
    chosen, today = site or there[0], (datetime.fromtimestamp(now, UTC) - _WEST).date()
    rows = reading.rows(
        "SELECT DISTINCT day FROM traffic_day WHERE site = ? AND day < ? ORDER BY day", [chosen, today]
    )
    if not rows:
        raise Refused(404, "nothing_over", "no day of this site is over and published yet")
    return chosen, [row["day"] for row in rows]


def usual(days: list[date]) -> list[date]:
    """Of such days those that a question is of which names none."""
    return [day for day in days if (days[-1] - day).days < USUAL]


def anew(reading: Reading, site: str) -> dict[date, float]:
    """When each day was published last as it is now (seconds since 1970)."""
    rows = reading.rows(
        "SELECT day, max(epoch(made_at)) AS at FROM restatements WHERE site = ? GROUP BY day", [site]
    )
    return {row["day"]: row["at"] for row in rows}
