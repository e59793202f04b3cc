"""Totals with who refused, on crowds of which all is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from warehouse.everyone import Interval, Told, alike, bounds

MOST, SEEDS = 60, 400


def crowd(chance: np.random.Generator, people: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Events of each person (1 to MOST, a long tail), and the page views among them."""
    events = np.minimum(1 + chance.geometric(1 / (1 + chance.gamma(1.0, 8.0, people))), MOST)
    return events, chance.binomial(events, 0.6)


@pytest.mark.requirement("S6")
@pytest.mark.parametrize("depends", [-0.05, 0.0, 0.05])
def test_bounds_hold_the_truth_however_consent_depends_on_behaviour(depends: float) -> None:
    """Always. The estimate does where consent does not depend on it, as it says; else it may be wrong."""
    held = {"people": 0, "views": 0}
    for seed in range(SEEDS):
        chance = np.random.default_rng(seed)
        events, views = crowd(chance, int(chance.integers(30, 3000)))
        agreed = chance.random(len(events)) < np.clip(chance.random() + depends * (events - 10), 0.02, 0.98)
        people = Told(int(agreed.sum()))
        total, seen = Told(int(events[agreed].sum())), Told(int(views[agreed].sum()))
        out = int(events[~agreed].sum())
        refused = out, out
        true = {"people": len(events), "views": int(views.sum())}
        for name, counted in (("people", people), ("views", seen)):
            least = bounds(counted, refused)
            assert least.low <= true[name] <= least.high
            found = alike(people, total, refused, MOST, part=None if name == "people" else seen)
            assert least.low <= found.low <= found.n <= found.high <= least.high
            held[name] += found.low <= true[name] <= found.high
        assert bounds(total, refused, adds=True) == Interval(*[int(events.sum())] * 3)
    if not depends:
        assert min(held.values()) >= 0.95 * SEEDS
    assert (held["people"] < SEEDS) == (depends != 0), "a wrong assumption is seen to be one"


@pytest.mark.requirement("S6")
def test_with_noise_the_intervals_are_wider_and_hold_as_often() -> None:
    held, of = 0, 300
    for seed in range(of):
        chance = np.random.default_rng(seed)
        events, _ = crowd(chance, 2000)
        agreed = chance.random(len(events)) < 0.7
        people = Told(int(agreed.sum()) + round(chance.normal(0, 25)), 25)
        total = Told(int(events[agreed].sum()) + round(chance.normal(0, 800)), 800)
        low = int(events[~agreed].sum()) // 100 * 100
        found = alike(people, total, (low, low + 99), MOST)
        held += found.low <= len(events) <= found.high
        assert found.high - found.low < 1200
    assert held >= 0.95 * of


@pytest.mark.requirement("S6")
def test_nobody_agreed_or_nobody_refused() -> None:
    trivial = Interval(0, 0, 250)
    assert bounds(Told(0), (250, 250)) == trivial == alike(Told(0), Told(0), (250, 250), MOST)
    assert bounds(Told(70), (0, 0)) == Interval(70, 70, 70) == alike(Told(70), Told(900), (0, 0), MOST)
    assert bounds(Told(-8.0, 10.0), (0, 0)).n == 0
