"""The security officer's page: which networks spiked, day by day, and who has looked (M44).

The same rows as programs get as JSON. A network is a hash of its day, so that nothing goes on over midnight:
what spiked on two days stands there twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from consent_filter.security import Look, Network
from dashboards import charts, words
from dashboards.language import say
from dashboards.pages import Pages

#: Networks of a day that are shown; the JSON has all.
_MOST = 50


class Spiking(NamedTuple):
    """A network of one day: its hours, from the first to the last, its events, and the most in minutes."""

    network: str
    first: datetime
    last: datetime
    hours: int
    events: int
    peak: int


def page(pages: Pages, rows: Sequence[Network], looked: Iterable[Look]) -> str:
    """`rows`: all that is kept. `looked`: who has looked, the newest first."""
    days = by_day(rows)
    shown = [
        {"day": day, "networks": found[:_MOST], "more": len(found) - len(found[:_MOST])}
        for day, found in days.items()
    ]
    newest = list(days.items())[:14][::-1]
    chart = charts.columns(
        [words.day(day, "day") for day, _ in newest],
        [len(found) for _, found in newest],
        say("Networks that spiked"),
    )
    said: dict[str, Any] = {
        "days": shown, "chart": chart if len(newest) > 1 else "", "networks": sum(map(len, days.values())),
        "events": sum(row.events for row in rows),
        "looks": [(datetime.fromtimestamp(one.moment, UTC), one.name, one.rows) for one in looked],
    }  # fmt: skip
    return pages.page("security.html", "security", title=say("Networks that spiked"), **said)


def by_day(rows: Iterable[Network]) -> dict[datetime, list[Spiking]]:
    """Day (UTC), the newest first → its networks, the highest spike first."""
    found: dict[datetime, dict[str, list[Network]]] = {}
    for row in rows:
        day = datetime.fromtimestamp(row.hour - row.hour % 86_400, UTC)
        found.setdefault(day, {}).setdefault(row.network, []).append(row)
    return {
        day: sorted((_one(of) for of in found[day].values()), key=lambda one: (-one.peak, one.network))
        for day in sorted(found, reverse=True)
    }


def _one(rows: Sequence[Network]) -> Spiking:
    hours = [datetime.fromtimestamp(row.hour, UTC) for row in rows]
    return Spiking(
        rows[0].network, min(hours), max(hours), len(hours), sum(row.events for row in rows),
        max(row.peak for row in rows),
    )  # fmt: skip
