"""The facts job: from a segment log to sorted Parquet and one commit, against a plain loop.

The loop reads the same records and writes the same rows in the same order and format; it knows nothing of
retries, counts, offsets, interruptions or a catalog.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.crowd import events
from benchmarks.line import emit
from consent_filter.counts import RECEIVED, STORED, Counts, Key
from consent_filter.events import Events, join
from ingest.log.record import Record
from ingest.log.segment import SegmentLog
from pipelines import expire, facts
from pipelines.settings import Pipelines
from warehouse.facts import write

EVENTS, RECORD = 2_000_000, 4096
_ROUNDS = 3
#: The plain loop sorts and writes so many records at a time, about what one stretch of the job holds.
_TOGETHER = 64


def records(n: int, rows: int) -> Iterator[Record]:
    """A crowd's last two days, as a busy collector would have appended them."""
    first = datetime.now(UTC).date() - timedelta(days=2)
    for batch in events(n, n // 20, 2, first=first):
        for at in range(0, batch.num_rows, rows):
            some = batch.slice(at, rows)
            yield Record(Events.of(some), counts(some))


def counts(batch: pa.RecordBatch) -> Counts:
    """All received and stored."""
    by = ["site", "day", "protocol", "country"]
    table = pa.Table.from_batches([batch]).group_by(by).aggregate([([], "count_all")])
    days = table["day"].cast(pa.int32()).to_pylist()
    found = Counts()
    rows = zip(
        *[table[name].to_pylist() for name in ("site", "protocol", "country", "count_all")], strict=True
    )
    for day, (site, protocol, country, n) in zip(days, rows, strict=True):
        for outcome in (RECEIVED, STORED):
            found[Key(site, day, protocol, country, outcome, "", "")] += n
    return found


def fill(folder: Path, n: int, rows: int = RECORD) -> int:
    """A log in that folder; how many events it holds."""
    log, total = SegmentLog(folder, "collector"), 0
    for record in records(n, rows):
        log.append(record)
        total += record.events.n
    log.close()
    return total


def plain(log: Path, out: Path) -> None:
    """The same rows in files of the same kind, each with what one stretch would hold."""
    out.mkdir()
    waiting: list[Events] = []

    def turn() -> None:
        table = pa.Table.from_batches([join(waiting).batch()])
        days = table["day"].cast(pa.int32()).to_numpy()
        order = np.lexsort((table["time"].cast(pa.int64()).to_numpy(), table["person"].to_numpy(), days))
        table, days = table.take(pa.array(order)), days[order]
        for k, day in enumerate(np.unique(days)):
            start, stop = np.searchsorted(days, [day, day + 1])
            write(table.slice(start, stop - start), out / f"{time.monotonic_ns()}-{k}.parquet")
        waiting.clear()

    for _, record in SegmentLog(log).read({}):
        waiting.append(record.events)
        if len(waiting) == _TOGETHER:
            turn()
    if waiting:
        turn()


def main(n: int = EVENTS) -> None:
    """Whole runs on a lake that exists, in turn, the median of three; then merging, and bytes at rest."""
    ours, theirs, merging, rest = [], [], [], []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
            data = Path(temporary)
            fill(data / "log", 1000)
            facts.run(data)
            total = fill(data / "log", n)
            begun = time.perf_counter()
            plain(data / "log", data / "plain")
            theirs.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            facts.run(data)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            # Three days on ids are forgotten, small files merged, and what was replaced is gone.
            expire.run(data, Pipelines(open_files=4, grace_minutes=0), time.time() + 3 * 86_400)
            expire.forget(data, Pipelines(grace_minutes=0), time.time() + 3 * 86_400)
            merging.append(time.perf_counter() - begun)
            rest.append(sum(file.stat().st_size for file in (data / "lake").rglob("*") if file.is_file()))
    mine, other = statistics.median(ours), statistics.median(theirs)
    peer = "a plain pyarrow loop writing the same files"
    emit("facts", total / mine, "events/s", against=peer, ratio=other / mine, n=_ROUNDS)
    emit("facts_time", mine, "s", against=peer, ratio=mine / other, n=_ROUNDS)
    emit("facts_merge_time", statistics.median(merging), "s", n=_ROUNDS)
    emit("facts_at_rest", min(rest) / total, "bytes/event", n=_ROUNDS)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
