"""Shapley's axioms, and credits from released groups; intervals of what a campaign added."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from math import factorial, isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from warehouse.incrementality import Arm, lift, wilson
from warehouse.shapley import Group, Way, credits, shapley

NAMES = "abcd"
GAMES = st.lists(st.floats(-10, 10), min_size=16, max_size=16)


def game(worth: list[float]) -> Callable[[Group], float]:
    return lambda some: worth[sum(1 << NAMES.index(name) for name in some)]


@settings(max_examples=40, deadline=None)
@given(GAMES, GAMES)
def test_shapleys_axioms(first: list[float], second: list[float]) -> None:
    """Efficiency, and as it is defined: the mean over all orders of joining; additivity."""
    value = game(first)
    found = shapley(NAMES, value)
    assert isclose(sum(found.values()), first[15] - first[0], abs_tol=1e-9)
    mean = dict.fromkeys(NAMES, 0.0)
    for order in permutations(NAMES):
        for n, name in enumerate(order):
            mean[name] += (value(frozenset(order[: n + 1])) - value(frozenset(order[:n]))) / factorial(4)
    assert all(isclose(found[name], mean[name], abs_tol=1e-9) for name in NAMES)
    both = shapley(NAMES, lambda some: value(some) + game(second)(some))
    other = shapley(NAMES, game(second))
    assert all(isclose(both[name], found[name] + other[name], abs_tol=1e-9) for name in NAMES)


@settings(max_examples=40, deadline=None)
@given(GAMES)
def test_who_adds_nothing_gets_nothing_and_who_adds_alike_gets_alike(worth: list[float]) -> None:
    without = shapley(NAMES, lambda some: game(worth)(some - {"d"}))
    assert isclose(without["d"], 0, abs_tol=1e-9)
    alike = shapley(NAMES, lambda some: game(worth)(frozenset(sorted(NAMES)[: len(some)])))
    assert len({round(n, 9) for n in alike.values()}) == 1


def test_many_players_are_refused() -> None:
    with pytest.raises(Refused, match="at most 12"):
        shapley(map(str, range(13)), len)


WAYS = st.lists(
    st.builds(
        Way,
        st.sets(st.sampled_from(NAMES), min_size=1).map(lambda some: " + ".join(sorted(some))),
        st.integers(10, 1000),
        st.integers(0, 10),
    ),
    max_size=20,
)


@settings(max_examples=60, deadline=None)
@given(WAYS, st.randoms(use_true_random=False))
def test_credits_add_up_to_the_orders_whatever_order_rows_have(ways: list[Way], chance: object) -> None:
    rest = [Way("(unattributed)", 20, 7), Way("(other)", 30, 3)]
    found = credits([*ways, *rest])
    assert isclose(sum(found.campaigns.values()), sum(way.orders for way in ways), abs_tol=1e-6)
    assert (found.unattributed, found.untold) == (7, 3)
    chance.shuffle(ways)  # type: ignore[attr-defined]
    again = credits([*rest, *ways]).campaigns
    assert {name: round(n, 6) for name, n in again.items()} == {
        name: round(n, 6) for name, n in found.campaigns.items()
    }


@pytest.mark.requirement("M52")
def test_a_campaign_that_changes_nothing_gets_nothing() -> None:
    """Of a thousand each: beside a, b adds no orders, which rules by touches miss."""
    found = credits([Way("a", 1000, 50), Way("b", 1000, 0), Way("a + b", 1000, 50)]).campaigns
    assert found == {"a": pytest.approx(100), "b": pytest.approx(0, abs=1e-9)}


def test_an_interval_is_newcombes_and_small_groups_say_nothing() -> None:
    """The example of Newcombe's paper (1998, table II, a): 56 of 70 against 48 of 80."""
    found = lift(Arm(70, 56), Arm(80, 48))
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)
    assert found.sure
    assert [round(x, 4) for x in wilson(Arm(70, 56))] == [0.6918, 0.877]
    assert lift(Arm(49, 3), Arm(1000, 3)) is None
    none = lift(Arm(100, 1), Arm(100, 0))
    assert none is not None
    assert (none.lift, none.sure) == (None, False)
