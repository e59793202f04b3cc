"""Released tables of a made-up market, for every report there is: believable, the same every time, valid."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse import report as reports
from warehouse.reader import Reader, Reading
from warehouse.released import Store
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

LAST = date(2026, 11, 22)
#: Rows of each report below the site and the day, the commonest first; a tuple is one value for each key.
_TEXT = """
pages / | /projects | /project/{project} | /u/{freelancer} | /post-a-project | /how-it-works | /pricing
pages /sign-up | /messages/{conversation} | /blog/hiring-a-designer-without-losing-a-week | /privacy | (other)
entry_pages / | /projects | /project/{project} | /blog/hiring-a-designer-without-losing-a-week | (other)
exit_pages /project/{project} | / | /projects | /pricing | (other)
sources search google.com | direct - | social linkedin.com | search bing.com | referral news.ycombinator.com
sources social reddit.com | mail mail.google.com | referral (other)
campaigns newsletter email november | google cpc brand | linkedin paid designers | (other) (other) (other)
countries DE | US | GB | IN | FR | AT | PL | BR | ZZ | (other)
devices desktop | mobile | tablet | other
browsers Chrome Windows | Safari iOS | Chrome Android | Safari macOS | Firefox Linux
browsers Edge Windows | (other) (other)
adverts autumn blue-4 home-top EU DE desktop | autumn blue-4 home-top EU DE mobile
adverts autumn blue-2 list-3 EU FR mobile | freelancers portrait home-top NA US mobile
adverts freelancers text project-side EU (other) (other)
delivery autumn | freelancers | help | (none)
viewing autumn seconds 0-1 | autumn seconds 1-2 | autumn seconds 2-5 | autumn seconds 5-10
viewing autumn seconds 10-30 | autumn seconds 30-60 | autumn seconds 60+ | autumn share 0
viewing autumn share 50-74 | autumn share 100 | autumn size 300x250 | autumn size 970x250 | autumn size small
speed LCP device desktop | LCP device mobile | LCP page / | LCP page /projects | LCP country DE
speed INP device desktop | INP device mobile | CLS device desktop | TTFB device mobile | load device mobile
page_errors TypeError / | promise /projects | resource / | foreign (other)
interest /project DE mobile | /projects DE desktop | /blog US mobile | (other) (other) (other)
conversions buy autumn | buy freelancers | buy (none) | sign_up autumn
attribution buy autumn | buy freelancers | buy (unattributed) | sign_up autumn
conversion_paths autumn (none) | freelancers (none) | autumn buy | (unattributed) buy
holdout autumn exposed entered | autumn holdout entered | autumn exposed ordered | autumn holdout ordered
holdout freelancers exposed entered
advert_hours autumn impression counted 2026-11-22T10 | autumn impression counted (other)
advert_hours freelancers impression counted 2026-11-22T10
advert_refusals autumn impression robot 2026-11-22T10 | autumn impression consent 2026-11-22T10
advert_balance ad_impression autumn stored | ad_impression autumn consent | ad_impression autumn robot
advert_balance ad_click autumn stored | (other) (other) (other)
invalid_traffic ad_impression autumn none valid | ad_impression autumn general data_centre
invalid_traffic ad_click autumn none valid | ad_impression freelancers none valid
custom_events event sign_up | click outbound | event post_project | event bid_placed
custom_events click download | event hired
new_returning new | returning | unknown
consent_mix consent choice DE | exempt none DE | notice none US | (other) (other) (other)
tasks web | design | translation | (none)
marketplace bid_placed web | bid_placed design | bid_placed translation | bid_accepted web
marketplace bid_accepted (other) | feedback_left web | transaction_completed web
refused beacon DE consent opt_in | beacon US signal gpc | beacon ZZ robot list | pixel US robot prefetch
refused beacon DE duplicate event_id | beacon ZZ invalid json
"""
ROWS: dict[str, list[tuple[Any, ...]]] = {"traffic_hour": [(hour,) for hour in (*range(9, 22), *range(9))]}
ROWS["liquidity"] = [
    ("hours to the first bid", f"from {least}") for least in (0, 1, 4, 12, 24)
] + [("bids a hire had", f"from {least}") for least in (1, 2, 4)]  # fmt: skip
for _line in _TEXT.strip().splitlines():
    _name, _values = _line.split(" ", 1)
    for _row_text in _values.split(" | "):
        ROWS.setdefault(_name, []).append(tuple("" if word == "-" else word for word in _row_text.split(" ")))


def fill(
    data: Path, days: int = 35, sites: tuple[str, ...] = ("market",), last: date = LAST, scale: float = 1.0
) -> None:
    """Put a table for every report into the store of a data folder."""
    store = Store.open(data)
    for one in reports.load().values():
        put(store, one, table(one, days, sites, last, scale))
    store.close()


def fill_published(data: Path, *how: Any, **more: Any) -> None:
    """The same, published."""
    fill(data, *how, **more)
    store = Store.open(data)
    publish(data, Warehouse(), store)
    store.close()


def put(store: Store, one: Report, rows: pa.Table) -> bool:
    """Replace a report's whole table."""
    span = sorted(set(rows["day"].to_pylist())) if one.grain == "day" else None
    return store.replace(one, span, rows, "groups of at least 10; small rows folded into (other)")


def table(one: Report, days: int, sites: tuple[str, ...], last: date, scale: float = 1.0) -> pa.Table:
    """A report's table in its own columns and types."""
    rows = [
        row for nth, site in enumerate(sites) for row in _rows(one, site, days, last, scale / (1 + 3 * nth))
    ]
    if not one.people:
        rows = [{name: value for name, value in row.items() if name != "people"} for row in rows]
    names = [*one.keys, *one.groups, *one.sums]
    return pa.table({name: pa.array([row[name] for row in rows], _type(name, one)) for name in names})


def _type(name: str, one: Report) -> pa.DataType:
    if name in ("day", "week", "begins", "cohort_week"):
        return pa.date32()
    if name in ("hour", "step", "week_offset"):
        return pa.int32()
    return pa.string() if name in one.keys else pa.int64()


def crowd(day: date, scale: float) -> int:
    """Visitors of a day: growing, with quiet week-ends and some weather."""
    weather = random.Random(day.toordinal()).uniform(0.9, 1.12)
    return (
        int(
            scale * (620 + 6 * (day - date(2026, 8, 1)).days) * (0.62 if day.weekday() > 4 else 1.0) * weather
        )
        + 40
    )


def _rows(one: Report, site: str, days: int, last: date, scale: float) -> list[dict[str, Any]]:
    spans = [last - timedelta(days=n) for n in range(days)]
    weeks = sorted({day - timedelta(days=day.weekday()) for day in spans})
    at = {"site": site}
    if one.name == "funnel":
        steps = list(enumerate(["sign_up", "post_project", "bid_placed", "hired"]))
        return [
            _row(one, at | {"week": week, "step": i + 1, "name": name}, int(900 * scale * 0.45**i) + 12)
            for week, (i, name) in itertools.product(weeks, steps)
        ]
    if one.name == "experiments":
        seen = (("checkout", "a", 0.081), ("checkout", "b", 0.099), ("hero", "film", 0.0))
        return [
            _row(
                one,
                at
                | {"begins": spans[-1], "experiment": name, "variant": variant, "kind": kind}
                | {"step": int(share < 1), "goal": goal},
                int((4000 + 31 * (variant == "b")) * scale * share) + 12,
            )
            for name, variant, hired in seen
            for kind in ("known", "unknown")
            for goal, share in (("(assigned)", 1.0), ("hired", hired), ("sign_up", hired * 2))
            if share
        ]
    if one.name == "retention":
        return [
            _row(one, at | {"cohort_week": a, "week_offset": n}, int(1400 * scale * 0.3 * 0.8**n) + 10)
            if n
            else _row(one, at | {"cohort_week": a, "week_offset": 0}, int(1400 * scale) + 10)
            for a in weeks
            for n in range((weeks[-1] - a).days // 7 + 1)
        ]
    if one.name == "pressure":
        return [
            _row(one, at | {"week": week, "kind": kind, "band": band}, int(900 * scale * 0.5**place) + 12)
            for week in weeks
            for kind in ("all", "messages")
            for place, band in enumerate(["1-2", "3-5", "6-10", "11-20", "21-40", "41-80", "81+"])
        ]
    if one.name == "reach":
        begun = [("day", day) for day in spans] + [("week", week) for week in weeks] + [("flight", spans[-1])]
        return [
            _row(
                one,
                at
                | {"period": period, "begins": begins, "ad_campaign": "autumn", "kind": kind, "band": band},
                int(500 * scale * 0.5**place / (20 if kind == "filtered" else 1)) + 12,
            )
            | ({"net_impressions": 0} if kind == "filtered" else {})
            for period, begins in begun
            for kind in ("known", "filtered", "told", "told_known")
            for place, band in enumerate(["1", "2", "3", "4-6", "7+"])
        ]
    if one.name == "growth":
        spells = [("week", week, 6) for week in weeks]
        spells += [("month", month, 26) for month in sorted({day.replace(day=1) for day in spans})]
        return [
            _row(one, at | {"period": period, "begins": begins}, crowd(begins, scale) * times)
            for period, begins, times in spells
        ]
    found = []
    for day in spans:
        people = crowd(day, scale)
        rest = [key for key in one.keys if key not in ("site", "day")]
        parts: list[dict[str, Any]] = []
        for place, values in enumerate(ROWS.get(one.name, [("some",) * len(rest)]) if rest else [()]):
            padded = (*values, *(OTHER for _ in rest))[: len(rest)]
            share = people if not rest else int(people * 0.44 / (1 + place * 0.9)) + 10
            parts.append(_row(one, {"site": site, "day": day, **dict(zip(rest, padded, strict=True))}, share))
        # What is left of the day is nobody, or a group: the last row has the others (`warehouse/attack`).
        left = people - sum(row["people"] for row in parts)
        if rest and -2 < left < 10:
            parts[-1] = _row(one, {key: parts[-1][key] for key in one.keys}, parts[-1]["people"] + left + 14)
        found += parts
    return found


def _row(one: Report, keys: dict[str, Any], people: int) -> dict[str, Any]:
    """Numbers that agree with each other, from how many people a row is about."""
    times = {
        "visits": 1.2, "views": 3.7, "events": 5, "bounces": 0.41, "duration_ms": 148_000, "scrolled": 61,
        "impressions": 6, "viewable": 3.9, "clicks": 0.11, "received": 7, "stored": 5, "refused": 2, "n": 0.4,
        "requests": 7.4, "served": 6.5, "measured": 5.6, "net_impressions": 5.7, "net_measured": 5.3,
        "net_viewable": 3.7, "net_clicks": 0.09, "ended": 3.1, "band_1": 0.3, "band_2": 0.32, "band_3": 0.15,
        "band_4": 0.08, "band_5": 0.05, "band_6": 0.04, "errors": 0.6,
    }  # fmt: skip
    many = {name: int(people * factor) + 1 for name, factor in times.items()}
    many["received"] = many["stored"] + many["refused"]
    many["people"] = people
    return keys | {name: many.get(name, people) for name in ("people", "others", *one.sums)}


@contextmanager
def published(data: Path, store: Store) -> Iterator[Reading]:
    """What is in the store, published and read; the store is closed."""
    publish(data, Warehouse(), store)
    store.close()
    reader = Reader(data, Warehouse())
    with reader.reading() as one:
        yield one
    reader.close()
