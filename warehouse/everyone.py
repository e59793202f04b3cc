"""How many there were with those who refused, of whom nothing is kept but a count of requests (S6).

Two answers, and nobody is modelled one by one. With no assumption: bounds, as the refused requests may have
been all one person's or each another's. As if who refused were alike: the same events a person and month as
of those who agreed, and nobody more than the cap; then a ratio, with an interval that minds the noise, and
how far two samples of one crowd may differ (the most that a number between 0 and the cap can vary).
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple


class Told(NamedTuple):
    """A count with noise: what was drawn, and its standard deviation. Exact where that is 0."""

    n: float
    sigma: float = 0.0

    def within(self, confidence: float) -> tuple[float, float]:
        """What the exact count may be."""
        half = self.sigma * NormalDist().inv_cdf((1 + confidence) / 2) if self.sigma else 0.0
        return max(self.n - half, 0.0), max(self.n + half, 0.0)


class Interval(NamedTuple):
    """Whole numbers, low ≤ n ≤ high."""

    n: int
    low: int
    high: int


def bounds(
    counted: Told, refused: tuple[int, int], confidence: float = 0.95, *, adds: bool = False
) -> Interval:
    """With no assumption at all. counted: people or views that were measured; n is as if the refused were
    none of them. refused: requests, at least and at most. adds: it is requests that are counted, so that each
    of the refused is one more."""
    low, high = counted.within(confidence)
    if adds:
        n = max(counted.n, 0) + sum(refused) / 2
        return _whole(n, low + refused[0], high + refused[1])
    # Of people: whoever refused is one more at least, unless they agreed at another time.
    return _whole(counted.n, low, high + refused[1])


def alike(
    people: Told, events: Told, refused: tuple[int, int], most: int, confidence: float = 0.95,
    part: Told | None = None,
) -> Interval:  # fmt: skip
    """As if who refused were like who agreed. Of people; or of a `part` of the events (views, visits).

    most: events that one person has at most. Where nobody agreed there is nobody to be like: the bounds.
    """
    asked = part or people
    worst = bounds(asked, refused, confidence)
    # Three ways to be wrong share the doubt: the noise of one number, of the other, and the sample.
    each = 1 - (1 - confidence) / 3
    (p_low, _), (e_low, e_high) = people.within(each), events.within(each)
    if p_low < 1 or e_low < 1 or not refused[1]:
        return worst
    a_low, a_high = asked.within(each)
    mean = max(events.n / people.n, 1.0)
    others = sum(refused) / 2 / mean
    n = asked.n + sum(refused) / 2 * asked.n / events.n
    per_event = min(max(asked.n / events.n, 0.0), 1.0)
    if part is None:  # requests a person: between 1 and the most (Bhatia and Davis, 2000)
        spread = math.sqrt(max((most - mean) * (mean - 1), 0.0)) / mean
    else:  # of a person's events X, between none and all are of this kind, and E[X²] ≤ most · E[X]
        spread = max(per_event, 1 - per_event) * math.sqrt(most * mean)
    z = NormalDist().inv_cdf((1 + each) / 2)
    half = 0.0
    for _ in range(2):  # once more, with as many as there may be
        some = others + (half if part is None else 0.0)
        half = z * spread * math.sqrt(some * (1 + some / people.n))
    low = a_low + refused[0] * a_low / e_high - half
    high = a_high + refused[1] * a_high / e_low + half
    return _whole(n, max(low, worst.low), min(high, worst.high))


def _whole(n: float, low: float, high: float) -> Interval:
    first, last = math.floor(max(low, 0.0)), math.ceil(max(high, low, 0.0))
    return Interval(min(max(round(n), first), last), first, last)
