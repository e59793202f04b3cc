"""Events of two people: every row is about a group of each side, and what is hidden is, too (S14)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured
from tests.warehouse.crowd import person
from warehouse import report as reports
from warehouse.build import build
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Bucket, hold
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

HEADER = """/*
title = "Bids"
doc = "By category."
owner = "product"
purpose = "measurement"
keys = ["site", "day", "category"]
sums = ["bids"]
fold = ["category"]
sides = ["person", "counterpart"]

[caps]
cells = 20
bids = 5
*/
SELECT site, day, category, side, person, sum(bids) AS bids FROM given GROUP BY ALL
"""
BIDS = reports.read("bids", HEADER)
LEFT_OUT = reports.read("bids", HEADER.replace('fold = ["category"]\n', ""))
#: A bid: who, to whom, in which category.
Bid = tuple[int, int, int]


class Given:
    """Bids as contributions: the bidder's own row, and the narrow one of whom it is made to."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, bids: Sequence[Bid]) -> None:
        self._con = connection
        rows: list[dict[str, Any]] = []
        for who, to, category in bids:
            at = {"site": "market", "day": "2026-09-01", "category": f"c{category}"}
            rows.append(at | {"side": 0, "person": person(who), "bids": 1})
            rows.append(at | {"side": 1, "person": person(1000 + to), "bids": 0})
        table = pa.Table.from_pylist(rows, pa.schema([
            ("site", pa.string()), ("day", pa.string()), ("category", pa.string()), ("side", pa.int64()),
            ("person", pa.uint64()), ("bids", pa.int64()),
        ]))  # fmt: skip
        hold(connection, "all_of", table)

    def move(self, bucket: Bucket, chosen: Sequence[Report]) -> None:
        run = self._con.execute
        run(f"CREATE OR REPLACE TEMP TABLE given AS FROM all_of WHERE {bucket.where}")
        run("CREATE OR REPLACE TEMP TABLE busy AS SELECT day, person, count(*) AS n FROM given GROUP BY ALL")

    def show(self, report: Report) -> None:
        """There is nothing else."""


def released(
    bids: Sequence[Bid], one: Report, k: int, of: int = 1, keys: RecordKeys | None = None
) -> list[dict[str, Any]]:
    with duckdb.connect(config={"threads": 1}) as connection:
        buckets = [Bucket(number, of) for number in range(of)]
        given = Given(connection, bids)
        how = Warehouse(min_group=k, dominance=100)
        ((_, made),) = build(connection, given, [one], how, buckets, keys)
        rows: list[dict[str, Any]] = made.table.to_pylist()
        return rows


BIDS_MADE = st.lists(
    st.tuples(st.integers(0, 14), st.integers(0, 14), st.integers(0, 5)), min_size=1, max_size=90
)


def few(examples: int) -> Any:
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.requirement("S14")
@few(25)
@given(BIDS_MADE, st.integers(2, 6), st.sampled_from([1, 3]), st.booleans())
def test_every_row_and_what_is_hidden_is_of_a_group_of_each_side(
    bids: list[Bid], k: int, of: int, folded: bool
) -> None:
    rows = {row["category"]: row for row in released(bids, BIDS if folded else LEFT_OUT, k, of)}
    sides: dict[str, tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for who, to, category in bids:
        sides[f"c{category}"][0].add(who)
        sides[f"c{category}"][1].add(to)
    hidden: tuple[set[int], set[int]] = (set(), set())
    for category, (people, others) in sides.items():
        if category in rows:
            assert (rows[category]["people"], rows[category]["others"]) == (len(people), len(others))
            assert min(len(people), len(others)) >= k
        else:
            hidden[0].update(people)
            hidden[1].update(others)
    if rows and hidden[0]:
        assert min(map(len, hidden)) >= k, "a total less the rows that are shown is of a few"
    if OTHER in rows:
        assert (rows[OTHER]["people"], rows[OTHER]["others"]) == tuple(map(len, hidden))
    if min(len({bid[side] for bid in bids}) for side in (0, 1)) >= k and folded:
        assert rows, "all of them together are a group of each side"


@few(10)
@given(BIDS_MADE, st.integers(2, 6))
def test_buckets_of_either_side_never_show(bids: list[Bid], k: int) -> None:
    keys = RecordKeys(1, 2)
    assert released(bids, BIDS, k, 1, keys) == released(bids, BIDS, k, 5, keys)


@pytest.mark.parametrize(
    ("line", "says"),
    [('sides = ["counterpart"]', "sides"), ('sides = ["person", "counterpart"]\npeople = false', "sides")],
)
def test_sides_that_cannot_be(line: str, says: str) -> None:
    text = HEADER.replace('sides = ["person", "counterpart"]', line)
    with pytest.raises(Misconfigured, match=says):
        reports.read("bids", text)
