"""Who has not left and is counted in other rows than before: by a correction, or by a login that was noted or
undone when its day was over.

What they have left counts like what those who are gone have left (`departures.py`): no row changes by a few.
Two pseudonyms that become one are one person who leaves the parts that counted both. Whoever comes to a row
needs no such care, as nobody who comes does. While a day runs, a login is what people do on it, and shows
like any event; one hour after a day's end it is over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from hashlib import blake2b

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.links import Linked
from warehouse.batches import GROUP
from warehouse.departures import Count, absent, come_back, prepare, shown, stand
from warehouse.footprint import EVENTS, choose, places
from warehouse.links import table
from warehouse.relations import Bucket, hold, lent
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Seconds after a day's end in which its last visits are still folded, and in which it is not over.
GRACE = 3600
Persons = NDArray[np.uint64]


@contextmanager
def correcting(
    store: Store,
    lake: duckdb.DuckDBPyConnection,
    persons: Persons,
    sets: Mapping[str, str],
    settings: Warehouse,
    now: float,
    logins: Linked,
    buckets: Sequence[Bucket],
) -> Iterator[None]:
    """Count what these persons leave by a correction (column → SQL), and make it inside. Killed anywhere, the
    same correction is made again and counted once.

    Who is restricted meanwhile comes back, and leaves again in the next pass, as who they are then.
    """
    prepare(store)
    mark = blake2b(repr((persons.tolist(), sorted(sets.items()))).encode(), digest_size=16).hexdigest()
    if store.get("correcting") != mark:
        count = _count(store, lake, settings, logins, buckets, now)
        hold(lake, "put_right", pa.table({"person": persons}))
        columns = ", ".join(
            f"CASE WHEN person IN (FROM put_right) THEN {sql} ELSE {name} END AS {name}"
            for name, sql in sorted(sets.items())
        )
        lake.execute(f"CREATE OR REPLACE TEMP VIEW corrected AS SELECT * REPLACE ({columns}) FROM {EVENTS}")
        with store.change():
            away = np.intersect1d(persons, count.before)
            if len(away):
                come_back(count, away)
            _move(count, persons, (_made_of(store, lake), logins), ("corrected", logins))
            store.put(step=count.step, correcting=mark)
    yield
    store.put(correcting="")


def relink(
    store: Store,
    lake: duckdb.DuckDBPyConnection,
    logins: Linked,
    undone: Linked,
    settings: Warehouse,
    now: float,
    buckets: Sequence[Bucket],
) -> None:
    """Count what changes on days that are over because of logins that the tables were not made with, or that
    were undone since. Those days are owed then; other logins stay as they are for `Store.turned`."""
    prepare(store)
    new, gone = store.turned(table(logins))[0], store.known(table(undone))
    turned = pa.concat_tables([new, gone])
    ends = pa.scalar(round((now - GRACE) * 1000), pa.int64()).cast(pa.timestamp("ms"))
    if not turned.num_rows or not np.any(turned["moment"].to_numpy() <= np.datetime64(ends.as_py())):
        return
    with lent(lake, turned=turned):
        late = lake.execute(
            f"SELECT DISTINCT t.device, account, moment, site, day FROM {EVENTS} e JOIN turned t"
            " ON e.person = t.device WHERE day = CAST(moment + to_minutes(offset_min) AS DATE)"
            " AND CAST(day + 1 AS TIMESTAMP) - to_minutes(offset_min) <= $1 ORDER BY ALL",
            [ends.as_py()],
        ).to_arrow_table()
    if not late.num_rows:
        return
    at = ["device", "account", "moment"]
    came, went = (_both(one, late.select(at)) for one in (new, gone))
    made = store.known(table(logins))
    before, after = _linked(pa.concat_tables([made, gone])), _linked(pa.concat_tables([made, came]))
    persons = np.unique(np.concatenate([late["device"].to_numpy(), late["account"].to_numpy()]))
    days = {(row["site"], row["day"]) for row in late.select(["site", "day"]).to_pylist()}
    count = _count(store, lake, settings, after, buckets, now)
    with store.change():
        _move(count, persons, (_made_of(store, lake), before), (EVENTS, after), days)
        store.turn(came, went)
        store.put(step=count.step)
        for site, day in sorted(days):
            store.connection.execute("INSERT INTO owed VALUES (?, ?, false)", [site, day])


def _count(
    store: Store,
    lake: duckdb.DuckDBPyConnection,
    settings: Warehouse,
    logins: Linked,
    buckets: Sequence[Bucket],
    now: float,
) -> Count:
    step = int(store.get("step") or 0) + 1
    return Count(store, lake, settings, logins, buckets, store.subtracted(), step, now)


def _move(
    count: Count,
    persons: Persons,
    before: tuple[str, Linked],
    after: tuple[str, Linked],
    days: Collection[tuple[str, date]] | None = None,
) -> None:
    """Note how many each part has lost; and won, by a negative number: who came to it since, and leaves, was
    not in what is published. `days`: parts of others have not changed."""
    store, lake, step = count.store, count.lake, count.step
    others = store.subtracted()
    choose(lake, persons, absent(store))
    stand(msgspec.structs.replace(count, logins=before[1]), others, "stood", before[0])
    stand(msgspec.structs.replace(count, logins=after[1]), others, "stands", after[0])
    joined = pa.concat_tables([table(before[1]), table(after[1])])
    place = f"CASE WHEN day IS NOT NULL THEN {GROUP} END"
    named = None if days is None else pa.table({"place": [f"{site}\x1f{day}" for site, day in sorted(days)]})
    where = "true" if named is None else f"{place} IS NULL OR {place} IN (FROM on_days)"
    with lent(lake, met_by=joined, **{} if named is None else {"on_days": named}):
        lake.execute(
            "CREATE OR REPLACE TEMP TABLE moved AS"
            " WITH whose AS (SELECT device, min(account) AS account FROM met_by GROUP BY ALL)"
            " SELECT report, site, day, level, node, coalesce(account, person) AS person, sum(way) AS n"
            " FROM (SELECT *, 1 AS way FROM stood UNION ALL SELECT *, -1 FROM stands)"
            f" LEFT JOIN whose ON device = person WHERE {where} GROUP BY ALL HAVING n <> 0"
        )
    left = lake.execute(
        "SELECT site, day, count(DISTINCT person) FROM moved WHERE n > 0 GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    by_day = [one for one in left if one[1] is not None]
    if left and not by_day:  # of reports over all days alone: they wait as the days do
        by_day = [one for one in places(lake, after[0]) if days is None or one[:2] in days]
    run, known = store.connection.execute, shown(store)
    for site, day, people in by_day:
        if (site, day) in known:
            run("INSERT INTO pending VALUES (?, ?, ?, ?, 0, ?)", [site, day, step, count.since, people])
    changes = lake.sql(
        "SELECT report, site, day, level, node, n > 0 AS lost, sum(n)::BIGINT AS n FROM moved GROUP BY ALL"
    ).to_arrow_table()
    with lent(store.connection, changes=changes):
        run(
            f"INSERT INTO away SELECT report, {step}, site, day, level, node, n FROM changes WHERE"
            f" (day IS NULL AND {step} IN (SELECT step FROM pending))"
            f" OR (site, day) IN (SELECT (site, day) FROM pending WHERE step = {step})"
        )


def _made_of(store: Store, lake: duckdb.DuckDBPyConnection) -> str:
    """The facts that the tables were made of, where the lake still has them; else those of now."""
    number = store.get("snapshot")
    if not lake.execute(
        "SELECT 1 FROM ducklake_snapshots('lake') WHERE snapshot_id = ?", [int(number or -1)]
    ).fetchall():
        return EVENTS
    then = f"{EVENTS} AT (VERSION => {number})"
    same = lake.sql(f"FROM {then}").columns == lake.sql(f"FROM {EVENTS}").columns
    return then if same else EVENTS


def _linked(logins: pa.Table) -> Linked:
    one = logins.sort_by([(name, "ascending") for name in ("device", "moment", "account")])
    moments = one["moment"].cast(pa.int64())
    return Linked(one["device"].to_numpy(), one["account"].to_numpy(), moments.to_numpy())


def _both(one: pa.Table, other: pa.Table) -> pa.Table:
    """Rows of a table that are in another of the same columns, too."""
    return one.join(other.group_by(one.column_names).aggregate([]), one.column_names, join_type="left semi")
