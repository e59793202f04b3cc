"""Days that must be made anew for what was told of other days: refunds, and adverts that came late (M52).

A refund counts on the day of its order; and what somebody saw on a day may lead to an order of any of the
next thirty. How many rows there were of each day is kept, so that only days of which more came are followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

import duckdb
import pyarrow as pa

from warehouse.days import named
from warehouse.footprint import EVENTS
from warehouse.paths import AHEAD, BACK
from warehouse.relations import lent
from warehouse.released import Store

_OWN = "echoes_of (day DATE, refunds BIGINT, others BIGINT)"
_ADVERT = "starts_with(type, 'ad_')"


class Echoes(NamedTuple):
    """`refunded`: days of orders of which something was given back. `later`: days after adverts that came
    late. `seen`: rows of the days that were looked at, to be kept with what is made of them."""

    refunded: set[date]
    later: set[date]
    seen: pa.Table


def find(
    store: Store, lake: duckdb.DuckDBPyConnection, touched: Iterable[date], rows: Mapping[date, int]
) -> Echoes:
    """What follows from days that new facts came of. `rows`: the days that there are facts of."""
    store.connection.execute(f"CREATE TABLE IF NOT EXISTS {_OWN}")
    seen = lake.execute(
        "SELECT day, count(*) FILTER (type = 'ad_refund') AS refunds,"
        f" count(*) FILTER (type <> 'ad_refund') AS others FROM {EVENTS}"
        f" WHERE {named(touched)} AND {_ADVERT} GROUP BY ALL"
    ).to_arrow_table()
    with lent(store.connection, seen=seen):
        more = store.connection.execute(
            "SELECT day, seen.refunds IS DISTINCT FROM e.refunds AND seen.refunds > 0,"
            " seen.others IS DISTINCT FROM e.others FROM seen LEFT JOIN echoes_of e USING (day)"
        ).fetchall()
    refunded, later = set[date](), set[date]()
    if given := [day for day, refunds, _ in more if refunds]:
        found = lake.execute(
            f"SELECT DISTINCT o.day FROM {EVENTS} o JOIN (SELECT day, site, ad_order FROM {EVENTS}"
            f" WHERE type = 'ad_refund' AND {named(given)}) r ON o.site = r.site AND o.ad_order = r.ad_order"
            f" AND r.day BETWEEN o.day - 1 AND o.day + {AHEAD} WHERE o.type = 'ad_conversion'"
        )
        refunded = {day for (day,) in found.fetchall()}
    for day in (day for day, _, others in more if others):
        later |= {one for one in rows if 0 < (one - day).days <= BACK}
    if later:
        found = lake.execute(f"SELECT DISTINCT day FROM {EVENTS} WHERE {named(later)} AND {_ADVERT}")
        later = {day for (day,) in found.fetchall()}
    return Echoes(refunded & rows.keys(), later, seen)


def keep(store: Store, echoes: Echoes) -> None:
    """Remember what was seen; part of the transaction in which what is made of it becomes so."""
    with lent(store.connection, seen=echoes.seen):
        store.connection.execute("DELETE FROM echoes_of WHERE day IN (SELECT day FROM seen)")
        store.connection.execute("INSERT INTO echoes_of SELECT day, refunds, others FROM seen")
