"""Intervals hold what they say although numbers were moved, and a split that is none is seen."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from warehouse.incrementality import Arm, lift, wilson
from warehouse.perturbation import bound, ptable, variance
from warehouse.readout import deviations, mismatch, outcomes, upper

MOST = bound(10)
NOISE = variance(MOST)
MANY = 4000


def moved(dice: np.random.Generator, numbers: np.ndarray) -> list[int]:
    """As release moves them: each row by a key of its own, and to no fewer than a group."""
    table = ptable(MOST)
    return [max(int(n + table[min(n, MOST), dice.integers(256)]), 10) for n in numbers]


@pytest.mark.requirement("M48")
@pytest.mark.parametrize(("n", "p"), [(120, 0.3), (400, 0.1), (3000, 0.02), (60, 0.5)])
def test_an_interval_of_moved_numbers_holds_the_rate(n: int, p: float) -> None:
    dice = np.random.default_rng(n)
    reached = moved(dice, dice.binomial(n, p, MANY))
    people = moved(dice, np.full(MANY, n))
    arms = [Arm(*both) for both in zip(people, reached, strict=True)]
    z = deviations(1)
    holds = np.mean([low <= p <= high for low, high in (wilson(arm, z, NOISE) for arm in arms)])
    assert 0.935 < holds < 0.99
    if n < 500:  # without the noise in it the interval is narrower than it says
        assert np.mean([low <= p <= high for low, high in map(wilson, arms)]) < holds - 0.01


@pytest.mark.requirement("M48")
def test_an_interval_of_a_difference_holds_it() -> None:
    dice, holds = np.random.default_rng(7), 0
    drawn = [moved(dice, dice.binomial(300, p, MANY)) for p in (0.12, 0.2)]
    sizes = [moved(dice, np.full(MANY, 300)) for _ in drawn]
    for x, y, n, m in zip(*drawn, *sizes, strict=True):
        found = lift(Arm(m, y), Arm(n, x), noise=NOISE)
        assert found is not None
        holds += found.low <= 0.08 <= found.high
    assert 0.94 < holds / MANY < 0.98


def test_the_tail_is_that_of_the_chi_square_distribution() -> None:
    from scipy.stats import chi2  # 0.8 s, which every worker would spend that collects tests

    for degrees in range(1, 8):
        for square in (0.0, 0.3, 4.2, 30.0):
            assert upper(square, degrees) == pytest.approx(chi2.sf(square, degrees), rel=1e-9)


@pytest.mark.requirement("M48")
def test_a_split_is_doubted_where_labels_are_lost_and_seldom_else() -> None:
    dice = np.random.default_rng(3)
    for expected in ((0.5, 0.5), (0.2, 0.3, 0.5)):
        splits = [moved(dice, one) for one in dice.multinomial(900, expected, MANY)]
        doubted = np.mean([mismatch(one, expected, NOISE) < 0.05 for one in splits])
        assert 0.03 < doubted < 0.06
    assert mismatch([10_000, 9_300], (0.5, 0.5), NOISE) < 0.001, "7 % of one variant's labels are lost"
    assert mismatch([10_000, 9_900], (0.5, 0.5), NOISE) > 0.001


def test_many_comparisons_need_wider_intervals_and_few_people_say_nothing() -> None:
    assert deviations(1) == pytest.approx(1.959964)
    assert deviations(5) == pytest.approx(NormalDist().inv_cdf(0.995))
    a, b, c = outcomes([("a", Arm(500, 50)), ("b", Arm(49, 20)), ("c", Arm(500, 80))], 1.96, NOISE)
    assert (a.added, b.arm) == (None, None)
    assert c.added is not None
    assert c.added.sure
    assert c.low < 0.16 < c.high
    gone, rest = outcomes([("a", None), ("b", Arm(500, 80))], 1.96, NOISE)
    assert gone.arm is None
    assert rest.arm is not None
    assert rest.added is None
