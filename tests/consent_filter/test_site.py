"""A site's own day, also where the clock is half an hour off and where it is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured, Refused
from consent_filter.site import Site, local

ZONES = [
    "UTC",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
]


@given(st.sampled_from(ZONES), st.lists(st.integers(0, 4_000_000_000_000), min_size=1, max_size=6))
def test_local_is_what_the_calendar_says(zone: str, times: list[int]) -> None:
    days, offsets = local(zone, np.array(times, np.int64))
    for time, day, offset in zip(times, days.tolist(), offsets.tolist(), strict=True):
        # Zones change at full minutes; seconds of an offset ended before 1972.
        there = datetime.fromtimestamp(time // 1000, UTC).astimezone(ZoneInfo(zone))
        delta = there.utcoffset()
        assert delta is not None
        assert there.date().toordinal() - datetime(1970, 1, 1).toordinal() == day
        assert int(delta.total_seconds() // 60) == offset


@pytest.mark.parametrize(
    ("zone", "moment", "offset"),
    [
        ("Europe/Berlin", "2026-03-29T00:59:59.999+00:00", 60),
        ("Europe/Berlin", "2026-03-29T01:00:00+00:00", 120),
        ("Europe/Berlin", "2026-10-25T00:59:59.999+00:00", 120),
        ("Europe/Berlin", "2026-10-25T01:00:00+00:00", 60),
        ("Australia/Lord_Howe", "2026-04-04T14:59:59+00:00", 660),
        ("Australia/Lord_Howe", "2026-04-04T15:00:00+00:00", 630),
        ("Asia/Kathmandu", "2026-01-01T00:00:00+00:00", 345),
    ],
)
def test_summer_time_begins_and_ends_to_the_millisecond(zone: str, moment: str, offset: int) -> None:
    time = round(datetime.fromisoformat(moment).timestamp() * 1000)
    assert local(zone, np.array([time]))[1].tolist() == [offset]


@pytest.mark.parametrize("zone", ["Middle/Earth", "../etc/passwd", ""])
def test_a_site_without_a_clock_is_refused(zone: str) -> None:
    with pytest.raises(Misconfigured, match=r"site\.timezone"):
        Site(id="shop", timezone=zone)


def test_a_refusal_has_one_shape() -> None:
    error = Refused(400, "site", "say which").body()
    assert error == {"error": {"code": "site", "message": "say which"}}


@pytest.mark.requirement("M4")
@pytest.mark.parametrize("name", ["", "  ", "x" * 65, "Work\nbags"])
def test_a_name_of_a_site_is_one_that_people_can_say(name: str) -> None:
    assert Site(id="shop", aliases=("Work bags",))
    with pytest.raises(Misconfigured, match="aliases"):
        Site(id="shop", aliases=(name,))
