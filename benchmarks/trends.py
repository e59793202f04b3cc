"""A quarter drafted for investors: how long it takes, and how far its numbers are from what there was.

Relative errors are of all numbers in rows of over 1,000 people, at the default budget: against what was
counted under the caps (noise alone), and against what there was (noise and caps). Time is against the same
counting without noise and price. A long audit of the noise: THRONG_DRAWS=400000 with
tests/warehouse/test_mechanism.py.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from benchmarks.crowd import events
from benchmarks.laid import lay
from benchmarks.line import emit
from consent_filter.ledger import Ledger
from consent_filter.site import Site
from pipelines import drafting, trends
from pipelines.settings import Pipelines
from warehouse import draft, mechanism, trend, window
from warehouse.footprint import EVENTS as OF
from warehouse.footprint import RECEIVED
from warehouse.lake import Lake
from warehouse.period import read as period
from warehouse.relations import offer_withdrawn
from warehouse.release_settings import Release
from warehouse.trend import Part, Trend

EVENTS, PEOPLE = 3_000_000, 150_000
QUARTER, SITES = period("2026-Q3"), ("help", "market", "market-in")
MANY = 1 << 40


def fill(data: Path, n: int, people: int) -> int:
    """A lake with a crowd's quarter; how many events."""
    total = lay(data, events(n, people, 92, first=date(2026, 7, 1)))
    Ledger.open(data / "ledger.sqlite").close()
    return total


def boundless(one: Trend) -> Trend:
    """The same without a cap."""

    def more(part: Part) -> Part:
        return msgspec.structs.replace(part, most=MANY)

    return msgspec.structs.replace(one, cells=MANY, numbers=tuple(map(more, one.numbers)))


def uncapped(data: Path) -> dict[str, pa.Table]:
    lake = Lake.open(data)
    assert lake is not None
    con = lake.connection.cursor()
    offer_withdrawn(con, np.zeros(0, np.uint64))
    chosen = [boundless(one) for one in trend.load().values()]
    found = {one.name: cells for one, cells in window.count(con, OF, RECEIVED, chosen, QUARTER, SITES)}
    lake.close()
    return found


def errors(data: Path, made: draft.Draft, exact: dict[str, pa.Table]) -> dict[str, list[float]]:
    """number → relative errors in rows of over 1,000 people."""
    found: dict[str, list[float]] = {}
    for one in (trend.load()[table.name] for table in made.tables if table.rho):
        true: dict[tuple[Any, ...], dict[str, Any]] = {
            tuple(row[key] for key in one.keys): row for row in exact[one.name].to_pylist()
        }
        for row in draft.table(data, made.id, one.name).to_pylist():
            there = true[tuple(row[key] for key in one.keys)]
            for part in one.parts:
                if there["people"] > 1000 and there[part.name] > 0:
                    error = abs(row[part.name] - there[part.name]) / there[part.name]
                    found.setdefault(f"{one.name}.{part.name}", []).append(error)
    return found


def main(n: int = EVENTS, people: int = PEOPLE) -> None:
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        total = fill(data, n, people)
        began = time.monotonic()
        capped = trends.exact(data, QUARTER, SITES, list(trend.load().values()), Pipelines())
        counting = time.monotonic() - began
        began = time.monotonic()
        made = drafting.run(
            data, "investors", QUARTER, [Site(id=one) for one in SITES], Release(), Pipelines()
        )
        took = time.monotonic() - began
        emit("a quarter drafted", took, "s", against="counted without noise", ratio=took / counting, n=1)
        emit("a quarter drafted, facts", total, "events")
        for what, exact in (("noise", capped), ("noise and caps", uncapped(data))):
            found = errors(data, made, exact)
            every = [error for some in found.values() for error in some]
            emit(
                f"median relative error over 1,000 people: {what}",
                statistics.median(every) * 100,
                "%",
                n=len(every),
            )
            for number, some in sorted(found.items()):
                emit(f"  {number}: {what}", statistics.median(some) * 100, "%", n=len(some))
        began = time.monotonic()
        mechanism.add(np.zeros(100_000, np.int64), 25.0)
        emit("noise on 100,000 cells", time.monotonic() - began, "s")


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:]))
