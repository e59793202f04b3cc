"""What released rows of an experiment say: rates and differences with intervals, and what is wrong (M48)."""

from __future__ import annotations

from collections.abc import Sequence
from math import erfc, exp, gamma, sqrt
from statistics import NormalDist
from typing import NamedTuple

from warehouse.incrementality import LEAST, Arm, Lift, lift, wilson

#: A split this unlikely is none by chance. Fabijan et al. 2019 (KDD, "Diagnosing Sample Ratio Mismatch in
#: Online Controlled Experiments") look at so many experiments that they, too, ask for far less than 0.05.
UNLIKELY = 0.001
_DOUBT = 0.05


class Outcome(NamedTuple):
    """One variant and one goal. `arm` is None where its numbers are of too few people to be told, `low` and
    `high` are then 0; `added`: against the control, None where either is too small to say."""

    variant: str
    arm: Arm | None
    low: float = 0.0
    high: float = 0.0
    added: Lift | None = None


def deviations(comparisons: int) -> float:
    """So many deviations hold 95 % of all of so many intervals together (Bonferroni; Dunn 1961)."""
    return NormalDist().inv_cdf(1 - _DOUBT / (2 * max(comparisons, 1)))


def outcomes(arms: Sequence[tuple[str, Arm | None]], z: float, noise: float) -> list[Outcome]:
    """Each variant's rate, and what it added to that of the first, the control. `noise`: the variance of what
    each number was moved by at release."""
    found, control = [], arms[0][1]
    for place, (name, arm) in enumerate(arms):
        if arm is None or arm.people < LEAST:
            found.append(Outcome(name, None))
            continue
        added = lift(arm, control, z, noise) if place and control is not None else None
        found.append(Outcome(name, arm, *wilson(arm, z, noise), added))
    return found


def mismatch(people: Sequence[int], expected: Sequence[float], noise: float) -> float:
    """How likely variants of so many people, or less like the expected shares, would be by chance: Pearson's
    chi-square, with the noise of each number beside its own variance. Small: labels are lost, or the split is
    not what the site means, and rates can't be compared."""
    whole = sum(people)
    square = sum((n - whole * e) ** 2 / (whole * e + noise) for n, e in zip(people, expected, strict=True))
    return upper(square, len(people) - 1)


def upper(square: float, degrees: int) -> float:
    """The upper tail of the chi-square distribution, for whole degrees of freedom."""
    half = square / 2
    tail, at = (erfc(sqrt(half)), 0.5) if degrees % 2 else (exp(-half), 1.0)
    while at < degrees / 2:
        tail += half**at * exp(-half) / gamma(at + 1)
        at += 1
    return tail
