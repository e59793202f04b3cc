"""Membership: whether somebody is in a noisy release, by the best test there is (S9, S19).

Of two days that differ by one person the likelier is told no better than the noise allows. For Gaussian noise
that is known in closed form (Dong, Roth, Su: Gaussian differential privacy, 2022): with μ = the most that one
person moves the numbers, in deviations of their noise, an attacker is right with an advantage of 2Φ(μ/2) - 1.
What is said of a table (how much one adds, deviation, cost) must agree.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import exp, sqrt
from statistics import NormalDist

import numpy as np

from warehouse.attack.evidence import Finding, Sure
from warehouse.draft import Draft, Table
from warehouse.period import read

#: The advantage, of a month and all tables together, above which a draft may not go.
MOST = 0.5
_NORMAL = NormalDist()
#: How far a cost that is computed here may be above what is said: rounding.
_NEAR = 1.001


def shift(table: Table, months: int) -> float:
    """μ² of a month: by how many deviations one person moves all the numbers of a table at most, squared.

    `most` is what one person adds to a number in all rows, `cells` in how many rows: the noise hides the same
    part in each of them.
    """
    return sum(n.most**2 / (table.cells * months * n.scale**2) for n in table.numbers if n.scale > 0)


def advantage(mu: float) -> float:
    """How much better than chance the best attacker is: 0 to 1."""
    return 2 * _NORMAL.cdf(mu / 2) - 1


def allowed(epsilon: float, delta: float) -> float:
    """The most that (ε, δ) allows any attacker (Kairouz, Oh, Viswanath 2015)."""
    return (exp(epsilon) - 1 + 2 * delta) / (exp(epsilon) + 1)


def membership(draft: Draft) -> Iterator[Finding]:
    """Numbers without noise; tables whose noise is less than what is said to have been spent on it; and a
    draft in which an attacker can be nearly sure of somebody's month."""
    months, whole = len(read(draft.period).months), 0.0
    for table in draft.tables:
        for number in table.numbers:
            if not number.scale > 0:
                says = f"{number.name} is exact: whoever knows the others knows the last"
                yield Finding("membership", table.name, "the whole table", says, Sure.CERTAIN)
        if table.made_from:
            continue
        moved = shift(table, months)
        whole += moved
        if moved / 2 > table.rho * _NEAR:
            says = "the noise is less than what was spent on it gives: the budget does not cover it"
            yield Finding("membership", table.name, "the whole table", says, Sure.CERTAIN)
    if advantage(sqrt(whole)) > MOST:
        says = "of a month it can be told nearly for sure whether somebody is in it: too little noise"
        yield Finding("membership", "all tables", "the whole draft", says, Sure.CERTAIN)


def shadow(inside: Sequence[float], outside: Sequence[float]) -> float:
    """The advantage of the best threshold between what was published of worlds with a person and of worlds
    without: a lower bound of what an attacker can do, who has seen that many."""
    ones, others = np.sort(np.asarray(inside, float)), np.sort(np.asarray(outside, float))
    cuts = np.concatenate([ones, others])
    below = np.searchsorted(others, cuts, "right") / len(others)
    return float(np.abs(below - np.searchsorted(ones, cuts, "right") / len(ones)).max())
