"""The facts job: what stands in the log and is not folded yet → files → one commit.

An element is a stretch of one log partition; it writes its own files, and only its name travels. Running the
job twice, or killing it anywhere and running it again, changes nothing: files, offsets and counts are one
transaction, and what a killed run left behind is swept away.
"""

from __future__ import annotations

import pickle
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.counts import Counts
from ingest.log.segment import SegmentLog
from pipelines.balance import RETRY_HOURS, open_log
from pipelines.options import beam, pipeline
from warehouse import facts
from warehouse.lake import Lake

#: Bytes of log that one element reads: some 50,000 events.
STRETCH = 16 << 20


class Stretch(NamedTuple):
    """One element: a part of one partition, and where its files go."""

    log: str
    partition: str
    start: int
    stop: int
    folder: str
    name: str


class Folded(Struct):
    """What a run did. `commit` is its number, 0 where there was nothing to do."""

    commit: int = 0
    stored: int = 0
    duplicates: int = 0
    files: int = 0


class _Recent:
    """Ids that a retry could repeat, kept between runs of one process; read anew after a foreign commit."""

    def __init__(self) -> None:
        self.known: tuple[Path, int] | None = None
        self.ids: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self.read = 0.0

    def at(self, data: Path, lake: Lake, now: float) -> NDArray[np.uint64]:
        if self.known != (data, lake.number()) or now - self.read > 3600 or now < self.read:
            self.ids = np.sort(lake.recent_ids(RETRY_HOURS, now).to_numpy())
            self.known, self.read = (data, lake.number()), now
        return self.ids

    def add(self, data: Path, number: int, new: list[NDArray[np.uint64]]) -> None:
        self.ids = np.sort(np.concatenate([self.ids, *new]))
        self.known = (data, number)


_recent = _Recent()


def run(data: Path, now: float | None = None) -> Folded:
    """Fold everything that is durable in the log. The caller holds pipeline.lock."""
    moment = time.time() if now is None else now
    log = open_log(data)
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        done, end = lake.offsets(), log.end()
        if all(done.get(name, 0) >= position for name, position in end.items()):
            return Folded()
        lake.sweep()
        room = lake.room()
        seen = _recent.at(data, lake, moment)
        stretches = list(_stretches(data / "log", log, done, end, room))
        written = _map(stretches, seen, room)
        written = _across(stretches, written, seen)
        counts, rows = Counts(), Counts()
        for one in written:
            counts.update(one.counts)
            rows.update(one.rows)  # type: ignore[arg-type]
        files = [Path(file) for one in written for file in one.files]
        number = lake.commit(files, end, counts, dict(rows))  # type: ignore[arg-type]
        _recent.add(data, number, [one.ids for one in written])
        log.trim(end)
        stored = sum(one.read - one.duplicates for one in written)
        return Folded(number, stored, sum(one.duplicates for one in written), len(files))
    finally:
        lake.close()
        log.close()


def _stretches(folder: Path, log: SegmentLog, done: dict[str, int], end: dict[str, int], room: Path) -> Any:
    """Cut what is new at the ends of records, so that an element neither waits nor starves."""
    for partition, stop in end.items():
        start = done.get(partition, 0)
        if start >= stop:
            continue
        if stop - start <= STRETCH:
            yield Stretch(str(folder), partition, start, stop, str(room), f"{partition}-{start}")
            continue
        begun = start
        for position in log.positions(partition, start, stop):
            if position - begun >= STRETCH or position == stop:
                yield Stretch(str(folder), partition, begun, position, str(room), f"{partition}-{begun}")
                begun = position


def fold(stretch: Stretch, seen: NDArray[np.uint64]) -> facts.Written:
    """One element's work: runs in a loop as well as on a worker."""
    log = SegmentLog(stretch.log)
    counts, batches = Counts(), []
    for _, record in log.read({stretch.partition: stretch.start}, _only(log, stretch)):
        counts.update(record.counts)
        batches.append(record.batch)
    log.close()
    return facts.fold(batches, counts, seen, Path(stretch.folder), stretch.name)


def _only(log: SegmentLog, stretch: Stretch) -> dict[str, int]:
    """Stop offsets that leave every other partition out."""
    return {name: stretch.stop if name == stretch.partition else 0 for name in log.end()}


def _work(stretch: Stretch, seen: str) -> str:
    """The same with everything passed by file name: only names travel between workers."""
    result = Path(stretch.folder) / f"{stretch.name}.result"
    result.write_bytes(pickle.dumps(fold(stretch, np.load(seen))))
    return str(result)


def _map(stretches: list[Stretch], seen: NDArray[np.uint64], room: Path) -> list[facts.Written]:
    known = room / "seen.npy"
    np.save(known, seen)
    with pipeline() as job:
        _ = job | beam.Create(stretches, reshuffle=False) | beam.Map(partial(_work, seen=str(known)))
    written = [pickle.loads((room / f"{one.name}.result").read_bytes()) for one in stretches]  # noqa: S301
    for one in stretches:
        (room / f"{one.name}.result").unlink()
    known.unlink()
    return written


def _across(
    stretches: list[Stretch], written: list[facts.Written], seen: NDArray[np.uint64]
) -> list[facts.Written]:
    """A retry may stand in another stretch than its event: such stretches, rare as they are, are folded again."""
    known = seen
    for i, one in enumerate(written):
        if i and np.isin(one.ids, known, assume_unique=True).any():
            for file in one.files:
                Path(file).unlink()
            written[i] = one = fold(stretches[i], known)
        known = np.union1d(known, one.ids)
    return written
