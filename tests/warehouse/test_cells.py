"""Contributions: what is handed on from the cap."""

from __future__ import annotations

import duckdb
import msgspec

from warehouse.askable import report
from warehouse.cells import contribute
from warehouse.report import OTHER
from warehouse.settings import Warehouse


def test_keys_that_are_codes_stay_so_where_somebody_meets_the_cap() -> None:
    """Of one person too many rows made every name a text, and counting them twice as dear."""
    con = duckdb.connect()
    con.execute(f"CREATE TYPE paths AS ENUM ('{OTHER}', '/a', '/b', '/c')")
    con.execute(
        "CREATE TABLE rows AS SELECT 'shop' AS site, DATE '2026-11-01' AS day, path::paths AS path,"
        " person::UBIGINT AS person, 1 AS views, 1 AS events, 0 AS duration_ms"
        " FROM (VALUES ('/a', 1), ('/b', 1), ('/c', 1), ('/a', 2)) AS of(path, person)"
    )
    con.execute("CREATE TABLE busy AS SELECT day, person, count(*) AS n FROM rows GROUP BY ALL")
    one = msgspec.structs.replace(report("events", ("path",)), sql="FROM rows")
    took = contribute(con, one, Warehouse(max_cells=1))
    found = con.execute(
        "SELECT path::VARCHAR, person, views FROM contributions ORDER BY person, 1"
    ).fetchall()
    assert sum(took["n"].to_pylist()) == 2
    assert (len(found), sum(row[2] for row in found)) == (3, 4)
    assert (OTHER, 1, 2) in found
    ((kind,),) = con.execute("SELECT DISTINCT typeof(path) FROM contributions").fetchall()
    assert kind.startswith("ENUM")
    con.close()
