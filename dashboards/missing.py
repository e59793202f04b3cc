"""Why there is no number: nothing came, all of it was refused, it is of too few people, or it is too late.

Of a single list can't be told whether nobody did it or too few did: to tell would tell of them.
"""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct

from consent_filter.errors import Refused
from dashboards.language import refusal, say
from dashboards.numbers import Numbers
from dashboards.period import Period
from dashboards.view import View
from dashboards.words import day

#: Seconds without a publication after which a page says so. The loop publishes every few seconds.
STALE = 1_800


class Missing(Struct, frozen=True):
    """kind: `empty`, `suppressed`, `refused`, `outside` or `unknown`; says: a sentence."""

    kind: str
    says: str


def of_period(ask: Numbers, view: View, min_group: int) -> Missing:
    """Why a whole page has no number of people."""
    span = view.period
    if span.last < view.oldest:
        return Missing("outside", say("Counting began on {day}, after these days.", day=day(view.oldest)))
    if span.first > view.newest:
        says = say("The newest published day is {day}, before these days.", day=day(view.newest))
        return Missing("outside", says)
    came = ask.balance()
    if came is None:
        return Missing("empty", say("Nothing was received in these days."))
    if not came["stored"]:
        says = say("All that was received in these days was refused; why, is told below.")
        return Missing("refused", says)
    says = say("No day of this period has a group of {n} people. Fewer are never shown.", n=min_group)
    return Missing("suppressed", says)


def of_list(min_group: int, span: Period) -> Missing:
    """Why a list is empty, on a page that is not."""
    if span.days == 1:
        says = say(
            "Nobody, or fewer than {n} people together, on this day. Which of the two is not told.",
            n=min_group,
        )
    else:
        says = say(
            "Nobody, or fewer than {n} people together, on any of these days. Which of the two is not told.",
            n=min_group,
        )
    return Missing("suppressed", says)


def unknown(error: Refused) -> Missing:
    """Why a list can't be asked."""
    return Missing("unknown", say("Not told here: {why}.", why=refusal(error)))


def stale(made: dict[str, Any] | None, view: View) -> float | None:
    """Seconds since the newest publication, where that is long and the period reaches to now."""
    if made is None or view.period.last < view.newest:
        return None
    age: float = time.time() - made["time"]
    return age if age > STALE else None
