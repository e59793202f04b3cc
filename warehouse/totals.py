"""Totals with those who refused: the table `totals` of a draft, from `activity` and counts of requests (S6).

Refused requests are about nobody that is known, so no budget can be kept for them; they are told to the
hundred. All else is made of what has been drawn already, which costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse import draft
from warehouse.draft import Number, Table
from warehouse.everyone import Interval, Told, alike, bounds
from warehouse.period import Period

#: Refusals of visitors. Robots, retries and malformed requests are nobody's.
WORDS = ("consent", "signal")
STEP = 100
_KINDS = ("people", "views", "visits")
_SAYS = {
    "people": "people; who has no identifier is one a day",
    "views": "page views",
    "visits": "visits",
    "events": "events of any kind",
}
_METHOD = (
    "Made of the table “Activity” and of the number of requests that were refused, told to the hundred;"
    " nothing else is kept of those. Assuming nothing (none): the interval holds the truth whoever the"
    " refused were, one person or each request another; n is as measured. Assuming that they are alike"
    " (alike): that who refused sends as many events a person and month as who agreed, and nobody more than"
    " {most:,}; the interval then holds the truth with {confidence:.0%} confidence. Nobody is modelled one by"
    " one."
)

Refusals = Mapping[tuple[str, str, str], int]


def write(
    into: Path,
    activity: Table,
    drawn: pa.Table,
    refused: Refusals,
    sites: Sequence[str],
    period: Period,
    most: int,
    least: int,
    confidence: float,
) -> Table:
    """The table `totals`: two rows a site and month. drawn: `activity` as it was; most: events that a person
    adds to it at most; least: below how many people (with noise) it has no row."""
    sigma = {one.name: one.scale for one in activity.numbers}
    held = {(row["site"], row["month"]): row for row in drawn.to_pylist()}
    rows: list[dict[str, Any]] = []
    for site in sorted(sites):
        for month in period.months:
            low = sum(_floor(refused.get((site, month, why), 0)) for why in WORDS)
            out = low, low + len(WORDS) * (STEP - 1)
            row = held.get((site, month))
            for assuming in ("alike", "none"):
                found = _row(row, sigma, out, most, least, confidence, assuming)
                rows.append({"site": site, "month": month, "assuming": assuming} | _columns(found))
    keys = ("site", "month", "assuming")
    names = [name + end for name in (*_KINDS, "events") for end in ("", "_low", "_high")]
    types = [(key, pa.string()) for key in keys] + [(name, pa.int64()) for name in names]
    return draft.table_of(
        into, pa.Table.from_pylist(rows, schema=pa.schema(types)), name="totals",
        title="Everyone, with those who refused",
        doc="Who refuses to be measured leaves a count of requests, and nothing else. How many there were"
        " with them can be said as an interval only.",
        method=_METHOD.format(most=most, confidence=confidence), purpose=activity.purpose, keys=keys,
        numbers=tuple(
            Number(name=one.name, says=_SAYS[one.name], most=one.most, scale=one.scale, clipped=one.clipped)
            for one in activity.numbers
        ),
        held_back=0, cells=activity.cells, least=activity.least, rho=0.0, delta=0.0, made_from=activity.name,
    )  # fmt: skip


def mix(drawn: pa.Table | None, refused: Refusals, sites: Sequence[str]) -> dict[str, dict[str, int]]:
    """Of each site: `stored` (the noisy events of the rows shown), and what was refused, to the hundred."""
    found: dict[str, dict[str, int]] = {site: {} for site in sites}
    for row in drawn.to_pylist() if drawn is not None else ():
        found[row["site"]]["stored"] = found[row["site"]].get("stored", 0) + row["events"]
    for (site, _, why), n in refused.items():
        found[site][why] = found[site].get(why, 0) + n
    return {
        site: {why: n if why == "stored" else _floor(n) for why, n in sorted(of.items())}
        for site, of in found.items()
    }


def _row(
    row: Mapping[str, Any] | None,
    sigma: Mapping[str, float],
    out: tuple[int, int],
    most: int,
    least: int,
    confidence: float,
    assuming: str,
) -> dict[str, Interval]:
    if row is None:  # few agreed: how many is not told, but that they were fewer than so many
        few = round(least + 2 * sigma["people"])
        last = {name: few * (1 if name == "people" else most) + out[1] for name in (*_KINDS, "events")}
        first = dict.fromkeys(_KINDS, 0) | {"events": out[0]}
        return {name: Interval((first[name] + n) // 2, first[name], n) for name, n in last.items()}
    told = {name: Told(row[name], sigma[name]) for name in (*_KINDS, "events")}
    found = {"events": bounds(told["events"], out, confidence, adds=True)}
    for name in _KINDS:
        if assuming == "none":
            found[name] = bounds(told[name], out, confidence)
        else:
            part = None if name == "people" else told[name]
            found[name] = alike(told["people"], told["events"], out, most, confidence, part)
    return found


def _columns(found: Mapping[str, Interval]) -> dict[str, int]:
    return {
        name + end: value
        for name, one in found.items()
        for end, value in (("", one.n), ("_low", one.low), ("_high", one.high))
    }


def _floor(n: int) -> int:
    return n // STEP * STEP
