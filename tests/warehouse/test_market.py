"""The marketplace's reports over generated graphs of bids: both sides of every row are crowds (S14)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.crowd import Row
from tests.warehouse.test_properties import crowd, few
from warehouse import report as reports
from warehouse.report import OTHER
from warehouse.settings import Warehouse

CHOSEN = [reports.load()[name] for name in ("marketplace", "liquidity", "tasks")]
NAMES = ("bid_placed", "first_bid", "bid_accepted")
WORDS = ("web", "design", "photo")
#: Who deals with whom: several with several; what, about what, in which band.
DEALS = st.tuples(
    st.integers(0, 8), st.integers(0, 5), st.integers(0, 8), st.integers(0, 5),
    st.sampled_from(NAMES), st.sampled_from(WORDS), st.sampled_from([0, 4, 24]), st.booleans(),
)  # fmt: skip
GRAPHS = st.lists(DEALS, min_size=1, max_size=14)


def rows(said: list[tuple[Any, ...]]) -> list[Row]:
    """A row of each side. Persons of one side may be on the other, too; some sides were not kept."""
    found: list[Row] = []
    for first, more, to, others, name, word, band, kept in said:
        about = {"name": name, "props": f'{{"category":"{word}"}}', "value": band}
        found += [about | {"type": "event", "person": who} for who in range(first, first + more + 1)]
        if kept:
            beside = range(to + 5, to + 5 + others + 1)
            found += [about | {"type": "counterpart", "person": who} for who in beside]
    return found


@pytest.mark.requirement("M18", "S14")
@few(12)
@given(GRAPHS, st.integers(2, 5), st.sets(st.integers(0, 12), max_size=3), st.sampled_from([1, 3]))
def test_both_sides_of_every_row_are_counted_exactly_and_are_crowds(
    said: list[tuple[Any, ...]], k: int, gone: set[int], of: int
) -> None:
    graph = rows(said)
    with crowd(graph) as one:
        how = Warehouse(min_group=k, dominance=100)
        found = one.release(how, withdrawn=gone, of=of, chosen=CHOSEN)
    sides: dict[tuple[str, ...], tuple[set[int], set[int]]] = defaultdict(lambda: (set(), set()))
    for row in graph:
        if row["person"] not in gone:
            word, side = row["props"].split('"')[3], int(row["type"] == "counterpart")
            sides[row["name"], word][side].add(row["person"])
            sides[row["name"], f"from {row['value']}"][side].add(row["person"])
    measures = {"hours to the first bid": "first_bid", "bids a hire had": "bid_accepted"}
    for name, keys in (("marketplace", ("deal", "category")), ("liquidity", ("measure", "band"))):
        for shown in found[name].to_pylist():
            assert min(shown["people"], shown["others"]) >= k
            what, word = (shown[key] for key in keys)
            if word != OTHER:
                people, others = sides[measures.get(what, what.replace(" ", "_")), word]
                assert (shown["people"], shown["others"]) == (len(people), len(others))
    assert found["tasks"].num_rows == 0


def test_the_other_side_shows_in_no_report_of_one_side() -> None:
    bids = [(n % 9, n % 4, n % 5, 5, NAMES[n % 3], WORDS[n % 2], 4, True) for n in range(40)]
    graph, how = rows(bids), Warehouse(min_group=2)
    with crowd(graph) as one, crowd([row for row in graph if row["type"] == "event"]) as alone:
        whole, without = one.release(how), alone.release(how)
    for name in whole.keys() - {"marketplace", "liquidity"}:
        assert whole[name].equals(without[name]), name
    assert whole["marketplace"].num_rows
    assert whole["liquidity"].num_rows
    assert not without["marketplace"].num_rows + without["liquidity"].num_rows
