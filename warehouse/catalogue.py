"""Advertisers, campaigns, creatives, placements, flights and goals, as an operator lists them: adverts.toml.

Nothing here decides what is measured: an id that is not listed is measured as it comes and shown as unlisted.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
from msgspec import Struct

from consent_filter.errors import Misconfigured
from warehouse.catalogue_rows import (
    KINDS,
    Advertiser,
    Campaign,
    Creative,
    Flight,
    Goal,
    Placement,
    called,
)

#: The tables that reports may read, and their columns. `known` is true in each row: after a LEFT JOIN it is
#: null where an id is not listed. `title` is `name` again: a report on adverts may not say `name`, which is a
#: column of facts that was collected for something else.
SCHEMAS: dict[str, pa.Schema] = {
    "catalogue_advertisers": pa.schema([
        ("advertiser", pa.string()), ("name", pa.string()), ("title", pa.string()), ("known", pa.bool_()),
    ]),
    "catalogue_campaigns": pa.schema([
        ("campaign", pa.string()), ("advertiser", pa.string()), ("name", pa.string()),
        ("starts", pa.date32()), ("ends", pa.date32()), ("goal_impressions", pa.int64()),
        ("goal_clicks", pa.int64()), ("price_model", pa.string()), ("holdout", pa.float64()),
        ("title", pa.string()), ("known", pa.bool_()),
    ]),
    "catalogue_creatives": pa.schema([
        ("creative", pa.string()), ("campaign", pa.string()), ("name", pa.string()), ("kind", pa.string()),
        ("size", pa.string()), ("title", pa.string()), ("known", pa.bool_()),
    ]),
    "catalogue_placements": pa.schema([
        ("placement", pa.string()), ("site", pa.string()), ("slot", pa.string()), ("name", pa.string()),
        ("size", pa.string()), ("title", pa.string()), ("known", pa.bool_()),
    ]),
    "catalogue_flights": pa.schema([
        ("campaign", pa.string()), ("placement", pa.string()), ("starts", pa.date32()),
        ("ends", pa.date32()), ("goal_impressions", pa.int64()), ("goal_clicks", pa.int64()),
        ("known", pa.bool_()),
    ]),
    "catalogue_goals": pa.schema([
        ("goal", pa.string()), ("advertiser", pa.string()), ("campaign", pa.string()), ("name", pa.string()),
        ("window_click_days", pa.int32()), ("window_view_days", pa.int32()), ("model", pa.string()),
        ("title", pa.string()), ("known", pa.bool_()),
    ]),
}  # fmt: skip
#: Rows of one kind, at most: a list that an operator keeps, not a log.
MOST = 100_000


class Span(NamedTuple):
    """First and last day, and what is to be delivered; None where nothing was said."""

    starts: date | None
    ends: date | None
    impressions: int | None
    clicks: int | None


class Catalogue(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is listed. Made by `read`, which has checked that its parts name each other rightly."""

    advertiser: tuple[Advertiser, ...] = ()
    campaign: tuple[Campaign, ...] = ()
    creative: tuple[Creative, ...] = ()
    placement: tuple[Placement, ...] = ()
    flight: tuple[Flight, ...] = ()
    goal: tuple[Goal, ...] = ()

    def rows(self, kind: str) -> tuple[Any, ...]:
        """The rows of a kind, one of KINDS."""
        found: tuple[Any, ...] = getattr(self, kind)
        return found

    def span(self, campaign: Campaign) -> Span:
        """What the campaign says, else what its flights say together."""
        flights = [one for one in self.flight if one.campaign == campaign.id]
        return _span(campaign, flights)

    def tables(self) -> dict[str, pa.Table]:
        """A table for each of SCHEMAS, also where it is empty."""
        flights: dict[str, list[Flight]] = {}
        for flight in self.flight:
            flights.setdefault(flight.campaign, []).append(flight)
        rows: dict[str, list[tuple[Any, ...]]] = {
            "advertisers": [(one.id, one.name or one.id) for one in self.advertiser],
            "campaigns": [
                (one.id, one.advertiser, one.name or one.id, *_span(one, flights.get(one.id, [])),
                 one.price_model, one.holdout)
                for one in self.campaign
            ],
            "creatives": [
                (one.id, one.campaign, one.name or one.id, one.kind, one.size) for one in self.creative
            ],
            "placements": [
                (one.id, one.site, one.slot or one.id, one.name or one.id, one.size)
                for one in self.placement
            ],
            "flights": [
                (one.campaign, one.placement, one.starts, one.ends, one.impressions, one.clicks)
                for one in self.flight
            ],
            "goals": [
                (one.id, one.advertiser, one.campaign, one.name or one.id, one.window_click_days,
                 one.window_view_days, one.model)
                for one in self.goal
            ],
        }  # fmt: skip
        return {
            name: _table(rows[name.removeprefix("catalogue_")], schema) for name, schema in SCHEMAS.items()
        }


NOTHING = Catalogue()


def read(path: Path) -> Catalogue:
    """The catalogue in that file; an empty one where there is none. Raises Misconfigured."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return NOTHING
    return parse(data, path.name)


def parse(data: bytes, name: str = "adverts.toml") -> Catalogue:
    """The catalogue in that text. Raises Misconfigured: which key, what it holds, what would be allowed."""
    try:
        said = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(name, "…", f"TOML in UTF-8; {error}") from None
    return build(said, name)


def build(said: dict[str, Any], name: str = "adverts.toml") -> Catalogue:
    """The catalogue that tables of TOML or JSON make. Raises Misconfigured."""
    try:
        found = msgspec.convert(said, Catalogue)
    except msgspec.ValidationError as error:
        allowed = "; ".join(f"[[{kind}]] {', '.join(row.__struct_fields__)}" for kind, row in KINDS.items())
        raise Misconfigured(name, "…", f"{error}; tables and keys are: {allowed}") from None
    check(found)
    return found


def check(found: Catalogue) -> None:
    """That ids are one's own, and what rows name is there. Raises Misconfigured for the first that is not."""
    for kind in KINDS:
        rows = found.rows(kind)
        if len(rows) > MOST:
            raise Misconfigured(kind, len(rows), f"at most {MOST} rows")
        if kind != "flight":
            _once(kind, [row.id for row in rows])
    campaigns = {one.id: one for one in found.campaign}
    known = {
        "advertiser": {one.id for one in found.advertiser},
        "campaign": set(campaigns),
        "placement": {one.id for one in found.placement},
    }
    for kind in KINDS:
        for row in found.rows(kind):
            for key in known:
                named = getattr(row, key, "")
                if named and named not in known[key]:
                    near = ", ".join(sorted(known[key])[:8]) or "none is listed"
                    raise Misconfigured(f"{called(row)}.{key}", named, f"an id of a [[{key}]]: {near}")
    for goal in found.goal:
        if goal.campaign and goal.advertiser and campaigns[goal.campaign].advertiser != goal.advertiser:
            owner = campaigns[goal.campaign].advertiser
            raise Misconfigured(
                f"{called(goal)}.advertiser", goal.advertiser, f"{owner}, whose campaign it is"
            )
    _flights(found.flight, campaigns)


def _once(kind: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for id in ids:
        if id in seen:
            raise Misconfigured(f"{kind}.id", id, f"each {kind} is listed once")
        seen.add(id)


def _flights(flights: Iterable[Flight], campaigns: dict[str, Campaign]) -> None:
    """Each within its campaign, and none over another of the same campaign and placement."""
    last: dict[tuple[str, str], Flight] = {}
    for flight in sorted(flights, key=lambda one: (one.campaign, one.placement, one.starts)):
        whole = campaigns[flight.campaign]
        if whole.starts and flight.starts < whole.starts:
            raise Misconfigured(f"{called(flight)}.starts", str(flight.starts), f"{whole.starts} or later")
        if whole.ends and flight.ends > whole.ends:
            raise Misconfigured(f"{called(flight)}.ends", str(flight.ends), f"{whole.ends} or earlier")
        before = last.get((flight.campaign, flight.placement))
        if before is not None and flight.starts <= before.ends:
            raise Misconfigured(
                f"{called(flight)}.starts",
                str(flight.starts),
                f"after {before.ends}, the last one's end",
            )
        last[flight.campaign, flight.placement] = flight


def _span(campaign: Campaign, flights: list[Flight]) -> Span:
    return Span(
        campaign.starts or min((one.starts for one in flights), default=None),
        campaign.ends or max((one.ends for one in flights), default=None),
        _sum(campaign.impressions, [one.impressions for one in flights]),
        _sum(campaign.clicks, [one.clicks for one in flights]),
    )


def _sum(said: int | None, parts: list[int | None]) -> int | None:
    told = [part for part in parts if part is not None]
    return said if said is not None or not told else sum(told)


def _table(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    if "title" in schema.names:
        place = schema.names.index("name")
        rows = [(*row, row[place]) for row in rows]
    columns = list(zip(*[(*row, True) for row in rows], strict=True)) or [()] * len(schema)
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(columns, schema.types, strict=True)], schema
    )
