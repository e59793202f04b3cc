"""Contact pressure: whether too many people had more impressions in a week than the ceiling (M74).

It is said and stops nothing: to show less is for the ad server. It reads the released table only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from warehouse.advert_settings import Adverts
from warehouse.checks.expectations import Suite
from warehouse.released import Store

EXPECTED = {"people_over_ceiling": "few people had more impressions in a week than the ceiling"}
SUITE = Suite("contact pressure", "site", EXPECTED, stop=False)


def above(ceiling: int) -> str:
    """SQL: whether a band lies above the ceiling. What was folded may lie anywhere, and is not counted."""
    return f"coalesce(try_cast(regexp_extract(band, '^[0-9]+') AS INTEGER), 0) > {ceiling:d}"


def control(store: Store, settings: Adverts, day: date) -> list[dict[str, Any]]:
    """One row a site with impressions in the last whole week before `day`; 1 where too many had too many."""
    if "pressure" not in store.versions():
        return []
    week = day - timedelta(days=day.weekday() + 7)
    rows = store.connection.execute(
        f"SELECT site, 100 * coalesce(sum(people) FILTER ({above(settings.ceiling)}), 0) / sum(people)"
        " FROM pressure WHERE week = ? GROUP BY site ORDER BY site",
        [week],
    ).fetchall()
    return [
        {"site": site, "people_over_ceiling": int(share > settings.ceiling_share)} for site, share in rows
    ]


def where(settings: Adverts) -> dict[str, str]:
    """What is said of a failure besides the site."""
    return {
        "people_over_ceiling": f" (more than {settings.ceiling_share:g} % of people with more than"
        f" {settings.ceiling} in the last whole week)"
    }
