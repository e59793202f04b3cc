"""Delivery beside goals: what is expected by now, and what is said where nothing can be."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from warehouse.pacing import Listed, Paced, listed, pace
from warehouse.report import OTHER

#: As the catalogue's table `catalogue_campaigns` has them, with a column that nothing here reads.
CAMPAIGNS = pa.table({
    "campaign": ["autumn", "help", "winter", "endless"],
    "advertiser": ["ada", None, "ada", "bob"],
    "name": ["Autumn", "Help pages", "Winter", None],
    "starts": pa.array([date(2026, 9, 1), date(2026, 9, 1), date(2026, 12, 1), date(2026, 9, 1)]),
    "ends": pa.array([date(2026, 9, 10), date(2026, 9, 4), date(2026, 12, 31), None]),
    "goal_impressions": pa.array([1000, None, 500, 100], pa.int64()),
    "goal_clicks": pa.array([50, None, None, None], pa.int64()),
    "known": [True] * 4,
})  # fmt: skip


def row(campaign: str, day: int, impressions: int, clicks: int = 0) -> dict[str, Any]:
    return {
        "ad_campaign": campaign, "day": date(2026, 9, day),
        "net_impressions": impressions, "net_clicks": clicks,
    }  # fmt: skip


def paced(*rows: dict[str, Any], day: int = 5) -> dict[str, Paced]:
    found = pace(listed(CAMPAIGNS), rows, date(2026, 9, day))
    return {one.listed.campaign: one for one in found}


def test_pace_is_100_where_every_day_alike_would_be_as_far() -> None:
    one = paced(row("autumn", 1, 300, 5), row("autumn", 2, 150, 5), row("autumn", 5, 50))["autumn"]
    assert (one.days, one.gone, one.told, one.why) == (10, 5, 3, "")
    assert (one.impressions.delivered, one.impressions.expected, one.impressions.index) == (500, 500, 100)
    assert (one.clicks.delivered, one.clicks.expected, one.clicks.index) == (10, 25, 40)


def test_after_the_flight_all_of_the_goal_is_expected_and_what_comes_then_counts_for_nothing() -> None:
    one = paced(row("autumn", 10, 900), row("autumn", 11, 100), day=30)["autumn"]
    assert (one.gone, one.impressions.delivered, one.impressions.expected) == (10, 900, 1000)
    assert (one.impressions.index, one.outside) == (90, 100)


def test_clicks_that_can_not_be_told_are_not_none() -> None:
    """Fewer than ten people a day are told as 0, which would be a pace of 0."""
    one = paced(row("autumn", 1, 300), row("autumn", 2, 150))["autumn"]
    assert (one.clicks.delivered, one.clicks.index, one.clicks.goal) == (None, None, 50)
    assert paced()["autumn"].clicks.delivered == 0


def test_sites_are_added_up_since_a_goal_is_one() -> None:
    one = paced(row("autumn", 1, 100), row("autumn", 1, 50))["autumn"]
    assert (one.impressions.delivered, one.told) == (150, 1)


@pytest.mark.requirement("M35")
def test_an_unlisted_campaign_is_there_with_what_it_delivered() -> None:
    found = paced(row("stray", 1, 70), row(OTHER, 1, 5), row("(none)", 1, 9))
    assert (found["stray"].known, found["stray"].impressions.delivered) == (False, 70)
    assert "not in the catalogue" in found["stray"].why
    assert found.keys() == {"autumn", "help", "winter", "endless", "stray"}


@pytest.mark.parametrize(
    ("campaign", "says"),
    [("help", "no goal"), ("winter", "not begun"), ("endless", "no days"), ("autumn", "")],
)
def test_where_there_is_no_pace_it_is_said_why(campaign: str, says: str) -> None:
    one = paced()[campaign]
    assert (says in one.why) if says else not one.why
    assert (one.impressions.index is None) == bool(says)
    assert one.listed == next(other for other in listed(CAMPAIGNS) if other.campaign == campaign)


def test_listed_before_unlisted_and_those_under_way_first() -> None:
    found = pace(listed(CAMPAIGNS), [row("a-stray", 1, 5)], date(2026, 9, 5))
    assert [one.listed.campaign for one in found] == ["autumn", "endless", "help", "winter", "a-stray"]
    assert Listed("x").name is None
