"""Trends: headers that cannot be wrong, and what one person changes is never more than they say."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from consent_filter.errors import Misconfigured
from tests.warehouse.crowd import Row, events, person
from throng.release_options import AUDIENCES
from warehouse import trend as trends
from warehouse import window
from warehouse.period import read as period
from warehouse.relations import Bucket, hold, offer_withdrawn
from warehouse.trend import Trend, read

QUARTER = period("2026-Q3")
HEADER = """/*
title = "T"
doc = "D"
owner = "investors"
purpose = "measurement"
keys = ["site", "month"]
cells = 2
people = { name = "people", says = "people", most = 1, weight = 1 }
numbers = [{ name = "views", says = "views", most = 3, weight = 1 }]
*/
SELECT site, strftime(day, '%Y-%m') AS month, person, sum(views) AS views FROM profiles GROUP BY ALL
"""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("cells = 2\n", "", "cells"),
        ("cells = 2", "cells = 0", "rows a person may count in"),
        (", most = 3", "", "most"),
        ("most = 3", "most = 0", "above 0"),
        ("weight = 1 }]", "weight = 0 }]", "above 0"),
        ('says = "views"', 'says = ""', "a sentence"),
        ('"site", "month"', '"month", "site"', "site and month first"),
        ('"site", "month"', '"site", "month", "country"', "one for each key"),
        ('cells = 2', 'grain = "week"\ncells = 2', "site and begins first"),
        ('cells = 2', 'cells = 2\nspaces = { country = "all" }', "one for each key"),
        ('cells = 2', 'cells = 2\naudiences = ["everybody"]', "investors"),
        ('cells = 2', 'cells = 2\nnonsense = 1', "nonsense"),
        ('"measurement"', '"curiosity"', "one of"),
        ("FROM profiles", ", ad_slot FROM profiles", "a purpose that ad_slot was collected for"),
        ("SELECT", "DELETE", "one SELECT"),
        ("most = 1,", "most = 2,", "nobody is two people"),
    ],
)  # fmt: skip
def test_a_trend_that_does_not_say_what_one_person_adds_is_refused(old: str, new: str, says: str) -> None:
    assert read("t", HEADER).cells == 2
    with pytest.raises(Misconfigured, match=says) as refused:
        read("t", HEADER.replace(old, new, 1))
    assert "trends/t.sql" in str(refused.value)


def test_time_and_spaces() -> None:
    weeks, months = trends.load()["weeks"], trends.load()["retention"]
    assert weeks.times_of(QUARTER)[0] == "2026-06-29", "it ends in July"
    assert weeks.times_of(QUARTER)[-1] == "2026-09-21", "the next one ends in October"
    assert weeks.month_of("2026-06-29") == "2026-07"
    assert weeks.span(QUARTER)[1:] == (date(2026, 6, 29), date(2026, 9, 27))
    assert months.space("cohort", QUARTER)[::14] == ("2025-07", "2026-09")
    assert {"DE", "ZZ"} < set(trends.load()["countries"].space("country", QUARTER))
    assert AUDIENCES == trends.AUDIENCES


class Facts:
    """Rows in one connection, to be counted again and again."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._connection = duckdb.connect(config={"threads": 1})
        hold(self._connection, "facts_of", pa.Table.from_batches([events(rows)]))
        hold(self._connection, "balance_of", pa.table({"day": pa.array([], pa.date32())}))

    def count(self, chosen: Sequence[Trend], of: int = 1, out: Iterable[int] = ()) -> dict[str, pa.Table]:
        offer_withdrawn(self._connection, np.array([person(number) for number in out], np.uint64))
        parts: dict[str, list[pa.Table]] = {one.name: [] for one in chosen}
        for number in range(of):
            found = window.count(
                self._connection, "facts_of", "balance_of", chosen, QUARTER, ("market",), Bucket(number, of)
            )
            for one, cells in found:
                parts[one.name].append(cells)
        return {one.name: window.whole(one.report, parts[one.name]) for one in chosen}


def crowd(seed: int, n: int = 600) -> list[Row]:
    """Forty people, some of whom do everything far more often than any cap allows."""
    dice = random.Random(seed)
    rows: list[Row] = []
    for _ in range(n):
        who = dice.choice([1, 1, 1, 2, 2, dice.randrange(3, 40)])
        kind = dice.choice(["page_view"] * 4 + ["event", "ad_impression", "ad_click"])
        day = f"2026-0{dice.choice('56789')}-{dice.randrange(1, 29):02}" if who > 2 else "2026-07-14"
        rows.append({
            "person": who + 100 if kind.startswith("ad_") else who, "type": kind,
            "purposes": 8 if kind.startswith("ad_") else 1 + 2 * (who % 4 != 1 or who == 1),
            "time": f"{day} {dice.randrange(24):02}:{dice.randrange(60):02}",
            "treatment": "cookieless" if who % 3 == 0 else "identified",
            "name": dice.choice(["task_posted", "bid_placed", "other"]) if kind == "event" else None,
            "country": dice.choice(["DE", "FR", "US", None]),
            "device": dice.choice(["desktop", "mobile", "tv"]),
            "referrer_group": dice.choice(["search", "social", "referral", None]),
            "referrer_host": dice.choice(["a.example", "b.example", "c.example", "d.example", None]),
            "site": dice.choice(["market", "market", "blog"]),
        })  # fmt: skip
    return rows


@pytest.mark.requirement("S9")
def test_what_one_person_changes_is_within_the_caps_and_buckets_do_not_show() -> None:
    """Of every trend, month by month, in the norm that the noise is made for."""
    chosen = list(trends.load().values())
    facts = Facts(crowd(1))
    whole = facts.count(chosen)
    assert {name for name, table in whole.items() if not table.num_rows} == set()
    assert facts.count(chosen, of=5) == whole
    met = set[str]()
    for who in (1, 2, 7, 9, 101, 102):
        less = facts.count(chosen, out=[who])
        for one in chosen:
            changed: dict[str, list[tuple[int, ...]]] = {}
            names = ["people", *one.report.sums]
            before, after = (_rows(one, made[one.name]) for made in (whole, less))
            assert after.keys() <= before.keys()
            for row, numbers in before.items():
                diff = tuple(a - b for a, b in zip(numbers, after.get(row, (0,) * len(names)), strict=True))
                if any(diff):
                    changed.setdefault(one.month_of(row[1]), []).append(diff)
            for diffs in changed.values():
                assert len(diffs) <= one.cells, one.name
                met |= {one.name} if len(diffs) == one.cells > 1 else set()
                caps = {part.name: part.most for part in one.parts} | {"heads": 1}
                for name, column in zip(names, zip(*diffs, strict=True), strict=True):
                    most = caps.get(name, 1)
                    assert all(0 <= n <= most for n in column), (one.name, name)
                    assert math.hypot(*column) <= most * math.sqrt(one.cells)
                    if name in ("heads", "people_cut"):
                        assert sum(column) <= 1
                    met |= {f"{one.name}.{name}"} if most in column else set()
    assert {"countries", "sources", "countries.people_cut", "activity.views", "weeks.views"} <= met


def _rows(one: Trend, table: pa.Table) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {
        tuple(row[key] for key in one.keys): (row["people"], *(row[name] for name in one.report.sums))
        for row in table.to_pylist()
    }
