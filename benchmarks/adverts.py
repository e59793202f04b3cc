"""Reports on adverts over ten million impressions: the Beam job with its release, against plain DuckDB.

The plain run is what one would write who minds nobody: the same Parquet, one connection, each table one GROUP
BY of events with distinct people counted. Nothing is judged, capped, hidden, moved or published in it, and
views are not joined: what is filtered, how a request finds its campaign, and what led to an order, is work
that only the job does.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.crowd import mix
from benchmarks.laid import lay
from benchmarks.line import emit
from consent_filter.fields import EVENT
from consent_filter.purpose import Purpose
from pipelines import reports
from warehouse import report
from warehouse.lake import Lake
from warehouse.relations import Bucket, Days, offer_withdrawn
from warehouse.settings import Warehouse

IMPRESSIONS, DAYS, FIRST = 10_000_000, 30, date(2026, 9, 1)
_KINDS = (
    "ad_request", "ad_served", "ad_impression", "ad_viewable", "ad_engagement", "ad_click", "ad_conversion",
)  # fmt: skip
#: What part of views has each kind of event.
_SHARE = (1.0, 0.97, 0.94, 0.6, 0.85, 0.01, 0.002)
_BANDS = ("1", "2", "3", "4-6", "7+")
_COUNTED = ", ".join(f"count(*) FILTER (type = '{kind}') AS {kind}" for kind in _KINDS)
_PEOPLE = "count(DISTINCT person) AS people"
_OFTEN = "CASE WHEN n < 4 THEN n::INTEGER::VARCHAR WHEN n < 7 THEN '4-6' ELSE '7+' END"
_MET = "FROM events WHERE type = 'ad_impression'"
_WEEK = "date_trunc('week', day)"
#: What each report would be.
PLAIN = (
    f"SELECT site, day, ad_campaign, {_PEOPLE}, {_COUNTED} FROM events GROUP BY ALL",
    f"SELECT site, day, ad_campaign, ad_creative, ad_slot, continent, country, device, {_PEOPLE}, {_COUNTED}"
    " FROM events GROUP BY ALL",
    "SELECT site, day, ad_campaign, ln(duration_ms + 1)::INTEGER AS band,"
    f" {_PEOPLE}, count(*) AS n FROM events WHERE type = 'ad_engagement' GROUP BY ALL",
    f"SELECT site, day, ad_campaign, ad_share // 25 AS band, {_PEOPLE}, count(*) AS n FROM events"
    " WHERE type = 'ad_engagement' GROUP BY ALL",
    f"SELECT site, day, split_part(path, '/', 2) AS category, country, device, {_PEOPLE}, {_COUNTED}"
    " FROM events GROUP BY ALL",
    *(
        f"SELECT site, begins, ad_campaign, {_OFTEN} AS band, count(*) AS people, sum(n) AS n FROM"
        f" (SELECT site, {begins} AS begins, ad_campaign, person, count(*) AS n {_MET} GROUP BY ALL)"
        " GROUP BY ALL"
        for begins in ("day", _WEEK, "DATE '2026-09-01'")
    ),
    f"SELECT site, {_WEEK} AS week, ad_campaign, ad_frequency, count(*) AS n {_MET} GROUP BY ALL",
    "SELECT site, week, n // 10 AS band, count(*) AS people FROM"
    f" (SELECT site, {_WEEK} AS week, person, count(*) AS n {_MET} GROUP BY ALL) GROUP BY ALL",
)  # fmt: skip


def batches(impressions: int, days: int) -> Iterator[pa.RecordBatch]:
    """Views of adverts, a batch a day; the same for the same numbers."""
    chance = np.random.default_rng(11)
    views = int(impressions / _SHARE[2]) // days
    for nth in range(days):
        yield _day(chance, views, max(impressions // 20, 10), (FIRST - date(1970, 1, 1)).days + nth)


def _day(chance: np.random.Generator, views: int, people: int, day: int) -> pa.RecordBatch:
    happens = [np.flatnonzero(chance.random(views) < share) for share in _SHARE]
    view = np.concatenate(happens)
    kind = np.repeat(np.arange(len(_KINDS)), [len(one) for one in happens])
    who = (people * chance.random(views) ** 2).astype(np.uint64)[view]
    begins = chance.integers(0, 80_000_000, views)[view]
    time_of = day * 86_400_000 + begins + np.array([0, 100, 300, 1600, 6000, 3000, 9000])[kind]
    n, campaign = len(view), chance.integers(0, 12, views)[view]

    def words(values: list[str], codes: object, shown: object = None) -> pa.Array:
        mask = None if shown is None else ~np.asarray(shown, np.bool_)
        return pa.array(values, pa.string()).take(pa.array(np.asarray(codes, np.int32), mask=mask))

    bought, ended = kind > 0, kind == 4
    made: dict[str, pa.Array] = {
        "site": words(["market", "blog"], who % np.uint64(2)),
        "time": pa.array(time_of).cast(pa.timestamp("ms")),
        "received": pa.array(time_of).cast(pa.timestamp("ms")),
        "type": words(list(_KINDS), kind),
        "protocol": words(["beacon"], np.zeros(n)),
        "day": pa.array(np.full(n, day, np.int32)).cast(pa.date32()),
        "offset_min": pa.array(np.zeros(n, np.int16)),
        "person": pa.array(mix(who, 3)),
        "treatment": words(["cookieless", "identified"], who % np.uint64(5) > 1),
        "purposes": pa.array(np.full(n, int(Purpose.AD_MEASUREMENT), np.uint32)),
        "policy": words(["workallies-2024/1"], np.zeros(n)),
        "path": words([f"/{a}/{{{b}}}" for a in ("project", "u", "blog") for b in range(30)], (begins % 90)),
        "continent": words(["EU", "NA", "AS"], who % np.uint64(3)),
        "country": words(["DE", "FR", "AT", "US", "CA", "IN", "JP"], who % np.uint64(7)),
        "device": words(["desktop", "mobile", "tablet"], who % np.uint64(3)),
        "ad_view": pa.array(mix(view.astype(np.uint64) + np.uint64(day * views), 5)),
        "ad_slot": words(["top", "side", "list", "footer"], begins % 4),
        "ad_campaign": words([f"campaign-{k}" for k in range(12)], campaign, bought),
        "ad_creative": words([f"c{k}" for k in range(60)], campaign * 5 + begins % 5, bought),
        "ad_goal": words(["order", "sign_up"], begins % 2, kind == 6),
        "ad_order": pa.array(view.astype(np.uint64) + np.uint64(day * views), mask=kind != 6),
        "value": pa.array(begins % 400.0, mask=kind != 6),
        "ad_frequency": words(list(_BANDS), begins % 5, kind == 2),
        "duration_ms": pa.array(chance.lognormal(7.5, 1.2, n).clip(0, 5500), mask=~ended).cast(
            pa.int32(), safe=False
        ),
        "ad_share": pa.array(chance.integers(0, 101, n), pa.int16(), mask=~ended),
    }
    order = pa.array(np.argsort(time_of, kind="stable"))
    batch = pa.record_batch(
        [made[f.name] if f.name in made else pa.nulls(n, f.type) for f in EVENT], schema=EVENT
    )
    return batch.take(order)


def plain(data: Path, threads: int) -> None:
    """Each of PLAIN into a table."""
    con = duckdb.connect()
    con.execute(f"SET threads = {threads}")
    con.execute(
        f"CREATE VIEW events AS SELECT * FROM read_parquet('{data}/lake/files/main/events/*.parquet')"
        f" WHERE purposes & {int(Purpose.AD_MEASUREMENT)} <> 0"
    )
    for sql in PLAIN:
        con.execute(f"CREATE OR REPLACE TABLE made AS {sql} ORDER BY ALL")
    con.close()


def main(n: int = IMPRESSIONS) -> None:
    """One run of each after a first small one that loads what both need."""
    settings = Warehouse()
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        warm, data = Path(temporary) / "warm", Path(temporary) / "data"
        lay(warm, batches(5_000, 2))
        reports.run(warm, settings)
        total = lay(data, batches(n, DAYS))
        begun, spent = time.perf_counter(), time.process_time()
        plain(data, settings.threads)
        other, cost = time.perf_counter() - begun, time.process_time() - spent
        _forget()
        begun, spent = time.perf_counter(), time.process_time()
        reports.run(data, settings, force=True)
        mine, work = time.perf_counter() - begun, time.process_time() - spent
        emit("adverts", mine, "s", against="plain DuckDB over the same Parquet", ratio=mine / other)
        emit("adverts_processor", work, "s", against="plain DuckDB over the same Parquet", ratio=work / cost)
        emit("adverts_rate", total / mine, "events/s")
        emit("adverts_memory", _most(), "MB")
        _last_day(data, settings)
        _late(data, settings)


def _late(data: Path, settings: Warehouse) -> None:
    """One view that comes in two days late, half a month before the last day: seconds of processor, and how
    many days are made anew for it."""
    day = (FIRST - date(1970, 1, 1)).days + DAYS - 15
    batch = _day(np.random.default_rng(12), 1, 1_000_000, day)
    came = pa.array(batch["received"].cast(pa.int64()).to_numpy() + 2 * 86_400_000).cast(pa.timestamp("ms"))
    lay(data, [batch.set_column(batch.schema.get_field_index("received"), "received", came)], DAYS)
    begun = time.process_time()
    made = reports.run(data, settings)
    emit("adverts_late", time.process_time() - begun, "s", against="a view that came two days late")
    emit("adverts_late_days", made.days, "days", against="the view's own day and the fifteen after it")


def _last_day(data: Path, settings: Warehouse) -> None:
    """What leads to the last day's orders, looked back for, against judging that day and counting its views;
    seconds of processor."""
    lake = Lake.open(data, threads=settings.threads)
    assert lake is not None
    con, day = lake.connection.cursor(), FIRST + timedelta(days=DAYS - 1)
    offer_withdrawn(con, np.zeros(0, np.uint64))
    some = [one for one in report.load().values() if one.purpose == "ad_measurement" and one.grain == "day"]
    days = Days(
        con, "lake.events", "lake.received", [day], rows=lake.count() // DAYS, many=settings.max_cells
    )
    days.move(Bucket(), some)
    begun = time.process_time()
    days.show(report.load()["delivery"])
    between = time.process_time()
    days.show(report.load()["conversions"])
    back = time.process_time() - between
    emit("adverts_back", back, "s", against="judging the day and its views", ratio=back / (between - begun))
    con.close()
    lake.close()


def _forget() -> None:
    """Begin anew what `_most` tells (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def _most() -> float:
    """The most memory that this process has held, in MB (Linux)."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else IMPRESSIONS)
