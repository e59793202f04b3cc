"""Reach and frequency, of people and by devices' word, against a simulation in which all is known (S11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.warehouse.crowd import Crowd
from warehouse import frequency
from warehouse import report as reports
from warehouse.settings import Warehouse

#: How often each of some people meets the campaign: nobody is alike for long.
SEEN = [1] * 14 + [2] * 9 + [3] * 6 + [4, 5, 6, 4, 5, 7, 8, 9, 11, 6, 12]
Keeps = Callable[[int], bool | None]


def band(n: int) -> str:
    return str(n) if n < 4 else "4-6" if n < 7 else "7+"


def told(seen: Iterable[int], keeps: Keeps, treatment: str, first: int = 0) -> list[dict[str, Any]]:
    """The impressions of devices. `keeps` says of each what becomes of its count: True is kept, False is lost
    after each impression, None is that nothing may be stored. Without an identifier everyone is another
    person on each day."""
    rows = []
    for number, times in enumerate(seen, first):
        count = 0
        for nth in range(times):
            count = count + 1 if keeps(number) else 1
            day = 1 + nth % 10
            rows.append({
                "person": number if treatment == "identified" else 1000 + number * 31 + day,
                "time": f"2026-09-{day:02} 12:{nth:02}:{number % 60:02}", "type": "ad_impression",
                "ad_campaign": "autumn", "treatment": treatment,
                "ad_frequency": None if keeps(number) is None else band(count),
            })  # fmt: skip
    return rows


def flight(rows: list[dict[str, Any]]) -> dict[str, dict[str, tuple[int, int]]]:
    """Kind → band → people and impressions, of the whole flight; nothing hidden, nothing moved."""
    crowd = Crowd(rows)
    how = Warehouse(min_group=1, dominance=100)
    table = crowd.release(how, chosen=[reports.load()["reach"]])["reach"].to_pylist()
    crowd.close()
    found: dict[str, dict[str, tuple[int, int]]] = {"known": {}, "told": {}, "told_known": {}}
    for row in table:
        if row["period"] == "flight":
            found[row["kind"]][row["band"]] = row["people"], row["impressions"]
    return found


def impressions(bands: dict[str, tuple[int, int]]) -> dict[str, int]:
    return {name: n for name, (_, n) in bands.items()}


def people(bands: dict[str, tuple[int, int]]) -> int:
    return sum(n for n, _ in bands.values())


@pytest.mark.requirement("S11", "M74")
def test_known_people_are_counted_exactly_and_once() -> None:
    found = flight(told(SEEN, lambda number: True, "identified"))
    assert {name: n for name, (n, _) in found["known"].items()} == Counter(band(n) for n in SEEN)
    assert sum(n for _, n in found["known"].values()) == sum(SEEN)


@pytest.mark.requirement("S11")
def test_devices_that_keep_their_count_tell_the_truth() -> None:
    """Of people who are others every day, which is what nobody could count otherwise."""
    rows = told(SEEN, lambda number: True, "cookieless")
    assert len({row["person"] for row in rows}) > 2 * len(SEEN)
    found = flight(rows)
    assert not found["known"]
    one = frequency.devices(impressions(found["told"]))
    more = sum(n > 2 for n in SEEN)
    assert one == frequency.Devices(len(SEEN), SEEN.count(1), SEEN.count(2), more, sum(SEEN))
    assert impressions(found["told"]) == Counter(band(nth) for n in SEEN for nth in range(1, n + 1))


@pytest.mark.requirement("S11")
@pytest.mark.parametrize("every", [2, 5])
def test_where_storage_does_not_last_the_bias_is_what_is_stated(every: int) -> None:
    """Of known people the devices' word can be compared: the same devices are as wrong where nobody is."""
    forgets: Keeps = lambda number: number % every != 0  # noqa: E731
    known = flight(told(SEEN, forgets, "identified"))
    stated = frequency.bias(impressions(known["told_known"]), people(known["known"]))
    others = frequency.devices(impressions(flight(told(SEEN, forgets, "cookieless"))["told"]))
    assert others is not None
    assert stated == pytest.approx(100 * (others.reached / len(SEEN) - 1))
    lost = sum(n - 1 for number, n in enumerate(SEEN) if number % every == 0)
    assert others.reached == len(SEEN) + lost


@pytest.mark.requirement("S11")
def test_devices_that_may_not_store_anything_are_missing_and_that_is_stated() -> None:
    found = flight(told(SEEN, lambda number: None if number % 4 == 0 else True, "identified"))
    stated = frequency.bias(impressions(found["told_known"]), people(found["known"]))
    assert stated == pytest.approx(-25)
    assert frequency.bias({}, 10) is None
    assert frequency.devices({"2": 5}) is None


def test_the_kinds_are_never_in_one_row() -> None:
    both = told(SEEN, lambda number: True, "identified")
    both += told(SEEN, lambda number: True, "cookieless", 500)
    found = flight(both)
    assert impressions(found["told"]) == impressions(found["told_known"])
    assert people(found["known"]) == len(SEEN)


@pytest.mark.requirement("M62")
def test_content_of_the_site_is_counted_as_adverts_are() -> None:
    """A campaign of the site's own (`price_model = "house"`): the same events, the same numbers."""
    steps = [("ad_request", 0), ("ad_served", 1), ("ad_impression", 2), ("ad_viewable", 4), ("ad_click", 6)]
    rows = [
        {
            "person": number, "type": kind, "time": f"2026-09-01 12:00:{second:02}",
            "ad_campaign": campaign, "ad_view": number * 2 + place,
        }
        for number in range(1, 13)
        for place, campaign in enumerate(("autumn", "how-to-hire"))
        for kind, second in steps[: 2 + number % 4]
    ]  # fmt: skip
    crowd = Crowd(rows)
    found = crowd.release(Warehouse(min_group=1, dominance=100), chosen=[reports.load()["delivery"]])
    crowd.close()
    advert, content = found["delivery"].drop_columns(["ad_campaign"]).to_pylist()
    assert advert == content
    assert (content["impressions"], content["net_viewable"], content["net_clicks"]) == (9, 6, 3)
