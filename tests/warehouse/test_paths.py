"""Orders and what led to them: against a count by hand, and what must be so whatever people do."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.warehouse import plain, plain_paths
from tests.warehouse.crowd import Crowd, milliseconds, whole
from warehouse import catalogue
from warehouse import report as reports
from warehouse.settings import Warehouse

NAMES = ("advert_hours", "attribution", "conversion_paths", "conversions", "holdout")
HOW = Warehouse(min_group=1, dominance=100, perturb=False)
GOALS = b"""[[goal]]
id = "sign_up"
window_click_days = 2
window_view_days = 0
"""
WINDOWS = {"sign_up": (2, 0)}
BEGIN = milliseconds("2026-08-01 22:00")
#: Hours after the beginning: around an hour and a day, and where a window ends, of 1, 2, 30 and 60 days.
HOURS = [0, 0.4, 0.9, 1, 2, 23.5, 24, 25, 47, 48, 48.2, 49, 719, 719.6, 720, 720.5, 721, 745, 1500, 1560]
DEEDS: list[dict[str, Any]] = [
    {"type": "ad_click", "ad_campaign": "autumn"},
    {"type": "ad_click", "ad_campaign": "spring", "ad_view": 7, "ad_group": "exposed"},
    {"type": "ad_viewable", "ad_campaign": "spring", "ad_view": 7},
    {"type": "ad_viewable", "ad_campaign": "autumn", "ad_view": 8, "ad_group": "exposed"},
    {"type": "ad_viewable", "ad_campaign": "summer"},
    {"type": "ad_viewable", "ad_campaign": "winter"},
    {"type": "ad_viewable"},
    {"type": "ad_impression", "ad_campaign": "spring", "ad_view": 7},
    {"type": "ad_impression", "ad_campaign": "autumn", "ad_view": 8},
    {"type": "ad_impression", "ad_campaign": "autumn", "ad_view": 9, "received": BEGIN + 40 * 86_400_000},
    {"type": "ad_viewable", "ad_campaign": "autumn", "ad_share": 20},
    {"type": "ad_request", "ad_campaign": "autumn", "ad_group": "holdout"},
    {"type": "ad_conversion", "ad_goal": "buy", "ad_order": 1, "value": 99.5},
    {"type": "ad_conversion", "ad_goal": "buy", "ad_order": 2, "value": 7, "ad_campaign": "spring"},
    {"type": "ad_conversion", "ad_goal": "sign_up"},
    {"type": "ad_conversion", "value": -3.0},
    {"type": "ad_refund", "ad_goal": "buy", "ad_order": 1, "value": 20},
    {"type": "ad_refund", "ad_goal": "buy", "ad_order": 2},
]
#: What is seen or clicked is so some seconds after it began to render.
LATER = {"ad_viewable": 1500, "ad_click": 5000, "ad_conversion": 9000, "ad_refund": 9500}
LINE = st.tuples(*(st.integers(0, n - 1) for n in (5, len(DEEDS), len(HOURS), 2)))
CROWDS = st.one_of(st.lists(LINE, min_size=1), st.lists(LINE, min_size=30, max_size=60))


def few(examples: int) -> Any:
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), phases=phases
    )


def rows(said: Sequence[tuple[int, ...]]) -> list[dict[str, Any]]:
    return [
        {
            "person": person,
            "time": BEGIN + round(HOURS[hour] * 3_600_000) + LATER.get(DEEDS[deed]["type"], 0),
            "site": ["market", "blog"][site],
            **DEEDS[deed],
            **({"ad_view": DEEDS[deed]["ad_view"] + 10 * person} if "ad_view" in DEEDS[deed] else {}),
        }
        for person, deed, hour, site in said
    ]


@contextmanager
def crowd(of: Sequence[dict[str, Any]]) -> Iterator[Crowd]:
    one = Crowd(of, "Europe/Berlin")
    yield one
    one.close()


def released(crowd_of: Sequence[dict[str, Any]], **how: Any) -> dict[str, list[tuple[Any, ...]]]:
    chosen = [reports.load()[name] for name in NAMES]
    with crowd(crowd_of) as one:
        made = one.release(HOW, chosen=chosen, catalogue=catalogue.parse(GOALS), **how)
    return {name: [tuple(row.values()) for row in table.to_pylist()] for name, table in made.items()}


def by_hand(of: Sequence[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    facts = [whole(row, "Europe/Berlin") for row in of]
    for fact in facts:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    found = {}
    for name, made in {
        "advert_hours": plain_paths.hours(facts),
        "attribution": plain_paths.attribution(facts, WINDOWS),
        "conversion_paths": plain_paths.ways(facts, WINDOWS),
        "conversions": plain_paths.conversions(facts),
        "holdout": plain_paths.holdout(facts),
    }.items():
        cells = plain.Cells()
        for keys, person, sums in made:
            plain._add(cells, keys, person, sums)
        one = reports.load()[name]
        found[name] = plain.hidden(one, plain.limited(one, cells, HOW), HOW)
    return found


@few(8)
@given(CROWDS)
def test_orders_and_their_paths_are_what_is_counted_by_hand(said: Any) -> None:
    of = rows(said)
    found, hand = released(of), by_hand(of)
    for name in NAMES:
        assert found[name] == hand[name], name


@few(2)
@given(CROWDS, st.integers(2, 3), st.randoms(use_true_random=False))
def test_neither_buckets_nor_the_order_of_events_show(said: Any, n: int, chance: random.Random) -> None:
    first = rows(said)
    found = released(first)
    chance.shuffle(first)
    assert released(first, of=n, held=n % 2 == 0) == found


@few(2)
@given(CROWDS, st.integers(1, 2))
def test_a_day_that_is_made_alone_is_as_with_all_others(said: Any, n: int) -> None:
    of = rows(said)
    chosen, apart = [reports.load()[name] for name in NAMES], defaultdict[str, list[tuple[Any, ...]]](list)
    with crowd(of) as one:
        for day in list(one._days):
            one._days = [day]
            made = one.release(HOW, chosen=chosen, catalogue=catalogue.parse(GOALS), of=n)
            for name, table in made.items():
                apart[name] += [tuple(row.values()) for row in table.to_pylist()]
    assert {name: sorted(apart[name]) for name in NAMES} == released(of)


@few(5)
@given(CROWDS)
def test_credits_of_all_orders_add_up_in_each_model(said: Any) -> None:
    """A thousand for an order, and its worth less what was given back; in every rule."""
    found = released(rows(said))
    one = reports.load()["attribution"]
    orders, value = defaultdict[Any, int](int), defaultdict[Any, int](int)
    for site, day, goal, _, _, n, worth, *_ in found["conversions"]:
        orders[site, day, goal] += n
        value[site, day, goal] += worth
    facts = [whole(row, "Europe/Berlin") for row in rows(said)]
    for fact in facts:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    for order in plain_paths.orders(facts):
        at = (*order.at, plain_paths.goal(order.fact))
        orders[at] -= order.returned
        value[at] -= order.given
    for place, name in enumerate(one.sums, 5):
        total = defaultdict[Any, int](int)
        for row in found["attribution"]:
            total[row[:3]] += row[place]
        whole_of = value if name.endswith("_value") else {at: 1000 * n for at, n in orders.items()}
        assert dict(total) == {at: n for at, n in whole_of.items() if at in total}, name
        assert not any(n for at, n in whole_of.items() if at not in total), name


@pytest.mark.parametrize(
    ("times", "credits"),
    [([0], [1000]), ([0, 1], [500, 500]), ([0, 1, 2, 3], [400, 100, 100, 400]), ([0, 1, 2], [400, 200, 400])],
)
def test_position_is_40_20_40(times: list[int], credits: list[int]) -> None:
    rows_of = [{"type": "ad_click", "ad_campaign": f"c{n}", "time": BEGIN + n * 60_000} for n in times]
    rows_of.append({"type": "ad_conversion", "ad_goal": "buy", "time": BEGIN + 3_600_000})
    found = released(rows_of)["attribution"]
    place = 5 + reports.load()["attribution"].sums.index("position")
    assert [row[place] for row in found] == credits


def test_a_week_before_a_touch_is_worth_half() -> None:
    rows_of = [
        {"type": "ad_click", "ad_campaign": "a", "time": BEGIN},
        {"type": "ad_click", "ad_campaign": "b", "time": BEGIN + 168 * 3_600_000},
        {"type": "ad_conversion", "ad_goal": "buy", "time": BEGIN + 168 * 3_600_000 + 60_000},
    ]
    place = 5 + reports.load()["attribution"].sums.index("time_decay")
    assert [row[place] for row in released(rows_of)["attribution"]] == [333, 667]
