"""The job of trends: facts of a period → exact cells of what each person may add, which nobody ever sees.

An element is a bucket of people; it reads the lake itself and leaves cells in files, which are added up and
deleted again, so that only names travel. `drafting.py` draws the noise.
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter.read import linked
from pipelines.attempts import whole
from pipelines.beamio import each
from pipelines.keeping import left_out
from pipelines.settings import Pipelines
from warehouse import links, window
from warehouse.footprint import EVENTS, RECEIVED
from warehouse.lake import Lake
from warehouse.period import Period
from warehouse.relations import Bucket, offer_withdrawn
from warehouse.trend import Trend, load

#: Rows that a bucket holds at most.
ROWS = 2_500_000


class Work(NamedTuple):
    """One element: a bucket of people. `rows`: about how many facts all of them have."""

    data: str
    room: str
    period: Period
    sites: tuple[str, ...]
    trends: tuple[str, ...]
    number: int
    of: int
    rows: int
    threads: int


def count(work: Work) -> None:
    """Count an element's cells: a file a trend in its room."""
    lake = Lake.open(Path(work.data), threads=work.threads)
    assert lake is not None
    con = lake.connection.cursor()
    try:
        offer_withdrawn(con, left_out(Path(work.data)))
        events = links.offer(con, EVENTS, linked(Path(work.data) / "ledger.sqlite"))
        chosen = [load()[name] for name in work.trends]
        bucket = Bucket(work.number, work.of)
        found = window.count(con, events, RECEIVED, chosen, work.period, work.sites, bucket, work.rows)
        with whole(Path(work.room) / f"{work.number}.made") as room:
            for trend, cells in found:
                pq.write_table(cells, room / f"{trend.name}@{work.number}.parquet")
    finally:
        con.close()
        lake.close()


def exact(
    data: Path,
    period: Period,
    sites: Sequence[str],
    trends: Sequence[Trend],
    where: Pipelines | None = None,
    buckets: int | None = None,
    threads: int = 2,
) -> dict[str, pa.Table]:
    """All cells, before any noise. `where` None: a plain loop, which finds the very same."""
    making = data / "releases" / "making"
    shutil.rmtree(making, ignore_errors=True)
    room = making / secrets.token_hex(8)  # no element of an earlier run writes there
    room.mkdir(parents=True)
    try:
        rows = _rows(data, period)
        if rows is None:
            return {}
        of = buckets or min(1 << max(-(-rows // ROWS) - 1, 0).bit_length(), 64)
        names = tuple(one.name for one in trends)
        works = [
            Work(str(data), str(room), period, tuple(sites), names, n, of, rows, threads) for n in range(of)
        ]
        if where is None:
            for work in works:
                count(work)
        else:
            each(works, count, where)
        found = {}
        for one in trends:
            parts = [pq.read_table(file) for file in sorted(room.glob(f"*.made/{one.name}@*.parquet"))]
            if parts:
                found[one.name] = window.whole(one.report, parts)
        return found
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _rows(data: Path, period: Period) -> int | None:
    lake = Lake.open(data)
    if lake is None:
        return None
    try:
        found = lake.connection.execute(
            "SELECT coalesce(sum(rows), 0)::BIGINT FROM lake.commits WHERE day BETWEEN ? AND ?",
            [period.first, period.last],
        ).fetchone()
        return int(found[0]) if found else 0
    finally:
        lake.close()
