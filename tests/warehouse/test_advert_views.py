"""What becomes of one view of an advert, wherever its events say what they say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.warehouse.crowd import Crowd
from warehouse import report as reports
from warehouse.settings import Warehouse


def adverts(rows: list[dict[str, Any]], least: int, of: int = 1) -> list[dict[str, Any]]:
    crowd = Crowd(rows)
    how = Warehouse(min_group=least, dominance=100)
    table = crowd.release(how, chosen=[reports.load()["adverts"]], of=of)["adverts"]
    crowd.close()
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def views(country: str | None, people: range, device: str = "mobile") -> list[dict[str, Any]]:
    """Each person's view begins; every second one is clicked."""
    same = {"ad_campaign": "autumn", "continent": "EU", "country": country, "device": device}
    return [
        same | {"person": n, "ad_view": n, "type": kind, "time": f"2026-09-01 12:00:0{second}"}
        for n in people
        for kind, second in (("ad_impression", 0), ("ad_click", 3))
        if kind == "ad_impression" or n % 2
    ]


@pytest.mark.requirement("M33")
@pytest.mark.parametrize("of", [1, 3])
def test_a_small_country_is_its_continent_and_nobody_is_lost(of: int) -> None:
    rows = views("DE", range(1, 13)) + views("AT", range(20, 24)) + views("FR", range(30, 33))
    found = adverts(rows, 5, of)
    assert {(row["continent"], row["country"]): row["people"] for row in found} == {
        ("EU", "DE"): 12, ("EU", "(other)"): 7,
    }  # fmt: skip
    assert sum(row["impressions"] for row in found) == 19


@pytest.mark.requirement("M34")
def test_a_click_is_in_the_row_of_its_impression() -> None:
    """Also where the click itself says less: a rate has both of the same views."""
    rows = views("DE", range(1, 13)) + views("DE", range(20, 32), "desktop")
    for row in rows:
        if row["type"] == "ad_click":
            row.pop("device")
            row.pop("ad_campaign")
    found = {row["device"]: (row["impressions"], row["clicks"]) for row in adverts(rows, 5)}
    assert found == {"mobile": (12, 6), "desktop": (12, 6)}


@pytest.mark.requirement("M35")
def test_net_has_no_second_fire_and_gross_has() -> None:
    rows = views("DE", range(1, 13))
    again = [row | {"time": "2026-09-01 12:00:07"} for row in rows if row["type"] == "ad_impression"]
    (found,) = adverts(rows + again, 5)
    assert (found["impressions"], found["net_impressions"]) == (24, 12)
