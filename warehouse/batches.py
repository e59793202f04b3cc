"""When a published day that people have left is published anew, and what is written down of it.

A day stands still while the departures from it are of too few: it may not be made without them, which would
tell who they are, nor with them, which they have refused. Reports over all days stand still with it, where
they count who has left; sums of days are sums of what is published.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from warehouse import report as reports
from warehouse.days import named
from warehouse.departures import absent
from warehouse.relations import lent
from warehouse.released import Store
from warehouse.report import Report
from warehouse.restatement import AWAY, HIDDEN, Guard, Verdict
from warehouse.settings import Warehouse

#: A day of a site, as `Report.node` writes the groups of reports by day; and that of a part of one.
GROUP = "concat_ws(chr(31), site, day::VARCHAR)"
_OF = "array_to_string(string_split(f.node, chr(31))[1:2], chr(31))"
_STEPS = "(SELECT step FROM pending)"
#: How many have left a part, at least: less those who had come to it by a correction or a login (`moves.py`).
_LEFT, _ANY = "greatest(sum(n), 1)::BIGINT AS n", "GROUP BY ALL HAVING max(n) > 0"


class Moment(Struct):
    """When a run is, which days it makes; whether all that waits goes (`go`) or stands still."""

    now: float
    days: list[date]
    go: bool = False
    still: bool = False


class Settled(NamedTuple):
    """Days of sites (`GROUP`): to be published anew; and that stand still, until when in seconds (None: as
    was said before)."""

    go: set[str]
    still: dict[str, float | None]


def due(store: Store, now: float) -> set[date]:
    """Days that stand still and are to be looked at again."""
    found = store.connection.execute("SELECT DISTINCT day FROM pending WHERE due <= ?", [now])
    return {day for (day,) in found.fetchall()}


def owed(store: Store) -> set[date]:
    """Days that are to be made anew because somebody has left them or come back."""
    found = store.connection.execute(
        "SELECT DISTINCT day FROM owed WHERE NOT returned"
        " OR (site, day) NOT IN (SELECT (site, day) FROM pending)"
    )
    return {day for (day,) in found.fetchall()}


def decide(
    waits: Iterable[tuple[str, float]], verdicts: Iterable[Verdict], settings: Warehouse, now: float
) -> Settled:
    """What becomes of days that people have left (S1).

    They are published anew at once where no row would be hidden for it; after `restate_minutes` where no
    report of the day would be left out; after `restate_days` in any case, without what is still of too few.
    """
    judged = defaultdict(list)
    for one in verdicts:
        judged[one.group].append(one)
    go, still = set[str](), dict[str, float | None]()
    for group, since in waits:
        mine = judged[group]
        soon, last = since + settings.restate_minutes * 60, since + settings.restate_days * 86_400
        bare, whole = all(one.bare for one in mine), all(one.whole for one in mine)
        if bare or (whole and now >= soon) or now >= last:
            go.add(group)
        else:
            still[group] = soon if now < soon else last
    return Settled(go, still)


def lay_out(store: Store, room: Path, days: Iterable[date], moment: Moment) -> None:
    """Write for the jobs what they must mind: nothing where nobody has ever left."""
    (room / "moment.json").write_bytes(msgspec.json.encode(moment))
    pq.write_table(absent(store), room / "absent.parquet")
    run = store.connection.execute
    known = store.versions()
    if "traffic_day" in known:
        pq.write_table(run("FROM traffic_day").to_arrow_table(), room / "traffic_day@before.parquet")
    away = run(f"SELECT report, level, node, {_LEFT} FROM away WHERE day IS NOT NULL {_ANY}").to_arrow_table()
    over_all = run("SELECT report, level, node, n, step FROM away WHERE day IS NULL").to_arrow_table()
    hidden = run("SELECT DISTINCT report, level, node FROM veiled").to_arrow_table()
    if not away.num_rows and not over_all.num_rows and not hidden.num_rows:
        return
    pq.write_table(away.cast(AWAY), room / "away.parquet")
    pq.write_table(over_all, room / "over_all.parquet")
    pq.write_table(hidden.cast(HIDDEN), room / "hidden.parquet")
    back = run(f"SELECT DISTINCT {GROUP} AS place FROM owed WHERE returned").to_arrow_table()
    pq.write_table(back, room / "returned.parquet")
    pending = run(f"SELECT {GROUP} AS place, step, since FROM pending").to_arrow_table()
    pq.write_table(pending, room / "pending.parquet")
    for one in reports.load().values():
        if one.people and one.name in known and one.name != "traffic_day":
            where = named(days) if one.grain == "day" else "true"
            before = run(f"FROM {one.name} WHERE {where}").to_arrow_table()
            pq.write_table(before, room / f"{one.name}@before.parquet")


def decided(room: Path, settings: Warehouse) -> Settled:
    """What becomes of the days that people have left, once all reports by day are made; the same in a run."""
    if not (room / "pending.parquet").exists():
        return Settled(set(), {})
    moment = msgspec.json.decode((room / "moment.json").read_bytes(), type=Moment)
    since: dict[str, float] = {}
    for row in pq.read_table(room / "pending.parquet").to_pylist():
        since[row["place"]] = min(row["since"], since.get(row["place"], row["since"]))
    days = {day.isoformat() for day in moment.days}
    made = {at for at in since if at.rsplit("\x1f", 1)[1] in days}
    if moment.still:
        return Settled(set(), {at: 0.0 if at in made else None for at in since})
    verdicts = [Verdict(**row) for file in sorted(room.glob("*.made/[0-9]*.verdicts"))
                for row in pq.read_table(file).to_pylist()]  # fmt: skip
    mine = [(at, when) for at, when in since.items() if at in made]
    now = math.inf if moment.go else moment.now
    settled = decide(mine, verdicts, settings, now)
    return settled._replace(still=dict.fromkeys(since.keys() - made) | settled.still)


def found(room: Path) -> pa.Table:
    """Parts of reports that are hidden with what is published anew."""
    files = sorted(room.glob("*.made/*.found"))
    return pa.concat_tables(pq.read_table(file) for file in files) if files else HIDDEN.empty_table()


def published(room: Path, settled: Settled) -> pa.Table:
    """(site, day) that `traffic_day` is going to have: those of other days, made now, and standing still."""
    at = ["site", "day"]
    parts = [pq.read_table(room / "published.parquet", columns=at)]
    parts += [pq.read_table(file, columns=at) for file in _days(room)]
    before = room / "traffic_day@before.parquet"
    if settled.still and before.exists():
        old = pq.read_table(before, columns=at)
        stays = [f"{row['site']}\x1f{row['day']}" in settled.still for row in old.to_pylist()]
        parts.append(old.filter(pa.array(stays, pa.bool_())))
    return pa.concat_tables(parts).group_by(at, use_threads=False).aggregate([])


def summed(
    con: duckdb.DuckDBPyConnection, room: Path, settled: Settled, table: pa.Table, *, moved: bool
) -> pa.Table:
    """`growth`, where days stand still or numbers are moved: the sum of what is published of each day,
    whoever has left it. A week's own noise would be another draw of the same people."""
    if not settled.still and not moved:
        return table
    moment = msgspec.json.decode((room / "moment.json").read_bytes(), type=Moment)
    still = pa.table({"place": pa.array(sorted(settled.still), pa.string())})
    made = [pq.read_table(file) for file in _days(room)]
    before = room / "traffic_day@before.parquet"
    held = [pq.read_table(before)] if before.exists() else []
    if not made and not held:
        return table
    none = [(made or held)[0].slice(0, 0)]
    new, old = pa.concat_tables(none + made), pa.concat_tables(none + held)
    with lent(con, still=still, new=new, old=old):
        sums = con.sql(
            "SELECT site, period, date_trunc(period, day)::DATE AS begins, sum(people)::BIGINT AS people,"
            " sum(views)::BIGINT AS views, sum(events)::BIGINT AS events FROM"
            f" (SELECT * FROM old WHERE NOT ({named(moment.days)}) OR {GROUP} IN (FROM still) UNION ALL"
            f" SELECT * FROM new WHERE {GROUP} NOT IN (FROM still)),"
            " (VALUES ('week'), ('month')) AS p(period) GROUP BY ALL ORDER BY ALL"
        ).to_arrow_table()
    return sums.select(table.column_names).cast(table.schema)


def without(store: Store, one: Report, table: pa.Table, dark: set[str]) -> pa.Table:
    """A report without the days of which nothing is shown any more."""
    if not dark:
        return table
    with lent(store.connection, made=table, dark=pa.table({"place": sorted(dark)})):
        return store.connection.sql(f"FROM made WHERE {one.node(0)} NOT IN (FROM dark)").to_arrow_table()


def _days(room: Path) -> list[Path]:
    """`traffic_day` of the days that are made now."""
    return sorted(room.glob("*.made/traffic_day@[0-9]*.parquet"))


def guard(room: Path) -> Guard:
    """What reports by day must mind."""
    if not (room / "away.parquet").exists():
        return Guard.none()
    back = pq.read_table(room / "returned.parquet")["place"].to_pylist()
    return Guard(pq.read_table(room / "away.parquet"), pq.read_table(room / "hidden.parquet"), room, back)


def guard_over_all(room: Path, settled: Settled) -> tuple[Guard, dict[str, list[str]]]:
    """What reports over all days must mind: and their groups that stand still, by report."""
    if not (room / "away.parquet").exists():
        return Guard.none(), {}
    over_all, pending = pq.read_table(room / "over_all.parquet"), pq.read_table(room / "pending.parquet")
    waits = {row["step"] for row in pending.to_pylist() if row["place"] in settled.still}
    waiting = pc.is_in(over_all["step"], pa.array(sorted(waits), pa.int64()))
    still = defaultdict(list)
    for row in over_all.filter(waiting).to_pylist():
        if row["level"] == 0 and row["n"] > 0:
            still[row["report"]].append(row["node"])
    with duckdb.connect() as con, lent(con, goes=over_all.filter(pc.invert(waiting))):
        counts = con.sql(
            f"SELECT report, level, node, {_LEFT} FROM goes {_ANY} ORDER BY ALL"
        ).to_arrow_table()
    away = counts.cast(AWAY)
    return Guard(away, pq.read_table(room / "hidden.parquet"), room), dict(still)


def settle(store: Store, settled: Settled, found: pa.Table, least: int, made_all: bool) -> set[str]:
    """Write down what was decided, and the parts that are hidden with it (`restatement.HIDDEN`). Returns the
    days of sites of which nothing measured is shown any more. `made_all`: reports over all days were, too."""
    run = store.connection.execute
    with lent(
        store.connection, go=pa.table({"place": pa.array(sorted(settled.go), pa.string())}), found=found
    ):
        run(f"CREATE OR REPLACE TEMP TABLE going AS FROM pending WHERE {GROUP} IN (SELECT place FROM go)")
        run(
            "CREATE OR REPLACE TEMP TABLE veiling AS SELECT f.report, g.step, g.site, g.day, f.level, f.node"
            " FROM found f JOIN (SELECT site, day, max(step) AS step FROM going GROUP BY ALL) g"
            f" ON {_OF} = {GROUP} WHERE f.report NOT IN ({_names('all')})"
        )
        if made_all:
            run(
                f"INSERT INTO veiled SELECT report, coalesce((SELECT max(step) FROM going), 0), NULL, NULL,"
                f" level, node FROM found WHERE report IN ({_names('all')})"
            )
    dark = run(
        "SELECT site, day, step, node FROM veiling WHERE report = 'traffic_day' AND level = 0"
    ).fetchall()
    for site, day, step, node in dark:
        for one in reports.load().values():
            if measured(one):
                run("INSERT INTO veiling VALUES (?, ?, ?, ?, 0, ?)", [one.name, step, site, day, node])
    run("INSERT INTO veiled FROM veiling")
    run("INSERT INTO away_from SELECT site, day, step, people FROM going")
    hidden = set(run("SELECT DISTINCT site, day FROM veiling").fetchall())
    gone = run("SELECT site, day, sum(people)::BIGINT FROM going GROUP BY ALL").fetchall()
    told = {(site, day): (n if n >= least else None, (site, day) in hidden) for site, day, n in gone}
    store.say("restated", told)
    store.told = set(told)
    those = f"(SELECT {GROUP} FROM going)"
    run(f"DELETE FROM away WHERE day IS NOT NULL AND {GROUP} IN {those}")
    run(f"DELETE FROM pending WHERE {GROUP} IN {those}")
    if made_all:
        run(f"DELETE FROM away WHERE day IS NULL AND step NOT IN {_STEPS}")
    for group, until in settled.still.items():
        if until is not None:
            run(f"UPDATE pending SET due = ? WHERE {GROUP} = ?", [until, group])
    return {node for _, _, _, node in dark}


def tell(store: Store, reason: str, besides: Mapping[str, Collection[date]] | None = None) -> None:
    """Number the other days of sites that changed in this run, and owe nothing any more. `besides`: a reason
    of their own → days: of which nothing came but refunds, whose adverts are judged by other rules."""
    run = store.connection.execute
    stay = "SELECT (site, day) FROM pending"  # those who have come back are not shown yet
    back = set(run(f"SELECT DISTINCT site, day FROM owed WHERE returned AND (site, day) NOT IN ({stay})")
               .fetchall()) - store.told  # fmt: skip
    store.say("returned", dict.fromkeys(sorted(back), (None, False)))
    rest = sorted(store.changed - store.told - back)
    for other, days in (besides or {}).items() if reason == "new_events" else ():
        store.say(other, {at: (None, False) for at in rest if at[1] in days})
        rest = [at for at in rest if at[1] not in days]
    store.say(reason, dict.fromkeys(rest, (None, False)))
    run(f"DELETE FROM owed WHERE NOT returned OR (site, day) NOT IN ({stay})")


def _names(grain: str) -> str:
    return ", ".join(f"'{one.name}'" for one in reports.load().values() if one.grain == grain)


def measured(one: Report) -> bool:
    """Whether a report by day is about the people that `traffic_day` counts."""
    return one.people and one.grain == "day" and one.bit == reports.load()["traffic_day"].bit
