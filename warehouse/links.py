"""Facts with logins: what a browser did in a visit before somebody logged in is the account's (M42).

A login reaches back to the beginning of its visit (no pause over half an hour, the site's own day), over rows
that may be measured, and never over an earlier login on that browser. Facts stay as they are: reports read a
relation in which the person of those rows is the account, so that they lie in the account's bucket, and a
login that is undone leaves no trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from consent_filter.links import Linked
from consent_filter.purpose import Purpose
from warehouse.days import named
from warehouse.relations import COLUMNS, counted, hold
from warehouse.sessions import PAUSE

_MEASURED = f"purposes & {int(Purpose.MEASUREMENT)} <> 0"


def offer(
    connection: duckdb.DuckDBPyConnection, facts: str, linked: Linked, days: Sequence[date] | None = None
) -> str:
    """The name of the relation to read instead of `facts` of these days (None: all); itself without logins.

    `withdrawn` must have been offered: rows of a browser that has withdrawn, or does not
    count yet on a day, are nobody's.
    """
    if not len(linked.at):
        return facts
    run, within = connection.execute, "true" if days is None else named(days)
    hold(connection, "met", table(linked))
    # Logins of a browser at the same moment: one of them, whatever their order.
    near = "true" if days is None else f"({named(span(days)).replace('day', 'CAST(moment AS DATE)')})"
    run(
        "CREATE OR REPLACE TEMP TABLE logins AS SELECT device AS browser_of, moment, min(account) AS account"
        f" FROM met WHERE {near} GROUP BY ALL"
    )
    run("CREATE OR REPLACE TEMP TABLE joined AS SELECT DISTINCT browser_of AS person FROM logins")
    # Each row with the next login on that browser; `counts`: that may be joined to it, if none is missing on
    # the way there. One sort of the few rows of those browsers, and no join by ranges, which is quadratic.
    # Rows of one moment are together or not at all (RANGE): two windows may sort them differently.
    run(
        f"CREATE OR REPLACE TEMP TABLE upcoming AS SELECT f.*, moment, account, {_MEASURED}"
        " AND coalesce(day = CAST(moment + to_minutes(offset_min) AS DATE), false) AS counts"
        f" FROM (SELECT {COLUMNS}, offset_min FROM {facts} SEMI JOIN joined USING (person)"
        f" {counted(connection)} WHERE {within}) f"
        " ASOF LEFT JOIN logins l ON f.person = l.browser_of AND f.time <= l.moment"
    )
    way = "PARTITION BY person, day, moment, counts ORDER BY time DESC"
    columns = COLUMNS.replace("person,", "CASE WHEN one_visit THEN account ELSE person END AS person,", 1)
    run(
        f"CREATE OR REPLACE TEMP TABLE rejoined AS SELECT {columns}, offset_min FROM (SELECT *,"
        f" counts AND bool_and(soon) OVER ({way} RANGE UNBOUNDED PRECEDING) AS one_visit"
        f" FROM (SELECT *, coalesce(lag(time) OVER ({way}), moment) - time"
        f" <= INTERVAL {PAUSE // 1000} SECONDS AS soon FROM upcoming))"
    )
    run(
        f"CREATE OR REPLACE TEMP VIEW accounts AS SELECT {COLUMNS}, offset_min FROM {facts}"
        f" ANTI JOIN joined USING (person) UNION ALL SELECT {COLUMNS}, offset_min FROM rejoined"
    )
    return "accounts"


def span(days: Sequence[date]) -> list[date]:
    """These days, and those around them: a day of a site's clock lies in two or three of UTC."""
    return sorted({day + timedelta(days=by) for day in days for by in (-1, 0, 1)})


def table(linked: Linked) -> pa.Table:
    """Logins as reports read them: `device`, `account`, `moment`."""
    return pa.table(
        {
            "device": pa.array(linked.device, pa.uint64()),
            "account": pa.array(linked.account, pa.uint64()),
            "moment": pa.array(linked.at, pa.int64()).cast(pa.timestamp("ms")),
        }
    )
