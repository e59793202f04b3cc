"""What of a site's published tables may be looked at by whoever has a share link: rows of fifty people and
more, late, and nothing that follows from what is missing about fewer (M98).

Only released tables are read, and only those whose small rows leave a trace: a row "(other)" in the same
part. Rows of fewer people are left out; and in each part in which something is left out, from the finest
keys to the whole day, something of fifty people is left out with it. So a total less what can be seen is
nobody, or fifty people and more. Of the numbers only those are told to which everybody in a row has added.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pyarrow as pa

from consent_filter.errors import Broken, Refused
from warehouse import egress
from warehouse.own_rows import DELAY
from warehouse.perturbation import BOUND
from warehouse.reader import Reading
from warehouse.report import Report, load

#: People of a row as it is published: it was moved by BOUND at most, so that behind it are FEWEST.
LEAST = egress.FEWEST + BOUND
#: The tables, and the number of each that is told besides people. Written out by hand.
TOLD = {
    "traffic_day": "views", "sources": "visits", "campaigns": "visits", "pages": "views",
    "countries": "views", "devices": "views", "browsers": "views",
}  # fmt: skip


def newest(today: date) -> date:
    """The newest day of which anything is told."""
    return today - timedelta(days=DELAY)


def rows(
    reading: Reading, name: str, site: str, first: date, last: date, where: Mapping[str, str] | None = None
) -> pa.Table:
    """Columns: day, the other keys, people, and one number. `where`: key → the only value. Raises Refused
    where there is no such table, or it has no such key."""
    report = told(name)
    if name not in reading.tables:
        raise Refused(404, "no_such_report", "that table is not published")
    keys = [key for key in report.keys if key != "site"]
    only = dict(where or {})
    if not only.keys() <= set(keys):
        raise Refused(
            400, "where", "{name} has no {names}", name=name, names=", ".join(sorted(only.keys() - set(keys)))
        )
    end = min(last, newest(reading_day(reading)))
    narrowed = "".join(f" AND {key} = ?" for key in only)
    return reading.table(
        f"{statement(report, name)} SELECT {', '.join(keys)}, people, {TOLD[name]} FROM shown"
        f" WHERE NOT hidden{narrowed} ORDER BY ALL",
        [site, first, end, *only.values()],
    )


def reading_day(reading: Reading) -> date:
    """The day, in UTC, on which what is read was published: what came later is not in it."""
    return date(1970, 1, 1) + timedelta(seconds=reading.made["time"])


def told(name: str) -> Report:
    """Raises Refused for a table that is not told outside, Broken for one that may not be."""
    report = load().get(name)
    if report is None or name not in TOLD:
        raise Refused(
            400, "not_outside", "outside are told {told}; not {name}", told=", ".join(TOLD), name=name
        )
    traced = not report.rest or set(report.fold) == set(report.rest)
    if (
        not report.people or report.two or report.nested or report.grain != "day" or not traced
        or report.purpose != "measurement" or egress.CLOSED.intersection(report.keys)
    ):  # fmt: skip
        raise Broken(f"the report {name} may not be told outside")
    return report


def statement(report: Report, table: str) -> str:
    """A `WITH` whose `shown` has each row of a site and days (three values) and whether it is `hidden`."""
    keys = [key for key in report.keys if key != "site"]
    out = (
        f"WITH s0 AS (SELECT {', '.join(keys)}, people, {TOLD[report.name]}, people < {LEAST:d} AS hidden"
        f" FROM {table} WHERE site = ? AND day BETWEEN ? AND ?)"
    )
    depth = 0
    for depth in range(1, len(report.fold) + 1):
        part = ", ".join(["day", *report.fold[: len(report.fold) - depth]])
        order = ", ".join(["hidden", "people", *report.fold])
        out += (
            f", s{depth} AS (SELECT * EXCLUDE (few, place)"
            " REPLACE (hidden OR (coalesce(few, false) AND place = 1) AS hidden)"
            f" FROM (SELECT *, max(people) FILTER (hidden) OVER part < {LEAST:d} AS few,"
            f" row_number() OVER (part ORDER BY {order}) AS place FROM s{depth - 1}"
            f" WINDOW part AS (PARTITION BY {part})))"
        )
    return f"{out}, shown AS (FROM s{depth})"
