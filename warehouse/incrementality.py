"""What a campaign added: those who saw it against those who were held out, with an interval (M52)."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

#: Of a normal distribution, so many deviations hold 95 %.
_Z = 1.959963984540054
#: The fewest people of either group that anything is said of.
LEAST = 50


class Arm(NamedTuple):
    """People who came into a group, and how many of them ordered since."""

    people: int
    ordered: int

    @property
    def rate(self) -> float:
        return min(self.ordered / self.people, 1.0)


class Lift(NamedTuple):
    """Difference of the rates, with its interval of 95 % (Newcombe 1998, method 10, from Wilson's); and by
    how much of the rate of those held out orders were more, None where these ordered nothing."""

    exposed: float
    holdout: float
    difference: float
    low: float
    high: float
    lift: float | None

    @property
    def sure(self) -> bool:
        """Whether it can be told from nothing."""
        return not self.low <= 0 <= self.high


def wilson(arm: Arm) -> tuple[float, float]:
    """The interval of a rate (Wilson 1927)."""
    n, p, z = arm.people, arm.rate, _Z
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max((middle - half) / (1 + z * z / n), 0.0), min((middle + half) / (1 + z * z / n), 1.0)


def lift(exposed: Arm, holdout: Arm) -> Lift | None:
    """What exposing added; None where either group is too small to say."""
    if min(exposed.people, holdout.people) < LEAST:
        return None
    a, b = exposed.rate, holdout.rate
    (low_a, high_a), (low_b, high_b) = wilson(exposed), wilson(holdout)
    low = a - b - sqrt((a - low_a) ** 2 + (high_b - b) ** 2)
    high = a - b + sqrt((high_a - a) ** 2 + (b - low_b) ** 2)
    return Lift(a, b, a - b, low, high, (a - b) / b if b else None)
