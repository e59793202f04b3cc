"""Cells: contributions of one bucket of people counted, and buckets added up.

A person is wholly in one bucket, so that people, capped sums and the people of any set of rows are exact in
each bucket and add up. All functions work on the table `contributions` of one connection (one bucket).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import pyarrow as pa

from warehouse.relations import lent
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse


def contribute(connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse) -> None:
    """Make `contributions`: keys, person, sums; one row for each of them that a person adds to.

    Nobody is in more than `max_cells` rows of a group: what is beyond becomes "(other)". Which rows those
    are depends on their names only, so it is the same every time.
    """
    run = connection.execute
    run(f"CREATE OR REPLACE TEMP TABLE contributions AS {report.sql}")
    if not report.people or not report.fold or report.grain != "day":
        return
    found = run("SELECT count(*) FROM busy").fetchone()
    if not found or not found[0]:
        return
    beyond = f"place > {settings.max_cells:d}"
    keys = ", ".join(
        f"CASE WHEN {beyond} THEN '{OTHER}' ELSE {k} END AS {k}" if k in report.fold else k
        for k in report.keys
    )
    sums = ", ".join(f"sum({name}) AS {name}" for name in report.sums)
    group, rest = ", ".join((*report.within, "person")), ", ".join(report.rest)
    run(
        f"CREATE OR REPLACE TEMP TABLE contributions AS SELECT {keys}, person, {sums} FROM (SELECT *,"
        f" row_number() OVER (PARTITION BY {group} ORDER BY md5(concat_ws('/', {rest})), {rest}) AS place"
        " FROM contributions SEMI JOIN busy USING (day, person)) GROUP BY ALL"
        f" UNION ALL BY NAME FROM contributions ANTI JOIN busy USING (day, person)"
    )


def partial(connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse) -> pa.Table:
    """Count one bucket. Columns: level, the report's keys, people, sums.

    A row of the last level is a row of the report. Rows of levels before it are what it folds into, with
    keys of finer levels null and sums 0.
    """
    size = "count(*)" if report.people else f"sum({report.sums[0]})"
    added = ", ".join(
        f"sum(least({name}, {settings.most(name):d}))::BIGINT AS {name}" for name in report.sums
    )
    if not report.people:
        added = ", ".join(f"sum({name})::BIGINT AS {name}" for name in report.sums)
    last = len(report.levels) - 1
    queries = [
        f"SELECT {last} AS level, {', '.join(report.keys)}, {size}::BIGINT AS people, {added}"
        " FROM contributions GROUP BY ALL"
    ]
    none = ", ".join(f"0::BIGINT AS {name}" for name in report.sums)
    for level in range(1, last):
        keys = ", ".join(report.levels[level])
        source = f"(SELECT DISTINCT {keys}, person FROM contributions)" if report.people else "contributions"
        queries.append(
            f"SELECT {level} AS level, {keys}, {size}::BIGINT AS people, {none} FROM {source} GROUP BY ALL"
        )
    return connection.sql(" UNION ALL BY NAME ".join(queries)).to_arrow_table()


def look(connection: duckdb.DuckDBPyConnection, report: Report, marks: pa.Table) -> pa.Table:
    """How many people of this bucket are in the rows marked under each part of the report.

    Columns: level, the keys of the part (finer ones null), `few` (people in rows marked small) and `more`
    (with those of the next smallest row). `marks` as made by `release.mark`.
    """
    if not marks.num_rows:
        return _nothing(marks)
    queries = []
    for level in sorted(set(marks["level"].to_pylist())):
        parent, node = ", ".join(report.levels[level - 1]), ", ".join(report.levels[level])
        joined = (
            f"FROM contributions JOIN (SELECT {node}, small FROM marks WHERE level = {level}) USING ({node})"
        )
        if report.people:
            queries.append(
                f"SELECT {level} AS level, {parent}, count(*) FILTER (small) AS few, count(*) AS more FROM"
                f" (SELECT {parent}, person, bool_or(small) AS small {joined} GROUP BY ALL) GROUP BY ALL"
            )
        else:
            n = report.sums[0]
            queries.append(
                f"SELECT {level} AS level, {parent}, coalesce(sum({n}) FILTER (small), 0)::BIGINT AS few,"
                f" sum({n})::BIGINT AS more {joined} GROUP BY ALL"
            )
    empty = (
        f"SELECT level, {', '.join(report.keys)}, 0::BIGINT AS few, 0::BIGINT AS more FROM marks WHERE false"
    )
    with lent(connection, marks=marks):
        return connection.sql(" UNION ALL BY NAME ".join([empty, *queries])).to_arrow_table()


def _nothing(marks: pa.Table) -> pa.Table:
    n = pa.nulls(0, pa.int64())
    return marks.drop_columns(["small"]).append_column("few", n).append_column("more", n)


def merge(report: Report, parts: Sequence[pa.Table]) -> pa.Table:
    """Add up what `partial`, or `look`, found in several buckets; associative, in any order."""
    if len(parts) == 1:
        return parts[0]
    keys = ["level", *report.keys]
    numbers = [name for name in parts[0].column_names if name not in keys]
    whole = pa.concat_tables(parts).group_by(keys, use_threads=False).aggregate([(n, "sum") for n in numbers])
    return whole.rename_columns([name.removesuffix("_sum") for name in whole.column_names]).select(
        keys + numbers
    )
