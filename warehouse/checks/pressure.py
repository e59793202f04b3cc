"""Contact pressure: whether too many people were reached more often in a week than the ceiling (M74).

By adverts and messages together, and by messages alone, which have a ceiling of their own. It is said and
stops nothing: to show and to write less is for who does it. It reads the released table only.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from warehouse.advert_settings import Adverts
from warehouse.checks.expectations import Suite
from warehouse.released import Store

EXPECTED = {
    "people_over_ceiling": "few people were reached more often in a week than the ceiling",
    "people_over_message_ceiling": "few people were written to more often in a week than their ceiling",
}
SUITE = Suite("contact pressure", "site", EXPECTED, stop=False)


def above(ceiling: int) -> str:
    """SQL: whether a band lies above the ceiling. What was folded may lie anywhere, and is not counted."""
    return f"coalesce(try_cast(regexp_extract(band, '^[0-9]+') AS INTEGER), 0) > {ceiling:d}"


def control(store: Store, settings: Adverts, day: date) -> list[dict[str, Any]]:
    """One row a site that reached anybody in the last whole week before `day`; 1 where too many were reached
    too often: at all, and by messages."""
    if "pressure" not in store.versions():
        return []
    week = day - timedelta(days=day.weekday() + 7)
    rows = store.connection.execute(
        "SELECT site, 100 * coalesce(sum(people) FILTER (kind = 'all' AND"
        f" {above(settings.ceiling)}), 0) / sum(people) FILTER (kind = 'all'),"
        f" 100 * coalesce(sum(people) FILTER (kind = 'messages' AND {above(settings.message_ceiling)}), 0)"
        " / sum(people) FILTER (kind = 'messages') FROM pressure WHERE week = ? GROUP BY site ORDER BY site",
        [week],
    ).fetchall()
    return [
        {"site": site} | {
            name: int(share is not None and share > settings.ceiling_share)
            for name, share in zip(EXPECTED, shares, strict=True)
        }
        for site, *shares in rows
    ]  # fmt: skip


def where(settings: Adverts) -> dict[str, str]:
    """What is said of a failure besides the site."""
    ceilings = (settings.ceiling, settings.message_ceiling)
    return {
        name: f" (more than {settings.ceiling_share:g} % of people with more than {ceiling} in the last whole"
        " week)"
        for name, ceiling in zip(EXPECTED, ceilings, strict=True)
    }
