"""Why there is no number: nothing came, all of it was refused, it is of too few people, or it is too late.

Of a single list can't be told whether nobody did it or too few did: to tell would tell of them.
"""

from __future__ import annotations

import time
from typing import Any

from msgspec import Struct

from dashboards.numbers import Numbers
from dashboards.period import Period
from dashboards.view import View

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
        return Missing("outside", f"Counting began on {view.oldest:%-d %b %Y}, after these days.")
    if span.first > view.newest:
        return Missing("outside", f"The newest published day is {view.newest:%-d %b %Y}, before these days.")
    came = ask.balance()
    if came is None:
        return Missing("empty", "Nothing was received in these days.")
    if not came["stored"]:
        return Missing("refused", "All that was received in these days was refused; why, is told below.")
    return Missing(
        "suppressed", f"No day of this period has a group of {min_group} people. Fewer are never shown."
    )


def of_list(min_group: int, span: Period) -> Missing:
    """Why a list is empty, on a page that is not."""
    when = "on this day" if span.days == 1 else "on any of these days"
    says = f"Nobody, or fewer than {min_group} people together, {when}. Which of the two is not told."
    return Missing("suppressed", says)


def stale(made: dict[str, Any] | None, view: View) -> float | None:
    """Seconds since the newest publication, where that is long and the period reaches to now."""
    if made is None or view.period.last < view.newest:
        return None
    age: float = time.time() - made["time"]
    return age if age > STALE else None
