"""Rows of too few people put together before they are counted: nearly all rows of a long list are such.

Who is in rows that are hidden by themselves is one row "(other)" of the part that they are in, as the caps
make one (`cells.py`), or of the part that is around it where it is hidden itself: what is released is the
same, and what is counted, marked and named is a fiftieth.
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
    keys = ", ".join(report.keys)
    named = " OR ".join(f"{key} = '{OTHER}'" for key in report.fold)
    few += f" OR {last} = '{OTHER}'"
    # One row of names, so that a code stays one.
    called = ", ".join(f"{key} AS other_{key}" for key in report.fold)
    run(f"CREATE OR REPLACE TEMP TABLE others AS SELECT {called} FROM contributions LIMIT 0")
    others = ", ".join(f"'{OTHER}'" for _ in report.fold)
    run(f"INSERT INTO others VALUES ({others})")
    joins, names = " CROSS JOIN others", [*report.within]
    for level, key in enumerate(coarser, 1):
        part = ", ".join(report.levels[level])
        # A part of which all rows together are of too few is hidden in the part that it is in, and so are its
        # own parts.
        run(
            f"CREATE OR REPLACE TEMP TABLE small{level} AS SELECT {part}, true AS small{level} FROM crossed"
            f" GROUP BY {part} HAVING sum(people) < {least:d}"
        )
        joins += f" LEFT JOIN small{level} USING ({part})"
        names.append(f"CASE WHEN small{level} THEN other_{key} ELSE {key} END AS {key}")
    part = ", ".join([*names, f"other_{last} AS {last}"])
    run(
        f"CREATE OR REPLACE TEMP TABLE folded AS SELECT {part}, count(*) AS cells,"
        f" sum(people)::BIGINT AS places, bool_and({named}) AS named"
        f" FROM (FROM crossed WHERE {few}){joins} GROUP BY ALL"
    )
    large = f"(SELECT {keys} FROM crossed WHERE NOT ({few}))"
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in report.sums)
    run(
        f"CREATE OR REPLACE TEMP TABLE gathered AS SELECT {part}, person, {sums} FROM contributions"
        f" ANTI JOIN {large} USING ({keys}){joins} GROUP BY ALL"
    )
    run(f"CREATE OR REPLACE TEMP TABLE contributions AS FROM contributions SEMI JOIN {large} USING ({keys})")
    # Inserted and not united, for the same reason.
    run("INSERT INTO contributions BY NAME FROM gathered")
    run("DROP TABLE gathered")
    return True
