"""Delivery beside what was agreed: how far each campaign's flight is, and how far its impressions and clicks.

Counted are released numbers, net of invalid traffic: so a day on which too few people saw a campaign adds
nothing, and is told as such. A campaign that nobody has listed is there with what it delivered, unlisted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, NamedTuple

import pyarrow as pa
from msgspec import Struct

from warehouse.report import OTHER

#: Why there is no pace.
WHY = (
    "not in the catalogue: measured, with no goal to compare with",
    "the catalogue names no goal",
    "the catalogue names no days",
    "not begun",
)


class Listed(NamedTuple):
    """What the catalogue says of a campaign; None where it says nothing."""

    campaign: str
    advertiser: str | None = None
    name: str | None = None
    starts: date | None = None
    ends: date | None = None
    goal_impressions: int | None = None
    goal_clicks: int | None = None


class Goal(Struct, frozen=True):
    """One goal: `expected` by now if all days of the flight are alike; `index` is 100 where it has come.
    `delivered` is None where it can not be told, as clicks of days on which few people clicked."""

    goal: int | None
    delivered: int | None
    expected: int | None = None
    index: float | None = None


class Paced(Struct, frozen=True):
    """One campaign. `told`: days of the flight of which numbers are published, of those that are `gone`, of
    all `days`. `outside`: impressions before or after the flight, which count for no goal. `why`: why there
    is no index; empty where there is one."""

    listed: Listed
    known: bool
    days: int | None
    gone: int | None
    told: int
    impressions: Goal
    clicks: Goal
    outside: int
    why: str


def listed(campaigns: pa.Table) -> list[Listed]:
    """Rows of the table `catalogue_campaigns`."""
    names = [name for name in Listed._fields if name in campaigns.column_names]
    return [Listed(**row) for row in campaigns.select(names).to_pylist()]


def pace(campaigns: Iterable[Listed], delivered: Iterable[Mapping[str, Any]], as_of: date) -> list[Paced]:
    """Every campaign that is listed or has delivered, by name; those under way first.

    `delivered`: rows of `delivery` (ad_campaign, day, net_impressions, net_clicks), of all sites: a goal is
    one whatever the site. `as_of`: the last day that counts as gone.
    """
    by: dict[str, dict[date, tuple[int, int]]] = defaultdict(dict)
    for row in delivered:
        old = by[row["ad_campaign"]].get(row["day"], (0, 0))
        new = row["net_impressions"], row["net_clicks"]
        by[row["ad_campaign"]][row["day"]] = old[0] + new[0], old[1] + new[1]
    known = {one.campaign: one for one in campaigns}
    names = (known.keys() | by.keys()) - {OTHER, "(none)"}
    found = [_paced(known.get(name, Listed(name)), name in known, by.get(name, {}), as_of) for name in names]
    return sorted(found, key=lambda one: (not one.known, not _runs(one), one.listed.campaign))


def _runs(one: Paced) -> bool:
    return bool(one.gone and one.days and one.gone < one.days)


def _paced(one: Listed, known: bool, days: Mapping[date, tuple[int, int]], as_of: date) -> Paced:
    first, last = one.starts or date.min, one.ends or date.max
    inside = {day: n for day, n in days.items() if first <= day <= last}
    span = (last - first).days + 1 if one.starts and one.ends else None
    gone = max(min((as_of - first).days + 1, span), 0) if span else None
    share = gone / span if span and gone is not None else None
    impressions, clicks = (sum(n[place] for n in inside.values()) for place in (0, 1))
    goals = (
        _goal(one.goal_impressions, impressions, share),
        # A day's clicks are 0 where fewer than ten people clicked (`dominance.py`): that is not none.
        _goal(one.goal_clicks, clicks or (None if impressions else 0), share),
    )
    return Paced(
        listed=one,
        known=known,
        days=span,
        gone=gone,
        told=len(inside),
        impressions=goals[0],
        clicks=goals[1],
        outside=sum(n for day, (n, _) in days.items() if day not in inside),
        why=_why(one, known, gone),
    )


def _goal(goal: int | None, delivered: int | None, share: float | None) -> Goal:
    if goal is None or share is None or delivered is None:
        return Goal(goal, delivered)
    expected = goal * share
    return Goal(goal, delivered, round(expected), 100 * delivered / expected if expected else None)


def _why(one: Listed, known: bool, gone: int | None) -> str:
    if not known:
        return WHY[0]
    if one.goal_impressions is None and one.goal_clicks is None:
        return WHY[1]
    if gone is None:
        return WHY[2]
    return "" if gone else WHY[3]
