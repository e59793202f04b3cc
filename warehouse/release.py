"""Disclosure: counted cells become a table that names nobody.

1. Nobody counts in more rows of a group than `max_cells` or adds more than a cap to a number (`cells.py`),
   before rows are folded: "(other)" is as many rows as went into it.
2. A row is about `min_group` people at least. Smaller ones are hidden: folded into one row "(other)" where
   the report says which keys to fold, else left out. Keys are folded from the coarsest to the finest: a
   small country first, then small parts of the countries that remain, so that no total that another report
   publishes can be taken apart.
3. What is hidden together is about `min_group` people at least, counted exactly: else the next smallest row
   is hidden with it (complementary suppression), since a total less the visible rows is the hidden ones.
   Where that can't be had the whole group is left out. One more row is always enough, being a group itself.
4. Rows that contain each other (steps, cohorts) are shown if the difference between them is a group, too.
5. What people have left is shown again only where its change is a group's (`restatement.py`).
6. Perturbation by cell key and the budget of what leaves the house have their place here, last: `noise`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consent_filter.errors import Broken
from warehouse.relations import lent
from warehouse.report import OTHER, Report
from warehouse.restatement import HIDDEN
from warehouse.settings import Warehouse

#: Final numbers in, numbers to publish out. The identity until perturbation has its own rules.
Noise = Callable[[pa.Table, Report], pa.Table]


class Released(NamedTuple):
    """A table fit to be read by anyone who may read reports, and what was done to make it so."""

    table: pa.Table
    explanation: str


def no_noise(table: pa.Table, report: Report) -> pa.Table:
    """Exact numbers."""
    return table


def mark(
    connection: duckdb.DuckDBPyConnection,
    report: Report,
    whole: pa.Table,
    settings: Warehouse,
    hidden: pa.Table = HIDDEN.empty_table(),  # noqa: B008
) -> pa.Table:
    """Rows to look at again: the small ones of each part, and the next smallest where there are any.

    `hidden`: parts (level, node) that are not to be shown however large they are (`restatement.py`).
    Columns: level, the report's keys (finer ones null), `small`.
    """
    least = report.least(settings.min_group)
    if not _any_small(report, whole, least) and not hidden.num_rows:
        return (
            whole.select(["level", *report.keys]).slice(0, 0).append_column("small", pa.nulls(0, pa.bool_()))
        )
    queries = [f"SELECT level, {', '.join(report.keys)}, true AS small FROM whole WHERE false"]
    for level in range(1, len(report.levels)) if not report.nested else ():
        parent, node = report.levels[level - 1], report.levels[level]
        group, keys = ", ".join(parent), ", ".join(node)
        small = f"people < {least:d}"
        if report.fold:  # what the cap has put there, or a visitor has called so
            small += f" OR {node[-1]} = '{OTHER}'"
        if hidden.num_rows:
            small += f" OR {report.node(level)} IN (SELECT node FROM hidden WHERE level = {level})"
        rows = f"(SELECT level, {keys}, people, {small} AS small FROM whole WHERE level = {level})"
        queries += [
            f"SELECT level, {keys}, small FROM {rows} WHERE small",
            f"SELECT level, {keys}, small FROM {rows} JOIN (SELECT {group},"
            f" min(people) FILTER (NOT small) AS people FROM {rows} GROUP BY {group} HAVING bool_or(small))"
            f" USING ({group}, people) WHERE NOT small"
            f" QUALIFY row_number() OVER (PARTITION BY {group} ORDER BY {keys}) = 1",
        ]
    with lent(connection, whole=whole, hidden=hidden):
        return connection.sql(" UNION ALL BY NAME ".join(queries)).to_arrow_table()


def _any_small(report: Report, whole: pa.Table, k: int) -> bool:
    rows = whole.filter(pc.equal(whole["level"], _last(report)))
    if any(rows[key].null_count for key in report.keys):
        raise Broken(f"the report {report.name} has a row without a name: coalesce every key in its SQL")
    return bool(
        (whole.num_rows and pc.min(whole["people"]).as_py() < k)
        or any(pc.any(pc.equal(whole[key], OTHER)).as_py() for key in report.fold)
    )


def _last(report: Report) -> int:
    """The level of whole rows."""
    return len(report.levels) - 1


def release(
    connection: duckdb.DuckDBPyConnection,
    report: Report,
    whole: pa.Table,
    marks: pa.Table,
    looked: pa.Table,
    settings: Warehouse,
    noise: Noise = no_noise,
    hidden: pa.Table = HIDDEN.empty_table(),  # noqa: B008
) -> Released:
    """Columns: the report's keys, `people` if it has any, its sums; sorted. Inputs: of all buckets."""
    k = report.least(settings.min_group)
    shown = ", ".join([*report.keys, *(["people"] if report.people else []), *report.sums])
    with lent(connection, whole=whole, marks=marks, looked=looked):
        connection.execute(_leaves(report, k, _last(report) if marks.num_rows else 0))
        queries = [f"SELECT * FROM leaves WHERE depth = 0 AND people >= {k:d}"]
        for level in range(1, _last(report) + 1) if report.fold and marks.num_rows else ():
            queries.append(_other(report, level, k))
        table = connection.sql(
            f"SELECT {shown} FROM ({' UNION ALL BY NAME '.join(queries)}) ORDER BY ALL"
        ).to_arrow_table()
    if hidden.num_rows:
        table = _without(connection, report, table, hidden)
    if report.nested:
        table = _nested(report, table, k)
    return Released(noise(table, report), explain(report, settings))


def _without(
    connection: duckdb.DuckDBPyConnection, report: Report, table: pa.Table, hidden: pa.Table
) -> pa.Table:
    """The rows of no group that is hidden whole; where rows contain each other, of no row that is."""
    levels = {0, _last(report)} if report.nested else {0}
    where = " AND ".join(
        f"{report.node(level)} NOT IN (SELECT node FROM hidden WHERE level = {level})" for level in levels
    )
    with lent(connection, shown=table, hidden=hidden):
        return connection.sql(f"FROM shown WHERE {where} ORDER BY ALL").to_arrow_table()


def _leaves(report: Report, k: int, levels: int) -> str:
    """Every row, with the level at which it is hidden: 0 where it may be seen. `levels`: those with marks."""
    joins = "".join(
        f" LEFT JOIN (SELECT {', '.join(f'm.{key}' for key in report.levels[level])}, true AS hidden{level}"
        f" FROM marks m JOIN looked l ON {_same('m', 'l', report, level)}"
        f" AND m.level = {level} AND l.level = {level} WHERE m.small OR l.few < {k:d})"
        f" USING ({', '.join(report.levels[level])})"
        for level in range(1, levels + 1)
    )
    cases = " ".join(f"WHEN hidden{level} THEN {level}" for level in range(1, levels + 1))
    depth = f"CASE {cases} ELSE 0 END" if cases else "0"
    return (
        f"CREATE OR REPLACE TEMP TABLE leaves AS SELECT *, {depth} AS depth"
        f" FROM (FROM whole WHERE level = {_last(report)}){joins}"
    )


def _other(report: Report, level: int, k: int) -> str:
    """The rows that stand for what is hidden at a level, one for each part of the level before."""
    parent = report.levels[level - 1]
    names = ", ".join(f"w.{key}" if key in parent else f"'{OTHER}' AS {key}" for key in report.keys)
    people = f"max(CASE WHEN l.few >= {k:d} THEN l.few ELSE l.more END)"
    sums = ", ".join(f"sum(w.{name})::BIGINT AS {name}" for name in report.sums)
    return (
        f"SELECT {names}, {people} AS people, {sums} FROM leaves w JOIN looked l ON"
        f" {_same('w', 'l', report, level)} AND l.level = {level} WHERE w.depth = {level}"
        f" GROUP BY {', '.join(f'w.{key}' for key in parent)} HAVING {people} >= {k:d}"
    )


def _same(one: str, other: str, report: Report, level: int) -> str:
    return " AND ".join(f"{one}.{key} = {other}.{key}" for key in report.levels[level - 1])


def _nested(report: Report, table: pa.Table, least: int) -> pa.Table:
    """Rows of a group whose people are part of the row before (or of the first): by whole groups only."""
    kept: list[int] = []
    rows: list[dict[str, Any]] = table.select([*report.keys, "people"]).to_pylist()
    by = lambda i: tuple(rows[i][key] for key in report.within)  # noqa: E731
    order = sorted(range(len(rows)), key=lambda i: (*by(i), *(rows[i][key] for key in report.rest)))
    for _, group in groupby(order, key=by):
        around: int | None = None
        for i in group:
            people: int = rows[i]["people"]
            if around is None or around == people or around - people >= least:
                kept.append(i)
                if around is None or report.nested == "previous":
                    around = people
    return table.take(pa.array(sorted(kept), pa.int64()))


def explain(report: Report, settings: Warehouse) -> str:
    """What `release` does to a report, in words that its readers see. The same whatever the data are."""
    least = report.least(settings.min_group)
    if not report.people:
        words = [f"counts of requests; each row is about at least {least}"]
    else:
        words = [f"each row is about at least {least} people"]
    if report.fold:
        words.append(
            f"smaller ones are folded into {OTHER}, with the next smallest where they would be too few"
        )
    elif report.nested:
        words.append("smaller ones are left out, and those that differ from a row around them by fewer")
    elif report.rest:
        words.append("smaller ones are left out, with the next smallest where they would be too few")
    else:
        words.append("smaller ones are left out")
    if report.people:
        if report.fold and report.grain == "day":
            words.append(f"nobody counts in more than {settings.max_cells} rows of a group")
        hours = any(name.endswith("_ms") for name in report.sums)
        also = f" ({settings.max_hours} hours to a duration)" if hours else ""
        unfolded = " before rows are folded" if report.fold else ""
        words.append(f"nobody adds more than {settings.max_sum:,} to a number{also}{unfolded}")
    return "; ".join(words)
