"""Cells: contributions of one bucket of people counted, and buckets added up.

A person is wholly in one bucket, so that people, capped sums, record keys and the people of any set of rows
are exact in each bucket and add up. All functions work on tables of one connection: `contributions` (one
bucket), and of the report that is made `whole`, `marks`, `looked` and `tops`. They stay there because DuckDB
takes 2 ms to read the fewest rows from Arrow, four times as long as its own.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.recordkeys import RecordKeys
from warehouse.relations import ROWS, lent
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

#: What caps took: of which group; `cells`, or one of the sums; how much; of how many persons.
CLIPPED = pa.schema(
    [("node", pa.string()), ("number", pa.string()), ("n", pa.int64()), ("people", pa.int64())]
)


def contribute(connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse) -> pa.Table:
    """Make `contributions`: keys, person (and side), sums; one row for each of them that a person adds to.

    Nobody is in more rows of a group than the report's caps say: what is beyond becomes "(other)", or is left
    out where nothing is folded. Which rows those are depends on their names only, so it is the same every
    time. Nor does anybody add more to a number of a row than its cap. Returns what that took (CLIPPED).
    """
    # A sum of whole numbers is of 128 bits, which cost twice as much in all that follows. Which they are is
    # not asked: of few rows, planning is what takes time.
    narrow = ", ".join(f"{name}::BIGINT AS {name}" for name in report.sums)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE contributions AS SELECT * REPLACE ({narrow}) FROM ({report.sql}\n)"
    )
    took: list[pa.Table] = []
    if report.people and report.rest:
        took += _few_rows(connection, report, settings)
    if report.people:
        took += _small_values(connection, report, settings)
    return pa.concat_tables([CLIPPED.empty_table(), *took])


def _few_rows(connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse) -> list[pa.Table]:
    """Keep everyone to so many rows of a group. By day only who has as many events as that can have more."""
    run, most = connection.execute, report.cells(settings)
    who = "person, side" if report.two else "person"
    group = ", ".join((*report.within, who))
    among = "contributions"
    if report.grain == "day":
        busy = f"FROM busy WHERE {ROWS} * n > {most:d}"
        among = f"contributions SEMI JOIN ({busy}) USING (day, person)"
        found = run(f"SELECT 1 {busy} LIMIT 1").fetchone()
        if not found:
            return []
    run(
        f"CREATE OR REPLACE TEMP TABLE many AS SELECT {group} FROM {among}"
        f" GROUP BY ALL HAVING count(*) > {most:d}"
    )
    if not run("SELECT 1 FROM many LIMIT 1").fetchone():
        return []
    # Rows that contain each other keep the first: who is in a later one is in those before it.
    rest = ", ".join(report.rest)
    order = rest if report.nested else f"md5(concat_ws('/', {rest})), {rest}"
    run(
        f"CREATE OR REPLACE TEMP TABLE placed AS SELECT *, row_number() OVER (PARTITION BY {group}"
        f" ORDER BY {order}) AS place FROM contributions SEMI JOIN many USING ({group})"
    )
    beyond = f"place > {most:d}"
    took = connection.sql(
        f"SELECT {report.node(0)} AS node, 'cells' AS number, count(*) AS n, count(DISTINCT person) AS people"
        f" FROM placed WHERE {beyond} GROUP BY ALL"
    ).to_arrow_table()
    keys = ", ".join(
        f"CASE WHEN {beyond} THEN '{OTHER}' ELSE {k} END AS {k}" if k in report.fold else k
        for k in report.keys
    )
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in report.sums)
    kept = "" if report.fold else f" WHERE NOT {beyond}"
    run(f"CREATE OR REPLACE TEMP TABLE contributions AS FROM contributions ANTI JOIN many USING ({group})")
    # Inserted and not united, so that keys that are codes stay so.
    run(f"INSERT INTO contributions BY NAME SELECT {keys}, {who}, {sums} FROM placed{kept} GROUP BY ALL")
    return [took.cast(CLIPPED)]


def _small_values(
    connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse
) -> list[pa.Table]:
    """Keep what everyone adds to a number of a row under its cap."""
    most = {name: report.most(name, settings) for name in report.sums}
    over = " OR ".join(f"{name} > {cap:d}" for name, cap in most.items())
    if not connection.execute(f"SELECT 1 FROM contributions WHERE {over} LIMIT 1").fetchone():
        return []
    took = [
        connection.sql(
            f"SELECT {report.node(0)} AS node, '{name}' AS number, sum({name} - {cap:d})::BIGINT AS n,"
            f" count(DISTINCT person) AS people FROM contributions WHERE {name} > {cap:d} GROUP BY ALL"
        ).to_arrow_table()
        for name, cap in most.items()
    ]
    capped = ", ".join(f"least({name}, {cap:d}) AS {name}" for name, cap in most.items())
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE contributions AS SELECT * REPLACE ({capped}) FROM contributions"
    )
    return [table.cast(CLIPPED) for table in took]


def _groups(report: Report, keys: RecordKeys | None) -> list[str]:
    """Of each side how many there are, and the sum of their record keys, over rows of one person each."""
    columns = []
    for side, name in enumerate(report.groups):
        where = f" FILTER (side = {side})" if report.two else ""
        record = keys.sql() if keys else "0"
        columns += [f"count(*){where} AS {name}", f"coalesce(sum({record}){where}, 0)::BIGINT AS _{name}"]
    return columns


def _kept(report: Report) -> str:
    """What tells the persons of a cell apart: one who is on both sides is one of each."""
    return "person, side" if report.two else "person"


def partial(
    connection: duckdb.DuckDBPyConnection, report: Report, keys: RecordKeys | None = None
) -> pa.Table:
    """Count one bucket. Columns: level, the report's keys, `people` (and `others`), the sums; for the noise
    `_people` (and `_others`), sums of record keys; for dominance `_<sum>`, the largest that one person adds.

    A row of the last level is a row of the report. Rows of levels before it are what it folds into, with
    keys of finer levels null and sums 0.
    """
    last = len(report.levels) - 1
    if report.people:
        size = _groups(report, keys)
        numbers = [f"sum({name})::BIGINT AS {name}, max({name})::BIGINT AS _{name}" for name in report.sums]
        none = [f"0::BIGINT AS {name}, 0::BIGINT AS _{name}" for name in report.sums]
    else:
        size = [f"sum({report.sums[0]})::BIGINT AS people"]
        numbers = [f"sum({name})::BIGINT AS {name}" for name in report.sums]
        none = [f"0::BIGINT AS {name}" for name in report.sums]
    columns = ", ".join([*report.keys, *size, *numbers])
    queries = [f"SELECT {last} AS level, {columns} FROM contributions GROUP BY ALL"]
    for level in range(1, last):
        node = ", ".join(report.levels[level])
        source = f"(SELECT DISTINCT {node}, {_kept(report)} FROM contributions)"
        queries.append(
            f"SELECT {level} AS level, {node}, {', '.join([*size, *none])}"
            f" FROM {source if report.people else 'contributions'} GROUP BY ALL"
        )
    made = _texts(connection, report, " UNION ALL BY NAME ".join(queries))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE whole AS {made}")
    return connection.sql("FROM whole").to_arrow_table()


def _coded(connection: duckdb.DuckDBPyConnection, report: Report) -> list[str]:
    """The keys that `contributions` has as codes (`remembered.py`)."""
    made = connection.sql("FROM contributions")
    kinds = dict(zip(made.columns, made.types, strict=True))
    return [key for key in report.keys if kinds[key].id == "enum"]


def _texts(connection: duckdb.DuckDBPyConnection, report: Report, rows: str) -> str:
    """Names that are held as codes leave as texts: cells are few."""
    coded = ", ".join(f"{key}::VARCHAR AS {key}" for key in _coded(connection, report))
    return f"SELECT * REPLACE ({coded}) FROM ({rows})" if coded else rows


def typed(connection: duckdb.DuckDBPyConnection, report: Report, rows: str) -> str:
    """The name of a relation of those rows, whose keys are codes where `contributions` has codes: joining
    them takes a third of the time that texts do."""
    if not _coded(connection, report):
        return rows
    columns = connection.sql(f"FROM {rows}").columns
    keys = ", ".join(key for key in report.keys if key in columns)
    rest = ", ".join(name for name in columns if name not in report.keys)
    more = f" CROSS JOIN (SELECT {rest} FROM {rows} LIMIT 0)" if rest else ""
    name = f"coded_{rows}"
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS FROM (SELECT {keys} FROM contributions LIMIT 0){more}"
    )
    connection.execute(f"INSERT INTO {name} BY NAME FROM {rows}")
    return name


def look(
    connection: duckdb.DuckDBPyConnection,
    report: Report,
    levels: Collection[int],
    keys: RecordKeys | None = None,
    top: int = 0,
) -> None:
    """Who of this bucket is in the rows marked under each part of the report, as if they were one row.

    Makes `looked`: level, `more` (false: the rows marked small; true: with the next smallest row), the keys
    of the part (finer ones null), and of each of the two what `partial` has; but `_<sum>` are lists of the
    `top` largest that one person adds. `levels`: those that `marks` (`release.mark`) has, one or more.
    """
    marked, queries = typed(connection, report, "marks"), []
    for level in levels:
        parent, node = ", ".join(report.levels[level - 1]), ", ".join(report.levels[level])
        joined = (
            f"contributions JOIN (SELECT {node}, small FROM {marked} WHERE level = {level}) USING ({node})"
        )
        both = ", ".join(
            f"sum({name})::BIGINT AS all_{name}, sum({name}) FILTER (small)::BIGINT AS small_{name}"
            for name in report.sums
        )
        either = ", ".join(
            f"CASE WHEN more THEN all_{name} ELSE small_{name} END AS {name}" for name in report.sums
        )
        who = f", {_kept(report)}" if report.people else ""
        found = f"SELECT {parent}{who}, bool_or(small) AS few, {both} FROM {joined} GROUP BY ALL"
        queries.append(
            f"SELECT {level} AS level, more, {parent}, {_together(report, keys, top)} FROM"
            f" (SELECT *, {either} FROM ({found}), (VALUES (true), (false)) AS of(more) WHERE more OR few)"
            " GROUP BY ALL"
        )
    lacking = "".join(f", NULL AS {key}" for key in report.keys if key not in report.levels[max(levels) - 1])
    rows = f"SELECT *{lacking} FROM ({' UNION ALL BY NAME '.join(queries)})"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE looked AS {_texts(connection, report, rows)}")


def _together(report: Report, keys: RecordKeys | None, top: int) -> str:
    """What `look` counts of rows of one person each, or of requests."""
    sums = [f"sum({name})::BIGINT AS {name}" for name in report.sums]
    if not report.people:
        return ", ".join([f"sum({report.sums[0]})::BIGINT AS people", *sums])
    most = [f"max({name}, {max(top, 1):d}) AS _{name}" for name in report.sums]
    return ", ".join([*_groups(report, keys), *sums, *most])


def tops(connection: duckdb.DuckDBPyConnection, report: Report, rows: pa.Table, top: int) -> None:
    """Make `tops`: of some rows (`dominance.failing`), one or more, the `top` largest that one person of this
    bucket adds to each sum: keys, and `_<sum>`, a list. Of a sum of which nobody is too much anywhere there
    are no lists."""
    keys = ", ".join(report.keys)
    lists = ", ".join(
        f"max({name}::BIGINT, {max(top, 1):d}) AS _{name}"
        if pc.any(rows[f"_{name}"]).as_py()
        else f"NULL::BIGINT[] AS _{name}"
        for name in report.sums
    )
    with lent(connection, failing=rows.select(report.keys)):
        few = typed(connection, report, "failing")
        found = f"SELECT {keys}, {lists} FROM contributions SEMI JOIN {few} AS f USING ({keys}) GROUP BY ALL"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE tops AS {_texts(connection, report, found)}")


def merge(
    connection: duckdb.DuckDBPyConnection, report: Report, parts: Sequence[pa.Table], top: int = 0
) -> pa.Table:
    """Add up what `partial`, `look` or `tops` found in several buckets; associative, in any order."""
    if len(parts) == 1:
        return parts[0]
    names = parts[0].column_names
    largest = {f"_{name}" for name in report.sums}
    numbers = []
    for name, kind in zip(names, parts[0].schema.types, strict=True):
        if name in ("level", "more", *report.keys):
            numbers.append(name)
        elif pa.types.is_list(kind):
            numbers.append(f"list_sort(flatten(list({name})), 'DESC')[:{max(top, 1):d}] AS {name}")
        else:
            how = "max" if name in largest else "sum"
            numbers.append(f"{how}({name})::BIGINT AS {name}")
    with lent(connection, found=pa.concat_tables(parts, promote_options="permissive")):
        return connection.sql(f"SELECT {', '.join(numbers)} FROM found GROUP BY ALL").to_arrow_table()
