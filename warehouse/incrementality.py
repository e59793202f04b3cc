"""What a campaign or a variant added, against those who did not see it, with an interval (M48, M52)."""

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


def effective(arm: Arm, z: float = _Z, noise: float = 0.0) -> float:
    """How many people would tell the rate as exactly if both numbers were not moved (`perturbation.py`).

    With noise of variance V on each, (x + U) / (n + W) has the variance p(1 - p)/n + V(1 + p^2)/n^2 to the
    first order. So n becomes n by the design effect, as in surveys (Kish 1965; of Wilson's interval: Korn and
    Graubard 1998), at Agresti and Coull's rate, which is neither 0 nor 1.
    """
    n = arm.people
    p = (n * arm.rate + z * z / 2) / (n + z * z)
    return n / (1 + noise * (1 + p * p) / (n * p * (1 - p)))


def wilson(arm: Arm, z: float = _Z, noise: float = 0.0) -> tuple[float, float]:
    """The interval of a rate (Wilson 1927). `noise`: the variance of what the two numbers were moved by."""
    n, p = effective(arm, z, noise), arm.rate
    middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max((middle - half) / (1 + z * z / n), 0.0), min((middle + half) / (1 + z * z / n), 1.0)


def newcombe(a: Arm, b: Arm, z: float = _Z, noise: float = 0.0) -> tuple[float, float]:
    """The interval of the first rate less the second (Newcombe 1998, method 10)."""
    (low_a, high_a), (low_b, high_b) = wilson(a, z, noise), wilson(b, z, noise)
    low = a.rate - b.rate - sqrt((a.rate - low_a) ** 2 + (high_b - b.rate) ** 2)
    return low, a.rate - b.rate + sqrt((high_a - a.rate) ** 2 + (b.rate - low_b) ** 2)


def lift(exposed: Arm, holdout: Arm, z: float = _Z, noise: float = 0.0) -> Lift | None:
    """What exposing added; None where either group is too small to say."""
    if min(exposed.people, holdout.people) < LEAST:
        return None
    a, b = exposed.rate, holdout.rate
    low, high = newcombe(exposed, holdout, z, noise)
    return Lift(a, b, a - b, low, high, (a - b) / b if b else None)
