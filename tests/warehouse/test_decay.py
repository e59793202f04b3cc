"""What is left of a row at an age: whole columns in SQL against the book, row by row."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from consent_filter.fields import EVENT
from consent_filter.policy import Pack, load
from consent_filter.purpose import BY_NAME
from consent_filter.retention import DEGREES, NULLED, Retention, Term
from consent_filter.retention_book import left
from warehouse import decay
from warehouse.decay import Due
from warehouse.recent import WINDOW
from warehouse.relations import hold

FIRST = date(2026, 3, 1)
SHIPPED = load("worktasker-2014")
DAYS = st.integers(3, 40)
NAMES = ("measurement", "research", "ad_measurement", "personalisation")
#: Columns of every kind: of measurement, of adverts, of both.
FILLED = ("path", "country", "continent", "region", "browser", "browser_version", "ad_slot", "props")
TERMS = st.builds(
    Term,
    days=DAYS,
    fields=st.dictionaries(st.sampled_from(FILLED), DAYS, max_size=4),
    degrees=st.fixed_dictionaries(
        {},
        optional={
            name: st.dictionaries(st.sampled_from(order), DAYS, max_size=3) for name, order in DEGREES.items()
        },
    ),
)
SAID = st.dictionaries(st.sampled_from(NAMES), TERMS)
PACKS = st.builds(
    lambda days, purposes, regimes: replace(
        SHIPPED, facts_days=days, retention=Retention(purposes=purposes, regimes=regimes)
    ),
    st.integers(3, 40),
    SAID,
    st.dictionaries(st.sampled_from(("opt_in", "opt_out")), SAID),
)


def row(
    at: int, purposes: set[str], because: str | None, offset: int, known: bool, path: str | None
) -> dict[str, Any]:
    """`at`: UTC milliseconds since FIRST, received some seconds later."""
    time = int(datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC).timestamp() * 1000) + at
    found: dict[str, Any] = {field.name: None for field in EVENT}
    found |= {"site": "market", "time": time, "received": time + 7_123, "type": "page_view", "policy": "p/1"}
    found |= {"day": date(1970, 1, 1) + timedelta(days=(time + offset * 60_000) // 86_400_000)}
    found |= {"offset_min": offset, "person": 7 + at % 5, "because": because, "path": path}
    found |= {"treatment": "identified" if known else "cookieless"}
    bits = sum(int(BY_NAME[name]) for name in purposes)
    for name in FILLED:
        if name != "path" and decay.BY_NAME[name].purposes & bits:
            found[name] = f"a {name}"
    if not decay.BY_NAME["path"].purposes & bits:
        found["path"] = None
    return found | {"purposes": bits}


OFFSETS = (0, 120, 330, -480)
PATHS = (None, "/", "/projects/:id/bids?x=1", "/about", "//odd", "no-slash/at-all")
ROWS = st.lists(
    st.builds(
        row,
        st.integers(0, 5 * 86_400_000),
        st.sets(st.sampled_from(NAMES), min_size=1),
        st.sampled_from((None, "p.opt_in.agreed", "p.opt_out.default", "p.notice.default", "p.nowhere.x")),
        st.sampled_from(OFFSETS),
        st.booleans(),
        st.sampled_from(PATHS),
    ),
    min_size=1,
    max_size=12,
)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect(config={"threads": 1})
    yield con
    con.close()


def aged(con: duckdb.DuckDBPyConnection, rows: pa.Table, pack: Pack, today: date, **what: Any) -> pa.Table:
    """The rows as a rewrite on that day writes them, in the order that they were in."""
    hold(con, "facts_of", rows)
    rules, most = decay.schedule(decay.kinds(con, "facts_of"), {"p/1": pack})
    cuts = [(day, days, f"{day}") for day in set(rows["day"].to_pylist()) for days in range(41)]
    due = Due(today, rules, most, cuts=decay.made_cuts(cuts), **what)
    decay.offer(con, due)
    now = datetime(today.year, today.month, today.day, tzinfo=UTC).timestamp()
    chosen = decay.columns(due, now, WINDOW)
    return con.sql(
        f"SELECT {chosen}, nth FROM {decay.judged('facts_of', due)} WHERE {decay.STAYS} ORDER BY nth"
    ).to_arrow_table()


def table(rows: list[dict[str, Any]]) -> pa.Table:
    found = pa.Table.from_pylist(rows, EVENT)
    return found.append_column("nth", pa.array(range(len(rows)), pa.int64()))


def plain(found: pa.Table) -> list[dict[str, Any]]:
    for name in ("time", "received"):
        place = found.schema.get_field_index(name)
        found = found.set_column(place, name, found[name].cast(pa.timestamp("ms")).cast(pa.int64()))
    return found.to_pylist()


def agrees(con: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], pack: Pack, today: date) -> None:
    """Columns say what the book says, row by row; and of one person and day comes one person."""
    expected = []
    for place, one in enumerate(rows):
        # A regime that the pack does not have is one that nobody knows.
        because = None if ".nowhere." in (one["because"] or "") else one["because"]
        kept = left(one | {"because": because}, pack, today)
        if kept is not None:
            expected.append(kept | {"because": one["because"], "nth": place, "event_id": None})
    found = plain(aged(con, table(rows), pack, today))
    cut = set()
    for one, kept in zip(found, expected, strict=True):
        before = rows[kept["nth"]]
        if kept["person"] == "cut":
            assert one["person"] not in (None, before["person"])
            cut.add((before["person"], one["day"], one["person"]))
            kept["person"] = one["person"]
        assert one == kept
    assert len({(who, day) for who, day, _ in cut}) == len({new for *_, new in cut}) == len(cut)


@pytest.mark.parametrize(
    ("name", "degree"), [(name, one) for name, order in DEGREES.items() for one in order]
)
def test_each_degree_alone(connection: duckdb.DuckDBPyConnection, name: str, degree: str) -> None:
    """In every zone, for every path, and not a day early."""
    term = Term(days=40, degrees={name: {degree: 10}})
    pack = replace(SHIPPED, facts_days=40, retention=Retention(purposes={"measurement": term}))
    rows = [
        row(at, {"measurement"}, "p.notice.default", offset, known, path)
        for at in (0, 3_723_456, 86_399_999)
        for offset in OFFSETS
        for known in (True, False)
        for path in PATHS
    ]
    for days in (7, 8, 9, 10):
        agrees(connection, rows, pack, FIRST + timedelta(days=days))


@pytest.mark.requirement("M79")
@pytest.mark.requirement("S22")
@given(ROWS, PACKS, st.integers(0, 45))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_columns_agree_with_the_book(
    connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], pack: Pack, days: int
) -> None:
    agrees(connection, rows, pack, FIRST + timedelta(days=days))


@given(ROWS, PACKS, st.lists(st.integers(0, 45), min_size=1, max_size=4))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_step_by_step_comes_to_the_same_and_again_changes_nothing(
    connection: duckdb.DuckDBPyConnection, rows: list[dict[str, Any]], pack: Pack, days: list[int]
) -> None:
    """However often somebody looks; but for the value of a pseudonym that nobody shall know again."""
    last = FIRST + timedelta(days=max(days))
    steps = table(rows)
    for one in [*sorted(days), max(days)]:
        steps = aged(connection, steps, pack, FIRST + timedelta(days=one))
        steps = steps.cast(table([]).schema)
    once = aged(connection, table(rows), pack, last)
    assert plain(steps) == plain(once)


def test_who_is_held_keeps_everything_and_who_closed_only_what_a_class_needs(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    rows = [row(1000, {"measurement"}, None, 0, True, "/projects/:id") | {"person": p} for p in (1, 2, 3, 4)]
    held = pa.table(
        {
            "person": pa.array([1, 4], pa.uint64()),
            "first": pa.array([FIRST, date(2026, 3, 2)]),
            "last": pa.array([FIRST, date(2026, 3, 9)]),
        }
    )
    closed = pa.table(
        {
            "person": pa.array([2, 3], pa.uint64()),
            "state": pa.array([0, -1], pa.int32()),
            "changed": pa.array([FIRST, FIRST]),
        }
    )
    found = plain(
        aged(
            connection, table(rows), SHIPPED, FIRST + timedelta(days=100),
            held=held, closed=closed, sets=(frozenset({"path"}),), gone=np.array([1, 4], np.uint64),
        )
    )  # fmt: skip
    assert [one["person"] for one in found] == [1, 2, 4]
    assert found[0] | {"nth": 0} == rows[0] | {"nth": 0}
    kept = {name for name in NULLED if found[1][name] is not None}
    assert (kept, found[1]["purposes"], found[1]["time"] % 86_400_000) == ({"path"}, 0, 0)
    assert found[2]["region"] is None, "a hold of other days holds nothing here"


def test_who_has_withdrawn_goes_rather_than_lose_the_name_that_says_so(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    """Made someone of a day, they would be counted again."""
    rows = [row(1000, {"measurement"}, None, 0, True, "/") | {"person": p} for p in (1, 2)]
    for days, people in ((170, 2), (190, 1)):
        found = aged(
            connection, table(rows), SHIPPED, FIRST + timedelta(days=days), gone=np.array([1], np.uint64)
        )
        assert found.num_rows == people
