"""What reports read: the facts of some days as relations in one connection, and each person's contributions.

Relations offered to a report's SQL: `events` (rows granted the report's purpose, with `local`, the site's own
time), `visits` (see `sessions.py`), and for reports over all days `days` (one row a site, day and person),
`firsts` (the first day each identified person was seen), `steps` (custom events) and `received` (counts).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.purpose import Purpose
from warehouse.report import Report
from warehouse.sessions import NEEDS, visits

#: Buckets are ranges of the top bits of a person; one person is wholly inside one.
BITS = 64
_MEASURED = f"purposes & {int(Purpose.MEASUREMENT)} <> 0"


def bucket(number: int, of: int) -> tuple[int, int]:
    """First and last person of a bucket; `of` is a power of two."""
    width = (1 << BITS) // of
    return number * width, (number + 1) * width - 1


def offer_withdrawn(connection: duckdb.DuckDBPyConnection, persons: NDArray[np.uint64]) -> None:
    """The persons whom no report may count any more, as a table of their own."""
    held = pa.table({"person": pa.array(persons, pa.uint64())})
    connection.register("withdrawn_now", held)
    connection.execute("CREATE OR REPLACE TEMP TABLE withdrawn AS SELECT person FROM withdrawn_now")
    connection.unregister("withdrawn_now")


def offer_days(
    connection: duckdb.DuckDBPyConnection, source: str, days: Sequence[date], persons: tuple[int, int] | None = None
) -> int:
    """Load the facts of some days (and one bucket of persons) as `facts` and `visits`; returns their number."""
    where = f"day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days)})"
    if persons is not None:
        where += f" AND person BETWEEN {persons[0]}::UBIGINT AND {persons[1]}::UBIGINT"
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE facts AS SELECT * EXCLUDE (event_id, received, protocol, because, policy),"
        f" time + to_minutes(offset_min) AS local FROM {source}"
        f" WHERE {where} AND person NOT IN (SELECT person FROM withdrawn)"
    )
    columns = connection.sql(f"SELECT {', '.join(NEEDS)} FROM facts WHERE {_MEASURED}").to_arrow_table()
    connection.register("visits", visits(columns))
    return columns.num_rows


def offer_all(connection: duckdb.DuckDBPyConnection, source: str, min_group: int) -> None:
    """Make the relations of reports over all days.

    Days with fewer people than a group are left out here as they are from the reports by day: else a week's
    number less its published days would be the number of the day that was hidden.
    """
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE days AS SELECT * FROM ("
        "SELECT site, day, person, any_value(treatment) AS treatment,"
        " count(*) FILTER (type = 'page_view') AS views, count(*) AS events"
        f" FROM {source} WHERE {_MEASURED} AND person NOT IN (SELECT person FROM withdrawn) GROUP BY ALL)"
        f" QUALIFY count(*) OVER (PARTITION BY site, day) >= {min_group:d}"
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE firsts AS SELECT site, person, min(day) AS first FROM days"
        " WHERE treatment = 'identified' GROUP BY ALL"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE steps AS SELECT site, day, person, name, time FROM {source}"
        f" WHERE {_MEASURED} AND type = 'event' AND name IS NOT NULL"
        " AND person NOT IN (SELECT person FROM withdrawn)"
        " AND (site, day) IN (SELECT DISTINCT (site, day) FROM days)"
    )


def contribute(connection: duckdb.DuckDBPyConnection, report: Report, *, more: bool = False) -> None:
    """Each person's contributions to a report, as the table `contributions`; `more` adds another bucket's."""
    if report.grain == "day":
        connection.execute(f"CREATE OR REPLACE TEMP VIEW events AS SELECT * FROM facts WHERE purposes & {report.bit} <> 0")
    verb = "INSERT INTO contributions" if more else "CREATE OR REPLACE TEMP TABLE contributions AS"
    connection.execute(f"{verb} {report.sql}")


def cap(connection: duckdb.DuckDBPyConnection, report: Report, max_cells: int) -> int:
    """Leave out what somebody would add to more than `max_cells` rows of a group; returns how many people.

    Which rows, depends on their names only, so it is the same every time.
    """
    rest = [key for key in report.keys if key not in report.within]
    if not report.people or not rest:
        return 0
    group = ", ".join((*report.within, "person"))
    found = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM contributions GROUP BY {group} HAVING count(*) > {max_cells:d})"
    ).fetchone()
    many = int(found[0]) if found else 0
    if many:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE contributions AS SELECT * FROM contributions QUALIFY"
            f" row_number() OVER (PARTITION BY {group} ORDER BY hash({', '.join(rest)})) <= {max_cells:d}"
        )
    return many
