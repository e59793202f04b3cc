"""Noise costs what is said, and hides what is said: by the library's word, by formula, and by attack."""

from __future__ import annotations

import math
import os
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from warehouse import mechanism

#: Draws of an attack. More find smaller faults: 4,000 half of the noise, 400,000 a twentieth less of it.
DRAWS = int(os.environ.get("THRONG_DRAWS", "4000"))


def test_a_scale_costs_what_it_is_made_for() -> None:
    for l2, rho in ((1.0, 0.001), (math.sqrt(3) * 20, 0.05), (100.0, 1.0)):
        sigma = mechanism.scale(l2, rho)
        assert mechanism.cost(l2, sigma) <= rho
        assert mechanism.cost(l2, sigma) == pytest.approx(rho) == pytest.approx(l2**2 / (2 * sigma**2))


def test_noise_is_of_its_scale_whole_and_never_the_same() -> None:
    drawn = mechanism.add(np.zeros(5_000, np.int64), 25.0)
    assert drawn.dtype == np.int64
    assert abs(drawn.mean()) < 2
    assert drawn.std() == pytest.approx(25, rel=0.06)
    assert (drawn != mechanism.add(np.zeros(5_000, np.int64), 25.0)).mean() > 0.9
    assert not len(mechanism.add([], 25.0))


def test_intervals_hold_the_exact_number_as_often_as_they_say() -> None:
    for true in (0, 3, 5000):
        n, low, high = mechanism.interval(mechanism.add(np.full(5_000, true), 12.5), 12.5, 0.95)
        assert ((low <= true) & (true <= high)).mean() >= 0.935
        assert (low >= 0).all()
        assert (low <= n).all()
        assert (n <= high).all()


def test_epsilon_is_below_the_textbooks_and_above_the_attack() -> None:
    for rho in (0.05, 0.25, 2.0):
        loose = rho + 2 * math.sqrt(rho * math.log(1e7))  # Bun and Steinke, 2016
        assert 0.6 * loose < mechanism.epsilon(rho, 1e-7) < loose
    assert mechanism.epsilon(0.0, 1e-7) == 0


def test_groups_of_few_are_chosen_with_a_chance_that_is_paid_for() -> None:
    counts = {"large": 900, "few": 1} | {f"host-{n}": 400 for n in range(50)}
    found = mechanism.choose(counts, 3, 20.0, 150)
    assert set(found.counts) == counts.keys() - {"few"}
    assert list(found.counts) == sorted(found.counts), "in an order that is nobody's"
    assert found.rho == pytest.approx(3 / (2 * 20.0**2))
    assert 0 < found.delta < 1e-12
    assert mechanism.choose({}, 3, 20.0, 150) == ({}, found.rho, found.delta)
    below = [mechanism.choose({"few": 49}, 1, 20.0, mechanism.threshold(50, 20.0, 0.05)) for _ in range(200)]
    assert sum(bool(one.counts) for one in below) < 25


def given_away(
    without: NDArray[np.int64], present: NDArray[np.int64], cut: float, doubt: float = 1e-4
) -> float:
    """A lower bound of rho, from a guess whether one person was in: each rate at its worst (Hoeffding), and
    the Gaussian curve through both (Nasr et al. 2023, Tight Auditing of Differentially Private Learning)."""
    slack = math.sqrt(math.log(4 / doubt) / (2 * len(present)))
    hit, false = (present >= cut).mean() - slack, (without >= cut).mean() + slack
    law = NormalDist()
    return float(max(law.inv_cdf(hit) - law.inv_cdf(false), 0) ** 2 / 2)


@pytest.mark.requirement("S9")
def test_no_attack_finds_more_than_the_accounts_say() -> None:
    """Neighbouring inputs: with and without somebody who adds the most to as many rows as they may, seen
    through all rows at once. Half of the noise is found by the same attack."""
    cells, most, rho = 3, 20, 0.5
    sigma = mechanism.scale(math.sqrt(cells) * most, rho)

    def found(sigma: float) -> float:
        def draws(added: int) -> NDArray[np.int64]:
            rows = mechanism.add(np.full(DRAWS * cells, 1000 + added, np.int64), sigma)
            return rows.reshape(-1, cells).sum(axis=1)

        return given_away(draws(0), draws(most), cells * (1000 + most / 2))

    least, said = mechanism.epsilon(found(sigma), 1e-7), mechanism.epsilon(rho, 1e-7)
    assert 0.5 * said < least < said
    assert mechanism.epsilon(found(sigma / 2), 1e-7) > said
