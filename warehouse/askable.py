"""What may be asked of facts: measures and dimensions, each declared once, and the report that a question is.

A question becomes a report in memory, by day, of which all keys that it names (to show, or to filter by) are
keys: so it goes the way of every report, through caps, minimum group, folding, dominance and cell keys
(`build.py`), and there is no second gate. All measures of a subject are always counted, so that whatever is
asked together, the same keys are the same table with the same people in each row.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from msgspec import Struct

from consent_filter.errors import Refused
from warehouse.report import Report

#: The most keys that a question names, to show and to filter by: a row of more would be of fewer people, and
#: each further crossing is one more draw of noise for whoever averages (docs/explore.md).
MOST_KEYS = 3


class Subject(Struct, frozen=True, kw_only=True):
    """What one kind of question is about. dimensions: name → SQL; in the order in which small rows fold, from
    the coarsest to the finest. measures: name → SQL over what one person has in a row, and the most that one
    person adds to it. cells: in how many rows of a day one person counts. source: what is read, given the
    keys."""

    name: str
    title: str
    purpose: str
    source: str
    dimensions: dict[str, str]
    measures: dict[str, tuple[str, int]]
    cells: int
    #: Joined where one of these dimensions is named: what a person had on most events of the day.
    joined: dict[str, str] = {}
    join: str = ""


_WHO = {
    "country": "coalesce(country, 'ZZ')",
    "device": "coalesce(device, 'other')",
    "os": "coalesce(os, '(unknown)')",
    "browser": "coalesce(browser, '(unknown)')",
}
_MOST_OF = ", ".join(f"arg_max({said}, (events, {said})) AS {name}" for name, said in _WHO.items())
_ADVERT_SUMS = (
    "requests", "served", "impressions", "measured", "viewable", "clicks", "net_impressions", "net_measured",
    "net_viewable", "net_clicks",
)  # fmt: skip
SUBJECTS = (
    Subject(
        name="events",
        title="Views and events",
        purpose="measurement",
        source="events",
        dimensions={
            **_WHO,
            "type": "type",
            "hour": "lpad(hour(local)::VARCHAR, 2, '0')",
            "path": "coalesce(path, '(none)')",
            "name": "coalesce(name, '(none)')",
        },
        measures={
            "views": ("count(*) FILTER (type = 'page_view')", 1000),
            "events": ("count(*)", 5000),
            "duration_ms": ("coalesce(sum(duration_ms) FILTER (type = 'engagement'), 0)", 43_200_000),
        },
        cells=100,
    ),
    Subject(
        name="visits",
        title="Visits",
        purpose="measurement",
        source="visits",
        dimensions={
            **{name: name for name in _WHO},
            "referrer_group": "coalesce(referrer_group, 'direct')",
            "referrer_host": "coalesce(referrer_host, '(none)')",
            "utm_source": "coalesce(utm_source, '(none)')",
            "utm_medium": "coalesce(utm_medium, '(none)')",
            "utm_campaign": "coalesce(utm_campaign, '(none)')",
            "entry": "coalesce(entry, '(none)')",
            "leave": "coalesce(leave, '(none)')",
        },
        measures={
            "visits": ("count(*)", 48),
            "bounces": ("sum(bounced)", 48),
            "visit_views": ("sum(views)", 1000),
            "visit_ms": ("sum(duration_ms)", 43_200_000),
        },
        cells=20,
        joined=_WHO,
        join=f" JOIN (SELECT site, day, person, {_MOST_OF} FROM profiles GROUP BY ALL)"
        " USING (site, day, person)",
    ),
    Subject(
        name="adverts",
        title="Adverts",
        purpose="ad_measurement",
        source="advert_views",
        dimensions={
            "ad_campaign": "coalesce(ad_campaign, '(none)')",
            "ad_creative": "coalesce(ad_creative, '(none)')",
            "ad_placement": "coalesce(ad_placement, '(none)')",
            "country": "coalesce(country, 'ZZ')",
            "device": "coalesce(device, 'other')",
        },
        measures={name: (f"sum({name})", 20 if name.endswith("clicks") else 500) for name in _ADVERT_SUMS},
        cells=50,
    ),
)
BY_NAME = {one.name: one for one in SUBJECTS}
#: The measure that every subject has.
PEOPLE = "people"
MEASURES = (PEOPLE, *(name for one in SUBJECTS for name in one.measures))
DIMENSIONS = tuple(dict.fromkeys(name for one in SUBJECTS for name in one.dimensions))


#: What people call a purpose, and its name.
CALLED = {"analytics": "measurement", "adverts": "ad_measurement"}
PURPOSES = tuple(dict.fromkeys(one.purpose for one in SUBJECTS))


def subject(measures: Collection[str], keys: Collection[str], purpose: str = "") -> Subject:
    """The subject that has all of them, the first that does, of those for a purpose where one is named.
    Raises Refused, naming what does not fit."""
    _may(measures, keys, purpose)
    some = [one for one in SUBJECTS if purpose in ("", one.purpose)]
    for one in some:
        if {*measures} - {PEOPLE} <= one.measures.keys() and {*keys} <= one.dimensions.keys():
            return one
    mine = [one for one in some if {*measures} - {PEOPLE} <= one.measures.keys()]
    if not mine:
        of = "; ".join(f"{one.title}: {', '.join(one.measures)}" for one in SUBJECTS)
        raise Refused(
            400, "subjects", "these measures are of different subjects, ask one at a time: {of}", of=of
        )
    fits = "; ".join(f"{one.title}: {', '.join(one.dimensions)}" for one in mine)
    raise Refused(400, "dimension", "what is counted here can be told by {fits}", fits=fits)


def _may(measures: Collection[str], keys: Collection[str], purpose: str) -> None:
    """Refuse a question for a purpose that it may not be for, or that names what was collected for another
    (S7): rows that allow one purpose are never read for another, nor put beside them."""
    if not purpose:
        return
    if purpose not in PURPOSES:
        raise Refused(
            403, "purpose", "nothing is answered for {purpose}: who allows it, beside who allows another"
            " purpose, would tell who does not; questions are for {purposes}",
            purpose=purpose, purposes=" or ".join(PURPOSES),
        )  # fmt: skip
    has = {PEOPLE} | {
        name for one in SUBJECTS if one.purpose == purpose for name in (*one.measures, *one.dimensions)
    }
    if strange := [name for name in (*measures, *keys) if name not in has]:
        of = next(one for one in SUBJECTS if strange[0] in (*one.measures, *one.dimensions))
        raise Refused(
            403, "purpose", "{name} is collected for {its}, and this question is for {purpose}: ask it for"
            " {its}, by itself", name=strange[0], its=of.purpose, purpose=purpose,
        )  # fmt: skip


def subject_of(report: str) -> Subject:
    """The subject of such a report, by its name."""
    return BY_NAME[report.split("_")[1]]


@cache
def report(name: str, keys: tuple[str, ...]) -> Report:
    """The report that every question of that subject with these keys is answered from."""
    of = BY_NAME[name]
    chosen = tuple(one for one in of.dimensions if one in keys)
    if len(chosen) > MOST_KEYS:
        raise Refused(
            400, "narrow", "a question names {most} dimensions at most, to show and to filter by; there are"
            " {n}: {chosen}", most=MOST_KEYS, n=len(chosen), chosen=", ".join(chosen),
        )  # fmt: skip
    columns = "".join(f"{of.dimensions[one]} AS {one}, " for one in chosen)
    sums = ", ".join(f"({sql})::BIGINT AS {one}" for one, (sql, _) in of.measures.items())
    join = of.join if any(one in of.joined for one in chosen) else ""
    caps = {one: most for one, (_, most) in of.measures.items()}
    return Report(
        name="_".join(("asked", name, *chosen)),
        title=of.title,
        doc="A question, as a report.",
        owner="whoever asks",
        purpose=of.purpose,
        keys=("site", "day", *chosen),
        sums=tuple(of.measures),
        fold=chosen,
        caps={"cells": of.cells, **caps} if chosen else caps,
        sql=f"SELECT site, day, {columns}person, {sums} FROM {of.source}{join} GROUP BY ALL",
    )
