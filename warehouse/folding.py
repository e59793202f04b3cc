"""Rows of too few people put together before they are counted: nearly all rows of a long list are such.

Who is in rows that are hidden by themselves is one row "(other)" of the part that they are in, as the caps
make one (`cells.py`): what is released is the same, and what is counted, marked and named is a fiftieth.
How many rows that were is kept, for the audit.
"""

from __future__ import annotations

import duckdb

from warehouse.report import OTHER, Report

#: From so many small rows on it pays.
MANY = 5_000


def fold(connection: duckdb.DuckDBPyConnection, report: Report, least: int) -> bool:
    """Fold the small rows of `contributions` where they are many, given each row's people (`crossed`: keys,
    people). Makes `folded`: keys, and of each such row of how many it is (`cells`), of how many people in
    them (`places`), and whether all are called so (`named`). Returns whether it did."""
    run, few = connection.execute, f"people < {least:d}"
    ((many,),) = run(f"SELECT count(*) FROM crossed WHERE {few}").fetchall()
    if report.two or many < MANY:
        return False
    *coarser, last = report.fold
    part, keys = ", ".join((*report.within, *coarser)), ", ".join(report.keys)
    named = " OR ".join(f"{key} = '{OTHER}'" for key in report.fold)
    few += f" OR {last} = '{OTHER}'"
    run(
        f"CREATE OR REPLACE TEMP TABLE folded AS SELECT {part}, '{OTHER}' AS {last}, count(*) AS cells,"
        f" sum(people)::BIGINT AS places, bool_and({named}) AS named FROM crossed WHERE {few} GROUP BY ALL"
    )
    large = f"(SELECT {keys} FROM crossed WHERE NOT ({few}))"
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in report.sums)
    run(
        f"CREATE OR REPLACE TEMP TABLE gathered AS SELECT {part}, person, {sums} FROM contributions"
        f" ANTI JOIN {large} USING ({keys}) GROUP BY {part}, person"
    )
    run(f"CREATE OR REPLACE TEMP TABLE contributions AS FROM contributions SEMI JOIN {large} USING ({keys})")
    # Inserted and not united, so that a code stays one.
    run(f"INSERT INTO contributions BY NAME SELECT *, '{OTHER}' AS {last} FROM gathered")
    run("DROP TABLE gathered")
    return True
