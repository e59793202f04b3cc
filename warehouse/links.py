"""Facts with logins: what a browser did in a visit before somebody logged in is the account's (M42).

A login reaches back to the beginning of its visit (no pause over half an hour, the site's own day), over rows
that may be measured, and never over an earlier login on that browser. Facts stay as they are: reports read a
relation in which the person of those rows is the account, so that they lie in the account's bucket, and a
login that is undone leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import pyarrow as pa

from consent_filter.links import Linked
from consent_filter.purpose import Purpose
from warehouse.relations import COLUMNS, hold, named
from warehouse.sessions import PAUSE

_MEASURED = f"purposes & {int(Purpose.MEASUREMENT)} <> 0"


def offer(
    connection: duckdb.DuckDBPyConnection, facts: str, linked: Linked, days: Sequence[date] | None = None
) -> str:
    """The name of the relation to read instead of `facts` of these days (None: all); itself without logins.

    `withdrawn` must have been offered: rows of a browser that has withdrawn are nobody's.
    """
    if not len(linked.at):
        return facts
    run, within = connection.execute, "true" if days is None else named(days)
    hold(connection, "logins", table(linked))
    # Logins of a browser at the same moment: one of them, whatever their order.
    run(
        "CREATE OR REPLACE TEMP TABLE logins AS SELECT device, moment, min(account) AS account"
        " FROM logins GROUP BY ALL"
    )
    run(
        f"CREATE OR REPLACE TEMP TABLE before AS SELECT person, day, time, moment, account,"
        " day = CAST(moment + to_minutes(offset_min) AS DATE) AS same"
        f" FROM (SELECT person, day, time, offset_min FROM {facts}"
        f" SEMI JOIN (SELECT DISTINCT device AS person FROM logins) USING (person)"
        f" WHERE {within} AND {_MEASURED}) f ASOF JOIN logins l ON f.person = l.device AND f.time <= l.moment"
    )
    pause = f"INTERVAL {PAUSE // 1000} SECONDS"
    run(
        "CREATE OR REPLACE TEMP TABLE spans AS SELECT person AS whose, day AS met, account,"
        " min(time) AS since, moment AS until FROM (SELECT *, bool_and(near) OVER (PARTITION BY person, day,"
        " moment ORDER BY time DESC ROWS UNBOUNDED PRECEDING) AS joined FROM (SELECT *,"
        " coalesce(lag(time) OVER (PARTITION BY person, day, moment ORDER BY time DESC), moment) - time"
        f" <= {pause} AS near FROM before WHERE same)) WHERE joined GROUP BY ALL"
    )
    run("CREATE OR REPLACE TEMP TABLE joined AS SELECT DISTINCT whose AS person FROM spans")
    columns = COLUMNS.replace("person,", "coalesce(account, person) AS person,", 1)
    run(
        f"CREATE OR REPLACE TEMP TABLE rejoined AS SELECT {columns}, offset_min FROM"
        f" (FROM {facts} SEMI JOIN joined USING (person) ANTI JOIN withdrawn USING (person) WHERE {within})"
        f" LEFT JOIN spans ON person = whose AND day = met AND {_MEASURED}"
        " AND time BETWEEN since AND until"
    )
    run(
        f"CREATE OR REPLACE TEMP VIEW accounts AS SELECT {COLUMNS}, offset_min FROM {facts}"
        f" ANTI JOIN joined USING (person) UNION ALL SELECT {COLUMNS}, offset_min FROM rejoined"
    )
    return "accounts"


def table(linked: Linked) -> pa.Table:
    """Logins as reports read them: `device`, `account`, `moment`."""
    return pa.table(
        {
            "device": pa.array(linked.device, pa.uint64()),
            "account": pa.array(linked.account, pa.uint64()),
            "moment": pa.array(linked.at, pa.int64()).cast(pa.timestamp("ms")),
        }
    )
