"""The reports job: facts → released tables. Only touched days are made anew.

An element is a group of days (for reports by day) or a report (for reports over all days); it reads the lake
itself and writes released rows to a file, so that no table travels through Beam.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
from msgspec import Struct

from consent_filter.ledger import withdrawn
from pipelines.options import beam, pipeline
from warehouse import report as reports
from warehouse.contributions import contribute, offer_all, offer_days, offer_withdrawn
from warehouse.lake import Lake
from warehouse.release import release
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Days of one element: enough to share the cost of reading, few enough to stay in memory.
DAYS = 4


class Work(NamedTuple):
    """One element. No days: reports over all days."""

    data: str
    room: str
    days: tuple[date, ...]
    settings: Warehouse


class Made(Struct):
    """What a run did."""

    commit: int = 0
    days: int = 0
    changed: list[str] = []
    seconds: float = 0.0


def make(work: Work) -> list[tuple[str, str]]:
    """One element's work: (report, explanation) of each table that it wrote to `room`. Runs in a loop, too."""
    data = Path(work.data)
    lake = Lake.open(data, threads=work.settings.threads)
    if lake is None:
        return []
    con, done = lake.connection, []
    offer_withdrawn(con, withdrawn(data / "ledger.sqlite"))
    if work.days:
        offer_days(con, "lake.events", work.days)
        where = f" WHERE day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in work.days)})"
    else:
        offer_all(con, "lake.events", work.settings.min_group)
        where = ""
    con.execute(f"CREATE OR REPLACE TEMP VIEW received AS SELECT * FROM lake.received{where}")
    for one in reports.load().values():
        if (one.grain == "day") == bool(work.days):
            contribute(con, one)
            table, explanation = release(con, one, work.settings)
            label = work.days[0].isoformat() if work.days else "all"
            pq.write_table(table, Path(work.room) / f"{one.name}@{label}.parquet")
            done.append((one.name, explanation))
    lake.close()
    return done


def run(data: Path, settings: Warehouse, *, force: bool = False) -> Made:
    """Bring the released tables up to date with the lake. The caller holds pipeline.lock."""
    begun = time.monotonic()
    lake = Lake.open(data)
    if lake is None:
        return Made()
    number = lake.number()
    store = Store.open(data)
    try:
        state = _state(data, settings)
        since = int(store.get("commit") or 0) if store.get("state") == state and not force else 0
        days = sorted({day for _, day in lake.touched(since)})
        lake.close()
        if not days and store.get("state") == state:
            return Made(number)
        made = _make(data, settings, store, days)
        store.put("commit", number)
        store.put("state", state)
        return Made(number, len(days), made, round(time.monotonic() - begun, 3))
    finally:
        store.close()


def _state(data: Path, settings: Warehouse) -> str:
    """What all rows depend on besides facts: settings, the reports themselves, and who has withdrawn."""
    text = repr((settings, sorted(reports.load().items())))
    found = hashlib.blake2b(text.encode(), digest_size=16)
    found.update(withdrawn(data / "ledger.sqlite").tobytes())
    return found.hexdigest()


def _make(data: Path, settings: Warehouse, store: Store, days: list[date]) -> list[str]:
    room = data / "released" / "making"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    groups = [tuple(days[i : i + DAYS]) for i in range(0, len(days), DAYS)]
    works = [Work(str(data), str(room), group, settings) for group in (*groups, ())]
    with pipeline() as job:
        _ = job | beam.Create(works, reshuffle=False) | beam.Map(_write)
    changed = []
    store.connection.execute("BEGIN")
    try:
        for one in reports.load().values():
            for group in groups if one.grain == "day" else [()]:
                label = group[0].isoformat() if group else "all"
                table = pq.read_table(room / f"{one.name}@{label}.parquet")
                explanation = (room / f"{one.name}@{label}.txt").read_text()
                if store.replace(one, list(group) or None, table, explanation) and one.name not in changed:
                    changed.append(one.name)
        store.connection.execute("COMMIT")
    except BaseException:
        store.connection.execute("ROLLBACK")
        raise
    shutil.rmtree(room)
    return changed


def _write(work: Work) -> None:
    label = work.days[0].isoformat() if work.days else "all"
    for name, explanation in make(work):
        (Path(work.room) / f"{name}@{label}.txt").write_text(explanation)
