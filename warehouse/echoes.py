"""Days that must be made anew for what was told of other days: refunds, and adverts that came late (M52).

A refund counts on the day of its order; and what somebody saw on a day may lead to an order of any of the
next thirty. How many rows there were of each day is kept, by the day that they came in, so that what came
late is known from what had come. Of the next thirty days only those can change on which somebody of whom
something came late, or who has sent a view of theirs, is there again, or the same order was told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

import duckdb
import pyarrow as pa

from warehouse.days import named
from warehouse.footprint import EVENTS
from warehouse.paths import AHEAD, BACK
from warehouse.relations import lent
from warehouse.released import Store

_OWN = "echoes_by (day DATE, came DATE, refunds BIGINT, others BIGINT)"
_ADVERT = "starts_with(type, 'ad_')"
_CAME = "received::DATE"


class Echoes(NamedTuple):
    """`refunded`: days of orders of which something was given back. `later`: days that adverts may have
    changed which came late. `seen`: rows of the days that were looked at, to be kept with what is made of
    them."""

    refunded: set[date]
    later: set[date]
    seen: pa.Table


def find(
    store: Store, lake: duckdb.DuckDBPyConnection, touched: Iterable[date], rows: Mapping[date, int]
) -> Echoes:
    """What follows from days that new facts came of. `rows`: the days that there are facts of."""
    touched = set(touched)
    store.connection.execute(f"CREATE TABLE IF NOT EXISTS {_OWN}")
    seen = lake.execute(
        f"SELECT day, {_CAME} AS came, count(*) FILTER (type = 'ad_refund') AS refunds,"
        f" count(*) FILTER (type <> 'ad_refund') AS others FROM {EVENTS}"
        f" WHERE {named(touched)} AND {_ADVERT} GROUP BY ALL"
    ).to_arrow_table()
    with lent(store.connection, seen=seen):
        more = store.connection.execute(
            "SELECT day, came, coalesce(s.refunds, 0) - coalesce(e.refunds, 0), coalesce(s.refunds, 0),"
            " coalesce(s.others, 0) - coalesce(e.others, 0) FROM seen s FULL JOIN"
            f" (FROM echoes_by WHERE {named(touched)}) e USING (day, came)"
        ).fetchall()
    refunded, later = set[date](), set[date]()
    if given := {day for day, _, refunds, there, _ in more if refunds and there}:
        found = lake.execute(
            f"SELECT DISTINCT o.day FROM {EVENTS} o JOIN (SELECT day, site, ad_order FROM {EVENTS}"
            f" WHERE type = 'ad_refund' AND {named(given)}) r ON o.site = r.site AND o.ad_order = r.ad_order"
            f" AND r.day BETWEEN o.day - 1 AND o.day + {AHEAD} WHERE o.type = 'ad_conversion'"
        )
        refunded = {day for (day,) in found.fetchall()}
    gone = {day for day, _, _, _, others in more if others < 0}
    for day in sorted(gone):  # whose they were nobody knows any more
        later |= {one for one in rows if 0 < (one - day).days <= BACK}
    came = [(day, on) for day, on, _, _, others in more if others > 0 and day not in gone]
    if came and (after := _after([day for day, _ in came], rows) - later - touched):
        later |= _met(lake, came, after)
    if later:
        found = lake.execute(f"SELECT DISTINCT day FROM {EVENTS} WHERE {named(later)} AND {_ADVERT}")
        later = {day for (day,) in found.fetchall()}
    return Echoes(refunded & rows.keys(), later, seen)


def _after(days: Collection[date], rows: Mapping[date, int]) -> set[date]:
    """The days that may look back to any of these."""
    return {one for one in rows if any(0 < (one - day).days <= BACK for day in days)}


def _met(
    lake: duckdb.DuckDBPyConnection, came: Collection[tuple[date, date]], after: Collection[date]
) -> set[date]:
    """Of these days those on which somebody of whom adverts came late has any, or whoever has sent the same
    view (a verdict may hang on it); or the same order was told. `came`: days, and when rows of them came."""
    run = lake.execute
    listed = ", ".join(f"(DATE '{day.isoformat()}', DATE '{on.isoformat()}')" for day, on in came)
    days = {day for day, _ in came}
    run(
        f"CREATE OR REPLACE TEMP TABLE late AS SELECT site, day, person, ad_view, ad_order"
        f" FROM {EVENTS} WHERE {named(days)} AND {_ADVERT} AND (day, {_CAME}) IN ({listed})"
    )
    around = {day + timedelta(days=by) for day in days for by in (-1, 0, 1)}
    run(
        "CREATE OR REPLACE TEMP TABLE whose AS SELECT DISTINCT site, person, day AS since FROM late"
        f" UNION SELECT DISTINCT e.site, e.person, l.day FROM"
        f" (FROM {EVENTS} WHERE {_ADVERT} AND {named(around)}) e JOIN (SELECT DISTINCT site, day, ad_view"
        " FROM late WHERE ad_view IS NOT NULL) l ON e.site = l.site AND e.ad_view = l.ad_view"
        " AND e.day BETWEEN l.day - 1 AND l.day + 1"
    )
    there = f"(FROM {EVENTS} WHERE {_ADVERT} AND {named(after)}) e"
    found = run(
        f"SELECT DISTINCT e.day FROM {there} JOIN whose w ON e.site = w.site AND e.person = w.person"
        f" AND e.day > w.since AND e.day <= w.since + {BACK} UNION SELECT DISTINCT e.day FROM {there}"
        " JOIN late l ON e.site = l.site AND e.ad_order = l.ad_order AND e.type = 'ad_conversion'"
        f" AND e.day > l.day AND e.day <= l.day + {BACK}"
    ).fetchall()
    for name in ("late", "whose"):
        run(f"DROP TABLE {name}")
    return {day for (day,) in found}


def keep(store: Store, echoes: Echoes) -> None:
    """Remember what was seen; part of the transaction in which what is made of it becomes so."""
    with lent(store.connection, seen=echoes.seen):
        store.connection.execute("DELETE FROM echoes_by WHERE day IN (SELECT day FROM seen)")
        store.connection.execute("INSERT INTO echoes_by SELECT day, came, refunds, others FROM seen")
