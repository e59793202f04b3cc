"""One element of the reports job: a group of days, or all of them, made from the lake into files of a room.

It is a plain function of names, which a worker anywhere runs: only names travel. People are taken bucket by
bucket, which bounds memory.
"""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter.read import linked
from pipelines.attempts import whole as whole_folder
from pipelines.keeping import left_out
from warehouse import batches, catalogue, effects, links
from warehouse import report as reports
from warehouse.batches import Settled
from warehouse.build import build
from warehouse.footprint import EVENTS, RECEIVED
from warehouse.invalid.judged import judged as verdicts
from warehouse.lake import Lake
from warehouse.recordkeys import RecordKeys
from warehouse.relations import ABSENT, Bucket, Days, History, offer_withdrawn
from warehouse.settings import Warehouse

#: Rows that an element, or a bucket of it, holds at most; more pay for a merge, fewer for more openings.
ROWS = 2_500_000
#: What the catalogue of adverts is called, in the data folder and in the room of a run.
CATALOGUE = "adverts.toml"
#: Lakes open in this process, by the room of the run: opening one costs 0.16 s.
at_hand: dict[str, Lake] = {}


class Work(NamedTuple):
    """One element. `days` empty: reports over all days. `rows`: about how many there are; `of`: buckets."""

    data: str
    room: str
    days: tuple[date, ...]
    rows: int
    of: int
    settings: Warehouse

    @property
    def label(self) -> str:
        return self.days[0].isoformat() if self.days else "all"

    @property
    def place(self) -> str:
        """The folder of what was made, in the room."""
        return f"{self.label}.made"


def make(work: Work) -> str:
    """Make an element's reports, each a file in its place of the room; returns the label."""
    with whole_folder(Path(work.room, work.place)) as place:
        return _make(work, place)


def _make(work: Work, place: Path) -> str:
    begun, room = time.monotonic(), Path(work.room)
    lake = at_hand.get(work.room) or Lake.open(Path(work.data), threads=work.settings.threads)
    assert lake is not None
    con = lake.connection.cursor()
    try:
        missing = room / "absent.parquet"
        absent = pq.read_table(missing).cast(ABSENT) if missing.exists() else None
        offer_withdrawn(con, left_out(Path(work.data)), absent)
        logins = linked(Path(work.data) / "ledger.sqlite")
        events = links.offer(con, EVENTS, logins, work.days or None)
        buckets = [Bucket(number, work.of) for number in range(work.of)]
        relations: Days | History
        settled = Settled(set(), {})
        if work.days:
            relations = Days(
                con, events, RECEIVED, work.days, rows=work.rows, many=work.settings.max_cells,
                catalogue=catalogue.read(room / CATALOGUE),
                judged=verdicts(con),
            )  # fmt: skip
            guard = batches.guard(room)
        else:
            settled = batches.decided(room, work.settings)
            guard, _ = batches.guard_over_all(room, settled)
            published = batches.published(room, settled)
            relations = History(
                con, events, RECEIVED, published, buckets, min_group=work.settings.min_group,
                judged=verdicts(con),
            )  # fmt: skip
        chosen = [one for one in reports.load().values() if (one.grain == "day") == bool(work.days)]
        keys = RecordKeys.open(Path(work.data)) if work.settings.perturb else None
        effect, seen = [], list[pa.Table]()
        for report, released in build(con, relations, chosen, work.settings, buckets, keys, guard, seen):
            table = released.table
            effect.append(effects.named(report.name, released.effects))
            if report.name == "growth":
                table = batches.summed(con, room, settled, table, moved=keys is not None)
            pq.write_table(table, place / f"{report.name}@{work.label}.parquet")
        guard.write(place, work.label)
        pq.write_table(pa.concat_tables(effect), place / f"{work.label}.effects")
        pq.write_table(pa.concat_tables(seen), place / f"{work.label}.audited")
        (place / f"{work.label}.seconds").write_text(f"{time.monotonic() - begun:f}")
        return work.label
    finally:
        con.close()
        if work.room not in at_hand:
            lake.close()


def elements(
    data: Path,
    room: Path,
    rows: dict[date, int],
    settings: Warehouse,
    buckets: int | None = None,
    most: int = ROWS,
) -> list[Work]:
    """Days grouped so that an element has about `most` rows; a day with more is cut into buckets."""
    groups: list[list[date]] = []
    held = 0
    for day, n in sorted(rows.items()):
        if not groups or held + n > most:
            groups.append([])
            held = 0
        groups[-1].append(day)
        held += n
    works = []
    for group in groups:
        n = sum(rows[day] for day in group)
        works.append(Work(str(data), str(room), tuple(group), n, buckets or _buckets(n, most), settings))
    return works


def over_all(rows: int) -> int:
    """Into how many buckets people go for reports over all days, of which fewer columns are read."""
    return _buckets(rows, 4 * ROWS)


def _buckets(rows: int, most: int) -> int:
    return min(1 << max(-(-rows // most) - 1, 0).bit_length(), 64)
