"""What release took away is told in shares, of whole groups only."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import numpy as np
import pytest

from tests.warehouse.crowd import Crowd, Row
from warehouse import effects
from warehouse import report as reports
from warehouse.build import build
from warehouse.relations import Bucket, Days, offer_withdrawn
from warehouse.report import OTHER
from warehouse.settings import Warehouse


@pytest.fixture
def store() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE effects (report VARCHAR, node VARCHAR, what VARCHAR, number VARCHAR, n BIGINT,"
            " people BIGINT)"
        )
        yield connection


def test_shares_are_of_what_there_would_be(store: duckdb.DuckDBPyConnection) -> None:
    rows = [
        ("pages", "shown", "rows", 60, 900), ("pages", "few", "rows", 40, 70),
        ("pages", "shown", "people", 900, 900), ("pages", "few", "people", 100, 70),
        ("pages", "shown", "views", 950, 900), ("pages", "few", "views", 25, 70),
        ("pages", "caps", "views", 25, 12), ("pages", "caps", "cells", 5, 9),
        ("pages", "dominance", "views", 10, 11), ("pages", "restated", "views", 0, 30),
    ]  # fmt: skip
    for name, what, number, n, people in rows:
        for site in ("market", "blog"):  # of two groups: added up first
            half = n // 2 if site == "blog" else n - n // 2
            of = people // 2 if site == "blog" else people - people // 2
            store.execute(
                "INSERT INTO effects VALUES (?, ?, ?, ?, ?, ?)", [name, site, what, number, half, of]
            )
    told = {(row["reason"], row["number"]): row["share"] for row in effects.told(store, 10).to_pylist()}
    assert told == {
        ("few", "rows"): 40.0, ("few", "people"): 10.0, ("few", "views"): 2.5,
        ("caps", "views"): 2.5, ("caps", "rows"): None, ("dominance", "views"): 1.0,
        ("restated", "views"): 0.0,
    }  # fmt: skip
    assert effects.sentence(effects.told(store, 10).to_pylist()) == (
        "folded or left out, being of too few people: 40 % of rows, 10 % of people, 2.5 % of views;"
        " cut by caps: 2.5 % of views; cut because one person was too much of a row: 1 % of views"
    )
    assert effects.sentence([]) == "nothing, or of fewer people than a group"


def test_what_is_counted_is_what_was_hidden() -> None:
    """Fifty of one country, three small ones and one that is hidden with them; one who does a lot."""
    rows: list[Row] = [{"person": n, "country": "DE"} for n in range(50)]
    rows += [{"person": 100 + n, "country": "FR"} for n in range(12)]
    rows += [{"person": 200 + n, "country": "TD"} for n in range(3)]
    rows += [{"person": 0, "country": "DE"} for _ in range(1_100)]
    crowd = Crowd(rows)
    con, one = crowd._connection, reports.load()["countries"]
    offer_withdrawn(con, np.zeros(0, np.uint64))
    days = Days(con, "facts_of", "balance_of", crowd._days, rows=2_000, many=200)
    ((_, made),) = build(con, days, [one], Warehouse())
    crowd.close()
    found = {(row["what"], row["number"]): (row["n"], row["people"]) for row in made.effects.to_pylist()}
    assert [row["country"] for row in made.table.to_pylist()] == [OTHER, "DE"]
    assert found["shown", "rows"] == (1, 50)
    assert found["few", "people"] == (3, 3)
    assert found["complement", "rows"] == (1, 12)
    assert found["complement", "views"] == (12, 12)
    assert found["caps", "views"] == (101, 1), "1,101 views, of which 1,000 count"
    assert found["dominance", "views"] == (1_049 - (49 + 49 // 9), 1)
    assert made.table.to_pylist()[1]["views"] == 49 + 49 // 9


def test_a_step_left_out_for_who_did_not_take_it_is_counted_as_hidden() -> None:
    """Of twenty people seventeen went on: three did not, so the second row is not shown."""
    rows: list[Row] = [{"person": n, "path": "/1"} for n in range(20)]
    rows += [{"person": n, "path": "/2"} for n in range(17)]
    one = reports.Report(
        name="stairs", title="Stairs", doc="Steps.", owner="tests", purpose="measurement",
        keys=("site", "day", "path"), sums=("views",), nested="previous", caps={"cells": 5},
        sql="SELECT site, day, path, person, count(*) AS views FROM events GROUP BY ALL",
    )  # fmt: skip
    crowd = Crowd(rows)
    con = crowd._connection
    offer_withdrawn(con, np.zeros(0, np.uint64))
    for buckets in ([Bucket()], [Bucket(0, 2), Bucket(1, 2)]):
        days = Days(con, "facts_of", "balance_of", crowd._days, rows=2_000, many=200)
        ((_, made),) = build(con, days, [one], Warehouse(), buckets)
        assert [row["path"] for row in made.table.to_pylist()] == ["/1"]
        found = {(row["what"], row["number"]): (row["n"], row["people"]) for row in made.effects.to_pylist()}
        assert (found["shown", "rows"], found["complement", "rows"]) == ((1, 20), (1, 17))
    crowd.close()


def test_of_no_rows_nothing_is_made_as_release_would_make_it() -> None:
    """Most reports have no rows on most days: they are not counted, folded and moved to find that out."""
    crowd = Crowd([])
    con, found = crowd._connection, reports.load()
    offer_withdrawn(con, np.zeros(0, np.uint64))
    by_day = [one for one in found.values() if one.grain == "day"]
    days = Days(con, "facts_of", "balance_of", crowd._days, rows=0, many=200)
    short = {one.name: made for one, made in build(con, days, by_day, Warehouse())}
    days = Days(con, "facts_of", "balance_of", crowd._days, rows=0, many=200)
    whole = {
        one.name: made for one, made in build(con, days, by_day, Warehouse(), [Bucket(0, 2), Bucket(1, 2)])
    }
    crowd.close()
    assert len(short) > 20
    for name, made in short.items():
        assert (made.table, made.explanation, made.hidden) == (
            whole[name].table,
            whole[name].explanation,
            None,
        )
        assert made.table.schema == whole[name].table.schema
        assert made.effects == whole[name].effects
