"""From exact cells to a table that may leave the house: which rows, with what noise, and what it cost.

Two ways to a table. Where every key may be known beforehand, all rows there can be get noise, empty ones,
too, and those are shown whose noisy people make a group. Where one may not, groups are chosen in private by
their people (`mechanism.choose`). The other numbers get noise of their own in the rows that are shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from warehouse import mechanism
from warehouse.draft import Number
from warehouse.period import Period
from warehouse.release_settings import Release
from warehouse.trend import Trend

#: The part of a trend's budget that goes to telling how much its caps have taken.
TOLD = 0.02
_APART = "\x1f"
Row = tuple[str, ...]


class Plan(NamedTuple):
    """What a trend is going to cost, a month, and how. sigmas: of `people` and the other numbers; told: of
    each count by which clipping is told, in order: heads, rows, people_cut, then each number's; least: the
    noisy people from which on a row is shown."""

    rho: float
    delta: float
    sigmas: dict[str, float]
    told: dict[str, float]
    least: int


class Shown(NamedTuple):
    """A table to be written, and what is said of it. held_back: None where it may not be told."""

    table: pa.Table
    numbers: tuple[Number, ...]
    held_back: int | None
    method: str


def plan(trend: Trend, rho: float, settings: Release) -> Plan:
    """How `rho` a month is spent on a trend: TOLD on clipping, the rest by weight on its numbers (L2: one
    person changes at most `cells` rows of a month, each by at most `most`)."""
    weights, wide = sum(part.weight for part in trend.parts), math.sqrt(trend.cells)
    sigmas = {
        part.name: mechanism.scale(wide * part.most, rho * (1 - TOLD) * part.weight / weights)
        for part in trend.parts
    }
    tolls = {"heads": 1, "rows": trend.cells, "people_cut": 1}
    tolls |= {f"{part.name}_cut": trend.cells for part in trend.numbers}
    told = {name: mechanism.scale(l2, rho * TOLD / len(tolls)) for name, l2 in tolls.items()}
    least = mechanism.threshold(settings.min_group * trend.times, sigmas["people"], settings.doubt)
    spent = sum(mechanism.cost(wide * part.most, sigmas[part.name]) for part in trend.numbers)
    spent += sum(mechanism.cost(l2, told[name]) for name, l2 in tolls.items())
    people, delta = mechanism.cost(wide, sigmas["people"]), 0.0
    if trend.open:
        _, people, delta = mechanism.choose({}, trend.cells, sigmas["people"], least)
    return Plan(spent + people, delta, sigmas, told, least)


def disclose(
    trend: Trend, exact: pa.Table, period: Period, sites: Sequence[str], how: Plan, confidence: float
) -> Shown:
    """Draw the noise of one table. exact: as `window.count` adds it up, of this period and these sites or of
    more. Only after `how` is paid for."""
    times = set(trend.times_of(period))
    found = {
        row: cell
        for cell in exact.to_pylist()
        if (row := tuple(cell[key] for key in trend.keys))[0] in sites and row[1] in times
    }
    months = {trend.month_of(time) for time in times}
    clipped = _clipped(trend, found.values(), sorted(product(sites, sorted(months))), how.told)
    held_back: int | None
    if trend.open:
        at = {_APART.join(row): row for row in found}
        counts = {name: found[row]["people"] for name, row in at.items()}
        chosen = mechanism.choose(counts, trend.cells, how.sigmas["people"], how.least)
        rows, people = [at[name] for name in chosen.counts], np.array([*chosen.counts.values()], np.int64)
        order = sorted(range(len(rows)), key=lambda n: rows[n])
        rows, people, held_back = [rows[n] for n in order], people[order], None
    else:
        every = list(_every(trend, period, sites))
        noisy = mechanism.add([_of(found, row, "people") for row in every], how.sigmas["people"])
        stay = np.flatnonzero(noisy >= how.least)
        rows, people = [every[n] for n in stay], noisy[stay]
        held_back = possible(trend, period, len(sites)) - len(stay)
    columns: dict[str, pa.Array] = {
        key: pa.array([row[n] for row in rows], pa.string()) for n, key in enumerate(trend.keys)
    }
    numbers = []
    for part in trend.parts:
        sigma = how.sigmas[part.name]
        if part is not trend.people:
            # Of all rows that are shown, whatever they are: which ones that is has been paid for.
            people = mechanism.add([_of(found, row, part.name) for row in rows], sigma)
        n, low, high = mechanism.interval(people, sigma, confidence)
        for suffix, values in (("", n), ("_low", low), ("_high", high)):
            columns[part.name + suffix] = pa.array(values, pa.int64())
        most = part.most * trend.cells * len(months)
        numbers.append(
            Number(name=part.name, says=part.says, most=most, scale=sigma, clipped=clipped[part.name])
        )
    return Shown(pa.table(columns), tuple(numbers), held_back, method(trend, how, confidence))


def method(trend: Trend, how: Plan, confidence: float) -> str:
    """What was done to a table, in words for its readers. The same whatever the data are."""
    caps = ", ".join(f"{part.most:,} {part.name}" for part in trend.numbers)
    words = [
        "What is protected is whether somebody is counted at all, for as long as their pseudonym lasts:"
        " while they allow an identifier, else a day, so that who allows none is another person every day",
        f"of a month nobody counts in more than {trend.cells} row{'s' * (trend.cells > 1)} of this table"
        + (f", nor adds more to a row than {caps}" if caps else ""),
        "each number has discrete Gaussian noise of its own; the interval holds the exact number, as it was"
        f" counted under these limits, with {confidence:.0%} confidence",
    ]
    if trend.open:
        words.append(
            "groups that nobody knows beforehand are chosen in private, by their noisy count of people"
        )
    words.append(f"rows of fewer than {how.least:,} people, counted with noise, are not shown")
    words.append("clipped is the share of contributions that a limit has cut, told with noise")
    return "; ".join(words) + "."


def possible(trend: Trend, period: Period, sites: int) -> int:
    """How many rows there can be."""
    return math.prod([sites, len(trend.times_of(period)),
                      *(len(trend.space(key, period)) for key in trend.keys[2:])])  # fmt: skip


def _every(trend: Trend, period: Period, sites: Sequence[str]) -> Iterator[Row]:
    """Every row that there can be, in order."""
    return product(
        sorted(sites), trend.times_of(period), *(trend.space(key, period) for key in trend.keys[2:])
    )


def _of(found: Mapping[Row, Mapping[str, int]], row: Row, name: str) -> int:
    return int(found[row][name]) if row in found else 0


def _clipped(
    trend: Trend,
    cells: Iterable[Mapping[str, Any]],
    months: Sequence[tuple[str, str]],
    told: Mapping[str, float],
) -> dict[str, float]:
    """Of each number the share of contributions that were cut: noisy counts over all rows, shown or not."""
    sums: dict[str, NDArray[np.int64]] = {name: np.zeros(len(months), np.int64) for name in told}
    place = {month: n for n, month in enumerate(months)}
    for cell in cells:
        at = place.get((cell["site"], trend.month_of(cell[trend.keys[1]])))
        if at is not None:
            for name in told:
                sums[name][at] += cell["people" if name == "rows" else name]
    noisy = {name: max(int(mechanism.add(values, told[name]).sum()), 0) for name, values in sums.items()}
    found = {"people": (noisy["people_cut"], noisy["heads"])}
    found |= {part.name: (noisy[f"{part.name}_cut"], noisy["rows"]) for part in trend.numbers}
    return {name: round(min(cut / of, 1.0), 3) if of else 0.0 for name, (cut, of) in found.items()}
