"""Who has left the released tables, and when a day may say so: batches of departures, kept in the store.

A departure (withdrawn, erased, restricted, held) of a day that is published waits with others for the day to
be published anew. What waits are counts: how many have left each row and part of each report. So a person's
facts may be erased meanwhile; but only after this pass has counted them (`Store.subtracted` names them).

Who comes back while the departure waits was never away. Who comes back later is counted again when everyone
who left the day has: any fewer would be a difference of a few, to the version before or to the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.links import Linked
from warehouse import report as reports
from warehouse.footprint import EVENTS, NONE, choose, footprints, places
from warehouse.relations import ABSENT, Bucket, hold, lent
from warehouse.released import Store
from warehouse.restatement import counted_as
from warehouse.settings import Warehouse

#: (site, day) of what a report by day counts; of one over all days both are null.
_PART = "report VARCHAR, step BIGINT, site VARCHAR, day DATE, level BIGINT, node VARCHAR"
_OWN = (
    "pending (site VARCHAR, day DATE, step BIGINT, since DOUBLE, due DOUBLE, people BIGINT)",
    f"away ({_PART}, n BIGINT)",
    f"veiled ({_PART})",
    "away_from (site VARCHAR, day DATE, step BIGINT, people BIGINT)",
    "absent (site VARCHAR, day DATE, person UBIGINT)",
    "owed (site VARCHAR, day DATE, returned BOOLEAN)",
)


def prepare(store: Store) -> None:
    """Make the tables that departures are kept in, where there are none."""
    for table in _OWN:
        store.connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")
    store.connection.execute("ALTER TABLE subtracted ADD COLUMN IF NOT EXISTS step BIGINT DEFAULT 0")


def absent(store: Store) -> pa.Table:
    """(site, day, person): who has come back and is not counted there yet."""
    return store.connection.sql("FROM absent ORDER BY ALL").to_arrow_table().cast(ABSENT)


class Count(Struct, frozen=True):
    """One counting of who has left and come back: where, by which rules, and when.

    `before`: whom the last one knew of. `step`: its number. `since`: when those who leave now are taken to
    have left, in seconds since 1970.
    """

    store: Store
    lake: duckdb.DuckDBPyConnection
    settings: Warehouse
    logins: Linked
    buckets: Sequence[Bucket]
    before: NDArray[np.uint64]
    step: int
    since: float


def note(
    store: Store,
    lake: duckdb.DuckDBPyConnection,
    gone: NDArray[np.uint64],
    settings: Warehouse,
    now: float,
    logins: Linked = NONE,
    buckets: Sequence[Bucket] = (Bucket(),),
    *,
    child: bool = False,
) -> None:
    """Count who has left, and who has come back, since the last time.

    In one transaction with the persons that it knows of: killed anywhere, it is done again or not at all.
    `child`: a child is among them. Their days need not wait for others to leave so that fewer rows are
    hidden, nor do reports over all days rest first (S23). By how many a day must be left stays as it is.
    """
    prepare(store)
    run, before = store.connection.execute, store.subtracted()
    left, back = np.setdiff1d(gone, before), np.setdiff1d(before, gone)
    if not len(left) and not len(back):
        return
    step = int(store.get("step") or 0) + 1
    since = now - settings.restate_minutes * 60 if child else now
    count = Count(store, lake, settings, logins, buckets, before, step, since)
    with store.change():
        reverted = come_back(count, back)
        if len(left):
            hold(store.connection, "left_now", pa.table({"person": left}))
            _leave(count, left)
            run("INSERT INTO subtracted SELECT person, ? FROM left_now", [step])
        store.put(step=step)
        if reverted or child:  # what is over all days must follow in the same pass
            store.put(rested_at=0)


def _leave(count: Count, left: NDArray[np.uint64]) -> None:
    store, lake, step = count.store, count.lake, count.step
    run = store.connection.execute
    choose(lake, left, absent(store))
    found, published = places(lake), shown(store)
    for site, day, people in found:
        run("INSERT INTO owed VALUES (?, ?, false)", [site, day])
        if (site, day) in published:
            run("INSERT INTO pending VALUES (?, ?, ?, ?, 0, ?)", [site, day, step, count.since, people])
        elif run("SELECT 1 FROM away_from WHERE site = ? AND day = ? LIMIT 1", [site, day]).fetchall():
            run("INSERT INTO away_from VALUES (?, ?, ?, ?)", [site, day, step, people])
    counted = _parts(count, count.before)
    # Who had come back to a day and was not counted there yet has left it with this step instead.
    run(
        "INSERT INTO away_from WITH again AS (SELECT site, day, count(*) AS n FROM absent"
        " SEMI JOIN left_now USING (person) GROUP BY ALL)"
        f" SELECT site, day, {step}, n FROM again UNION ALL SELECT site, day, 0, -n FROM again"
    )
    run("DELETE FROM absent WHERE person IN (SELECT person FROM left_now)")
    with lent(store.connection, counted=counted):
        run(
            f"INSERT INTO away SELECT report, {step}, site, day, level, node, n FROM counted"
            " WHERE day IS NULL OR (site, day) IN (SELECT (site, day) FROM pending)"
        )


def come_back(count: Count, back: NDArray[np.uint64]) -> bool:
    """Count these in again, who had left. Whether a day is counted as at first: nobody is away any more."""
    store, lake = count.store, count.lake
    run, reverted = store.connection.execute, False
    hold(store.connection, "back_now", pa.table({"person": pa.array(back, pa.uint64())}))
    steps = run("SELECT DISTINCT step FROM subtracted SEMI JOIN back_now USING (person)").fetchall()
    for (step,) in steps:
        mine = run(
            "SELECT person FROM subtracted SEMI JOIN back_now USING (person) WHERE step = ?", [step]
        ).fetchnumpy()["person"]
        choose(lake, np.asarray(mine, np.uint64), absent(store))
        counted = _parts(count, np.setdiff1d(count.before, back))
        with lent(store.connection, counted=counted):
            run(
                "UPDATE away SET n = away.n - c.n FROM counted c WHERE away.step = ? AND away.report ="
                " c.report AND away.level = c.level AND away.node = c.node",
                [step],
            )
        for site, day, people in places(lake):
            run("INSERT INTO owed VALUES (?, ?, false)", [site, day])
            at = [site, day, step]
            here = "site = ? AND day = ? AND step = ?"
            run(f"UPDATE pending SET people = people - ? WHERE {here}", [people, *at])
            if run(f"SELECT 1 FROM away_from WHERE {here}", at).fetchall():
                who = lake.execute(
                    "SELECT DISTINCT site, day, person FROM lake.events SEMI JOIN chosen USING (person)"
                    " WHERE site = ? AND day = ?",
                    at[:2],
                ).to_arrow_table()
                with lent(store.connection, who=who):
                    run("INSERT INTO absent FROM who")
                reverted |= _revert(store, site, day)
    run("DELETE FROM pending WHERE people <= 0")
    run("DELETE FROM away WHERE n = 0")
    run(  # nobody is left of a step: no trace of what they did meanwhile is, either
        "DELETE FROM away WHERE step NOT IN (SELECT step FROM pending UNION SELECT step FROM away_from)"
        " OR (day IS NOT NULL AND (site, day, step) NOT IN (SELECT (site, day, step) FROM pending))"
    )
    run("DELETE FROM subtracted WHERE person IN (SELECT person FROM back_now)")
    return reverted


def _revert(store: Store, site: str, day: date) -> bool:
    """Count a day as at first where everyone who left it has come back."""
    run, at = store.connection.execute, [site, day]
    ((away,),) = run("SELECT sum(people) FROM away_from WHERE site = ? AND day = ?", at).fetchall()
    ((came,),) = run("SELECT count(*) FROM absent WHERE site = ? AND day = ?", at).fetchall()
    if came < away:
        return False
    for table in ("absent", "away_from", "veiled"):
        run(f"DELETE FROM {table} WHERE site = ? AND day = ?", at)
    run(
        "DELETE FROM veiled WHERE day IS NULL AND step NOT IN"
        " (SELECT step FROM away_from UNION SELECT step FROM pending)"
    )
    run("INSERT INTO owed VALUES (?, ?, true)", at)
    return True


def shown(store: Store) -> set[tuple[str, date]]:
    """(site, day) that any report about people has a row of."""
    known, found = store.versions(), set[tuple[str, date]]()
    for one in reports.load().values():
        if one.people and one.grain == "day" and one.name in known:
            found |= set(store.connection.execute(f"SELECT DISTINCT site, day FROM {one.name}").fetchall())
    return found


def _parts(count: Count, others: NDArray[np.uint64]) -> pa.Table:
    """How many of the chosen are in each part of each report: report, site, day, level, node, n."""
    stand(count, others, "parts_of")
    return count.lake.sql(
        "SELECT report, site, day, level, node, count(*) AS n FROM parts_of GROUP BY ALL"
    ).to_arrow_table()


def stand(count: Count, others: NDArray[np.uint64], name: str, events: str = EVENTS) -> None:
    """Make a table of that name: report, site, day, level, node, person; each part that each of the chosen is
    in. `others`, `events`: as `footprints` reads them."""
    store, lake, how = count.store, count.lake, count.settings
    lake.execute(
        f"CREATE OR REPLACE TEMP TABLE {name}"
        " (report VARCHAR, site VARCHAR, day DATE, level BIGINT, node VARCHAR, person UBIGINT)"
    )
    away, published = absent(store), store.published([])
    for one in footprints(lake, others, away, published, how, count.logins, count.buckets, events):
        if one.name == "growth":  # the sum of published days: `pipelines/reports.py`
            continue
        at = "site, day" if one.grain == "day" else "NULL, NULL"
        lake.execute(
            f"INSERT INTO {name} "
            + " UNION ALL ".join(
                f"SELECT DISTINCT '{report}', {at}, {level}, {one.node(level)}, person FROM contributions"
                f"{f' WHERE side = {side}' if one.two else ''}"
                for level in range(len(one.levels))
                for side, report in enumerate(counted_as(one))
            )
        )
