"""Disclosure: contributions become a table that names nobody, and a sentence that says what was done to it.

1. Nobody counts in more rows of a group than `max_cells`, or adds more than `max_sum` to a number.
2. A row is about `min_group` people at least. Smaller rows of a group are hidden together: folded into one row
   "(other)" where the report names columns to fold, else left out.
3. What is hidden together is itself about `min_group` people at least: else the next smallest row is hidden
   too (complementary suppression), because a total less the visible rows is the hidden ones. A group that
   cannot get there is left out whole.
4. Perturbation and the budget of what leaves the house come here, after the numbers are final: `noise`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import duckdb
import pyarrow as pa

from warehouse.contributions import cap
from warehouse.report import OTHER, Report
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


def release(
    connection: duckdb.DuckDBPyConnection, report: Report, settings: Warehouse, noise: Noise = no_noise
) -> Released:
    """Release the table `contributions`. Columns: the report's keys, `people` if it has any, its sums."""
    run = connection.execute
    capped = cap(connection, report, settings.max_cells)
    keys = ", ".join(report.keys)
    size = "count(*)" if report.people else f"sum({report.sums[0]})"
    sums = ", ".join(f"sum(least({name}, {settings.max_sum:d}))::BIGINT AS {name}" for name in report.sums)
    run(
        f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {keys}, {size}::BIGINT AS people, {sums}"
        " FROM contributions GROUP BY ALL"
    )
    hides = report.people or bool(report.fold)
    run("ALTER TABLE cells ADD COLUMN hidden BOOLEAN DEFAULT false")
    steps = 0
    if hides:
        run(f"UPDATE cells SET hidden = true WHERE people < {settings.min_group:d}")
        steps = _complement(connection, report, settings.min_group)
    table = connection.sql(_published(report, settings)).to_arrow_table()
    (hidden,) = run("SELECT count(*) FROM cells WHERE hidden").fetchone() or (0,)
    words = [f"groups of at least {settings.min_group}" if hides else "no people in it"]
    words.append(f"{hidden} small rows {'folded into ' + OTHER if report.fold else 'left out'}")
    if steps:
        words.append("further rows hidden with them, so that no total gives a hidden row away")
    if capped:
        words.append(f"{capped} people counted in {settings.max_cells} rows at most")
    return Released(noise(table, report), "; ".join(words))


def _complement(connection: duckdb.DuckDBPyConnection, report: Report, least: int) -> int:
    """Hide the next smallest row of each group whose hidden rows are about too few people, until none is."""
    group = ", ".join(report.within)
    match = " AND ".join(f"cells.{key} IS NOT DISTINCT FROM short.{key}" for key in report.keys)
    steps = 0
    while True:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE short AS WITH lacking AS ({_lacking(report, least)})"
            f" SELECT {', '.join(report.keys)} FROM cells SEMI JOIN lacking USING ({group}) WHERE NOT hidden"
            f" QUALIFY row_number() OVER (PARTITION BY {group} ORDER BY people, {', '.join(report.keys)}) = 1"
        )
        found = connection.execute("SELECT count(*) FROM short").fetchone()
        if not found or not found[0]:
            return steps
        connection.execute(f"UPDATE cells SET hidden = true FROM short WHERE {match}")
        steps += 1


def _lacking(report: Report, least: int) -> str:
    """Groups whose hidden rows, taken together, are about fewer people than may be published."""
    group, keys = ", ".join(report.within), ", ".join(report.keys)
    if not report.people:
        return f"SELECT {group} FROM cells WHERE hidden GROUP BY {group} HAVING sum(people) < {least:d}"
    return (
        f"SELECT {group} FROM (SELECT DISTINCT {', '.join(f'c.{key}' for key in report.within)}, c.person"
        f" FROM contributions c JOIN (SELECT {keys} FROM cells WHERE hidden) h ON "
        + " AND ".join(f"c.{key} IS NOT DISTINCT FROM h.{key}" for key in report.keys)
        + f") GROUP BY {group} HAVING count(*) < {least:d}"
    )


def _published(report: Report, settings: Warehouse) -> str:
    """The rows that may be seen: those not hidden, and one "(other)" for each group's hidden ones."""
    people = ["people"] if report.people else []
    shown = ", ".join([*report.keys, *people, *report.sums])
    visible = f"SELECT {shown} FROM cells WHERE NOT hidden"
    if not report.fold:
        return f"{visible} ORDER BY ALL"
    kept = [key for key in report.keys if key not in report.fold]
    named = ", ".join(f"'{OTHER}' AS {key}" if key in report.fold else f"h.{key}" for key in report.keys)
    grouped = ", ".join(f"h.{key}" for key in kept)
    sums = ", ".join(f"sum(least({name}, {settings.max_sum:d}))::BIGINT AS {name}" for name in report.sums)
    count = "count(DISTINCT person)::BIGINT AS people, " if report.people else ""
    join = " AND ".join(f"c.{key} IS NOT DISTINCT FROM h.{key}" for key in report.keys)
    least = f" HAVING count(DISTINCT person) >= {settings.min_group:d}" if report.people else ""
    other = (
        f"SELECT {named}, {count}{sums} FROM contributions c"
        f" JOIN (SELECT {', '.join(report.keys)} FROM cells WHERE hidden) h ON {join} GROUP BY {grouped}{least}"
    )
    return f"SELECT * FROM ({visible} UNION ALL {other}) ORDER BY ALL"
