"""What trends read, bucket by bucket, and the exact cells that come of it: never on a page, never kept.

Offered are `events`, `profiles` and `visits` of a period's days (`relations.Days`), and `firsts` (site,
person, first day seen) of identified people over all facts up to its end. What a person adds depends on
nobody else's rows: no day is left out because few came. So the caps of a trend are its sensitivity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from consent_filter.purpose import Purpose
from warehouse.cells import partial
from warehouse.invalid.judged import judged
from warehouse.period import Period
from warehouse.relations import OWN, Bucket, Days, counted
from warehouse.report import Report
from warehouse.trend import Trend, limited


def spans(trends: Sequence[Trend], period: Period) -> dict[tuple[date, date], list[Trend]]:
    """Trends by the days that they read: those by week read other days than those by month."""
    found: dict[tuple[date, date], list[Trend]] = {}
    for one in sorted(trends, key=lambda one: (one.report.bit, one.report.mentions("visits"), one.name)):
        span = one.span(period)
        if span.first <= span.last:
            found.setdefault((span.first, span.last), []).append(one)
    return found


def count(
    connection: duckdb.DuckDBPyConnection,
    facts: str,
    received: str,
    trends: Sequence[Trend],
    period: Period,
    sites: Sequence[str],
    bucket: Bucket = Bucket(),  # noqa: B008
    rows: int = 0,
) -> Iterator[tuple[Trend, pa.Table]]:
    """Each trend's cells of one bucket of people: level, keys, people, then the sums of `Trend.report`.

    `withdrawn` must have been offered. `rows`: about how many facts there are."""
    run, begun = connection.execute, False
    for (first, last), group in spans(trends, period).items():
        days = [first + timedelta(days=by) for by in range((last - first).days + 1)]
        said = judged(connection)
        relations = Days(connection, facts, received, days, rows=rows, many=1 << 30, judged=said)
        reports = [one.report for one in group]
        relations.move(bucket, reports)
        for one, report in zip(group, reports, strict=True):
            if report.mentions("firsts") and not begun:
                _firsts(connection, facts, bucket, period.last)
                begun = True
            relations.show(report)
            run(f"CREATE OR REPLACE TEMP TABLE contributions AS {report.sql}")
            run(f"CREATE OR REPLACE TEMP TABLE contributions AS {limited(one, sites)}")
            # What is for other noise, by cell key, stays here.
            yield one, partial(connection, report).select(["level", *report.keys, "people", *report.sums])


def whole(report: Report, parts: Sequence[pa.Table]) -> pa.Table:
    """All buckets together, in the order of the keys, so that how many there were doesn't show."""
    keys, numbers = ["level", *report.keys], ["people", *report.sums]
    made = pa.concat_tables(parts).group_by(keys, use_threads=False).aggregate([(n, "sum") for n in numbers])
    made = made.rename_columns([name.removesuffix("_sum") for name in made.column_names])
    return made.select(keys + numbers).sort_by([(key, "ascending") for key in report.keys])


def _firsts(connection: duckdb.DuckDBPyConnection, facts: str, bucket: Bucket, last: date) -> None:
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE firsts AS SELECT site, person, min(day) AS first FROM {facts}"
        f" {counted(connection)} WHERE person IS NOT NULL AND treatment = 'identified' AND {bucket.where}"
        f" AND {OWN} AND purposes & {int(Purpose.MEASUREMENT)} <> 0 AND day <= DATE '{last.isoformat()}'"
        " GROUP BY ALL"
    )
