"""Membership: whether somebody is in a noisy release, by the best test there is (S9, S19).

Of two days that differ by one person the likelier is told no better than the noise allows. For Gaussian noise
that is known in closed form (Dong, Roth, Su: Gaussian differential privacy, 2022): with μ = the most that one
person moves the numbers, in deviations of their noise, an attacker is right with an advantage of 2Φ(μ/2) - 1.
What is said of a table (how much one adds, deviation, cost) must agree; and where exact numbers of the same
thing are known here, the noise must be there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from warehouse.attack.evidence import Finding, Sure
from warehouse.draft import Draft, Table
from warehouse.period import read

#: The advantage above which a draft may not go: that of ε = 1 in pure differential privacy would be e - 1.
MOST = 0.9
_NORMAL = NormalDist()
#: How far a cost that is computed here may be above what is said: rounding.
_NEAR = 1.001


def shift(table: Table) -> float:
    """μ: by how many deviations one person moves all the numbers of a table at most."""
    return sqrt(
        sum(table.cells * number.most**2 / number.scale**2 for number in table.numbers if number.scale)
    )


def advantage(mu: float) -> float:
    """How much better than chance the best attacker is: 0 to 1."""
    return 2 * _NORMAL.cdf(mu / 2) - 1


def allowed(epsilon: float, delta: float) -> float:
    """The most that (ε, δ) allows any attacker."""
    return (exp(epsilon) - 1 + 2 * delta) / (exp(epsilon) + 1)


def membership(draft: Draft) -> Iterator[Finding]:
    """Numbers without noise; tables whose noise is less than what is said to have been spent on it, or less
    than keeps an attacker from being nearly sure."""
    for table in draft.tables:
        for number in table.numbers:
            if not number.scale > 0:
                says = f"{number.name} is exact: whoever knows the others knows the last"
                yield Finding("membership", table.name, "the whole table", says, Sure.CERTAIN)
        mu = shift(table)
        if table.rho and mu**2 / 2 > table.rho * _NEAR * max(1, _months(draft)):
            says = "the noise is less than what was spent on it gives: the budget does not cover it"
            yield Finding("membership", table.name, "the whole table", says, Sure.CERTAIN)
        if advantage(mu) > MOST:
            says = "whether somebody is in it can be told nearly for sure: too little noise"
            yield Finding("membership", table.name, "the whole table", says, Sure.CERTAIN)


def _months(draft: Draft) -> int:
    return len(read(draft.period).months)


def quieter(
    noisy: NDArray[np.float64], exact: NDArray[np.float64], scale: float, doubt: float = 1e-4
) -> bool:
    """Whether numbers are nearer to the exact ones than noise of that deviation is, but for that chance."""
    n = len(noisy)
    if n < 2 or not scale > 0:
        return not scale > 0 and bool(n)
    spread = float(((noisy - exact) ** 2).sum()) / scale**2
    # Wilson and Hilferty: the cube root of a chi-squared over n is nearly normal.
    at = ((spread / n) ** (1 / 3) - (1 - 2 / (9 * n))) / sqrt(2 / (9 * n))
    return _NORMAL.cdf(at) < doubt


def shadow(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The advantage of the best threshold between what was published of worlds with a person and of worlds
    without: a lower bound of what an attacker can do, who has seen that many."""
    ones, others = np.sort(np.asarray(inside, float)), np.sort(np.asarray(outside, float))
    cuts = np.concatenate([ones, others])
    right = np.searchsorted(others, cuts, "right") / len(others) - np.searchsorted(ones, cuts, "right") / len(
        ones
    )
    return float(np.abs(right).max())
