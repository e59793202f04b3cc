"""What a marketplace's own events may say (M18): a declared category, and a number as the band it is in.

A task, a bid, a hire, a rating and a payment concern two people. So nothing of them is kept that could join
the two again, or that somebody wrote: no text, no exact amount, no exact duration (M10), no message (M20).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_HOURS = (0.0, 1.0, 4.0, 24.0, 72.0, 168.0)
_BIDS = (0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
_STARS = (1.0, 2.0, 3.0, 4.0, 5.0)
_AMOUNTS = (0.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0, 10000.0)
#: Names of the events, and where the bands of their `value` begin; none where it has no meaning. Reports name
#: the bands (`warehouse/reports/liquidity.sql`).
EVENTS: dict[str, tuple[float, ...]] = {
    "task_posted": (),
    "bid_placed": (),
    "first_bid": _HOURS,  # since the task was posted
    "bid_accepted": _BIDS,  # that the task had
    "feedback_left": _STARS,
    "transaction_completed": _AMOUNTS,  # in the site's own currency
    "message_sent": _HOURS,  # since the message that it answers
}
#: The one property that such an event may have: a word that the site has declared (`site.categories`).
CATEGORY = "category"
#: How such a word looks; it stands in reports as it is.
WORD = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: A country as a site says it; "ZZ" is one that nobody knows.
COUNTRY = re.compile(r"[A-Z]{2}")


class Counterpart(NamedTuple):
    """The other person of an event: the site's id of them, their country as the site says it ("ZZ" if it
    does not), and kinds of what was sent besides, and dropped."""

    user: str | None
    country: str = "ZZ"
    removed: tuple[str, ...] = ()


def named(type: str, name: str | None) -> bool:
    """Whether an event is one of a marketplace's own."""
    return type == "event" and name in EVENTS


def band(edges: Sequence[float], value: float) -> float:
    """Where the band of a value begins; NaN where it has none."""
    return edges[bisect_right(edges, value) - 1] if edges and value >= edges[0] else float("nan")


def bands(edges: Sequence[float], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for a column."""
    lower = np.array((np.nan, *edges))
    return lower[np.searchsorted(lower[1:], values, side="right") * ~np.isnan(values)]
