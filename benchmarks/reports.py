"""All reports over the facts of a month: the Beam job with its release, against the same SQL in plain DuckDB.

The plain run is what one would write without minding anybody: the same Parquet, the same SQL files, one
connection, distinct persons counted, nothing capped, hidden, withdrawn, published or resumable. Visits are
made with window functions.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import duckdb

from benchmarks.crowd import events
from benchmarks.laid import lay
from benchmarks.line import emit
from pipelines import reports
from warehouse import paths, report
from warehouse.advert_views import offer_views
from warehouse.relations import _PROFILE
from warehouse.settings import Warehouse

EVENTS, PEOPLE, DAYS = 10_000_000, 500_000, 30
#: Relations that take a program of their own: the plain run leaves out what reads them, the job does not.
_NOT_PLAIN = ("deals", *paths.RELATIONS)
_SOURCE = ("referrer_group", "referrer_host", "utm_source", "utm_medium", "utm_campaign")
_VISITS = f"""
WITH e AS (
    SELECT *, (time - lag(time) OVER w <= INTERVAL 30 MINUTE) IS NOT TRUE AS begins FROM events
    WINDOW w AS (PARTITION BY site, day, person ORDER BY time)
), n AS (
    SELECT *, sum(begins::INT)
        OVER (PARTITION BY site, day, person ORDER BY time ROWS UNBOUNDED PRECEDING) AS visit
    FROM e
)
SELECT site, day, person, count(*) FILTER (type = 'page_view') AS views,
    epoch_ms(max(time)) - epoch_ms(min(time)) AS duration_ms,
    (views = 1 AND count(*) FILTER (type IN ('click', 'event')) = 0)::INT AS bounced,
    arg_min(path, time) FILTER (type = 'page_view') AS entry,
    arg_max(path, time) FILTER (type = 'page_view') AS leave,
    {", ".join(f"arg_min({name}, time) FILTER (type = 'page_view') AS {name}" for name in _SOURCE)}
FROM n GROUP BY site, day, person, visit
"""


def plain(data: Path, threads: int) -> None:
    """Every report's SQL, grouped and counted."""
    con = duckdb.connect()
    con.execute(f"SET threads = {threads}")
    con.execute(
        "CREATE VIEW facts AS SELECT *, time + to_minutes(offset_min) AS local"
        f" FROM read_parquet('{data}/lake/files/main/events/*.parquet')"
    )
    con.execute(
        "CREATE VIEW received AS SELECT site, day, 'beacon' AS protocol, country, 'stored' AS outcome,"
        " '' AS reason, '' AS detail, '' AS event, '' AS campaign, count(*) AS n FROM facts GROUP BY ALL"
    )
    bit = 0
    for one in sorted(report.load().values(), key=lambda one: one.bit):
        if one.bit != bit:
            bit = one.bit
            con.execute(f"CREATE OR REPLACE VIEW events AS FROM facts WHERE purposes & {bit} <> 0")
            con.execute(
                f"CREATE OR REPLACE TABLE profiles AS SELECT {_PROFILE}, count(*) AS events,"
                " count(*) FILTER (type = 'page_view') AS views FROM events GROUP BY ALL"
            )
            con.execute(
                "CREATE OR REPLACE VIEW adverts AS SELECT *, NULL::VARCHAR AS invalid,"
                " NULL::VARCHAR AS ground FROM events WHERE starts_with(type, 'ad_')"
            )
            if any(other.bit == bit and other.mentions("advert_views") for other in report.load().values()):
                offer_views(con)
            con.execute(
                "CREATE OR REPLACE VIEW contacts AS SELECT *, min(day) OVER (PARTITION BY site, ad_campaign)"
                " AS flight FROM (SELECT site, day, person, ad_campaign, ad_frequency,"
                " treatment = 'identified' AS known, count(*) AS impressions,"
                " count(*) FILTER (invalid IS NULL) AS net_impressions FROM adverts"
                " WHERE type = 'ad_impression' AND ad_campaign IS NOT NULL GROUP BY ALL)"
            )
            if any(other.bit == bit and other.mentions("visits") for other in report.load().values()):
                con.execute(f"CREATE OR REPLACE TABLE visits AS {_VISITS}")
            con.execute(
                "CREATE OR REPLACE TABLE days AS SELECT site, day, person,"
                " bool_or(treatment = 'identified') AS identified, count(*) AS events,"
                " count(*) FILTER (type = 'page_view') AS views FROM events GROUP BY ALL"
            )
            con.execute(
                "CREATE OR REPLACE TABLE firsts AS SELECT site, person, min(day) AS first, true AS grouped"
                " FROM days WHERE identified GROUP BY ALL"
            )
            con.execute(
                "CREATE OR REPLACE VIEW steps AS SELECT site, day, person, name, time FROM events"
                " WHERE type = 'event' AND name IS NOT NULL"
            )
        if any(one.mentions(name) for name in _NOT_PLAIN):
            continue
        sums = [f"sum({name}) AS {name}" for name in one.sums]
        who = ["count(DISTINCT person) AS people"] if one.people else []
        con.execute(
            f"CREATE OR REPLACE TABLE made AS SELECT {', '.join([*one.keys, *who, *sums])} FROM ({one.sql})"
            " GROUP BY ALL ORDER BY ALL"
        )
    con.close()


def main(n: int = EVENTS) -> None:
    """One run of each after a first small one that loads what both need."""
    settings, times = Warehouse(), []
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        warm, data = Path(temporary) / "warm", Path(temporary) / "data"
        lay(warm, events(20_000, 1000, 2))
        reports.run(warm, settings)
        total = lay(data, events(n, max(n // 20, 1), DAYS))
        for _ in range(3):
            begun = time.perf_counter()
            plain(data, settings.threads)
            other = time.perf_counter() - begun
            begun = time.perf_counter()
            reports.run(data, settings, force=True)
            times.append((time.perf_counter() - begun, other))
    mine, other = sorted(times)[1]
    ratios = sorted(a / b for a, b in times)
    emit("reports", mine, "s", against="plain DuckDB over the same Parquet", ratio=ratios[1], n=3)
    emit("reports_rate", total / mine, "events/s", n=3)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
