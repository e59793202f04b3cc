"""The facts job: what stands in the log and is not folded yet → files → one commit.

An element is a stretch of one log partition; it writes its own files, and only its name travels. Running the
job twice, or killing it anywhere and running it again, changes nothing: files, offsets and counts are one
transaction, and what a killed run left behind is swept away. Where an element was worked on twice, the files
that its note names count, and the others go.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Collection
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from typing import NamedTuple

from msgspec import Struct

from consent_filter.counts import Counts
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.events import join
from ingest.log.opening import opened
from pipelines import expire
from pipelines.absent import absent
from pipelines.attempts import apart, keep, say
from pipelines.beamio import Stretch, each, stretches
from pipelines.settings import Pipelines
from warehouse import facts
from warehouse.depot import Place
from warehouse.lake import Lake
from warehouse.recent import WINDOW, Recent, repeated

#: How often a run begins anew, where jobs of other machines commit before it.
_TRIES = 8


class Folded(Struct):
    """What a run did. `commit` is its number, 0 where there was nothing to do. `merged`: files compacted.
    `left_out`: messages in the log that are not ours."""

    commit: int = 0
    stored: int = 0
    duplicates: int = 0
    erased: int = 0
    files: int = 0
    merged: int = 0
    left_out: int = 0


class Room(NamedTuple):
    """Where one run writes: facts to `folder`, what it says of them to `notes`, all names after `prefix`."""

    folder: Place
    notes: Path
    prefix: str

    def note(self, stretch: Stretch) -> Path:
        return self.notes / f"{self.prefix}-{stretch.partition}-{stretch.start}.note"

    @property
    def seen(self) -> Path:
        return self.notes / f"{self.prefix}-seen.npy"

    def clear(self, *, all: bool = False) -> None:
        """Remove what was written for this run only; its facts too, when they are not to be committed."""
        keep(self.prefix, (), self.notes, *((self.folder,) if all else ()))


class _Memory:
    """What one process knows of a lake between runs; read anew when another process has committed."""

    def __init__(self) -> None:
        self.key: tuple[Path, int, int] | None = None
        self.recent, self.read, self.swept = Recent(), 0.0, -1e9

    def at(self, lake: Lake, now: float) -> Recent:
        key = (lake.folder, lake.made(), lake.number())
        if self.key != key or not 0 <= now - self.read < 3600:
            self.recent = Recent(lake.recent_ids(now - WINDOW.total_seconds()))
            self.key, self.read = key, now
        return self.recent

    def add(self, number: int, written: list[facts.Written]) -> None:
        assert self.key is not None
        self.key = (*self.key[:2], number)
        for one in written:
            self.recent.add(one.ids)


_memory = _Memory()
#: Ids handed to workers in this process, and who may not be stored, by the run's prefix.
_shelf: dict[str, tuple[Recent, facts.Absent]] = {}


def run(
    data: Path,
    settings: Pipelines = Pipelines(),  # noqa: B008
    now: float | None = None,
    packs: Collection[str] = (),
) -> Folded:
    """Fold everything that is durable in the log; look after the files when that is due.

    `packs`: the policy packs of the sites, which say how long facts are kept. The caller holds pipeline.lock.
    Raises Broken where rows and counts don't agree, OSError or duckdb.Error where the disk is full; nothing
    has changed then.
    """
    moment = time.time() if now is None else now
    log = opened(data)
    lake = Lake.open(data, write=True)
    assert lake is not None
    try:
        for again in reversed(range(_TRIES)):
            since, done, end = lake.number(), lake.offsets(), log.end()
            work = list(stretches(data, log, done, end, int(settings.stretch_mib * (1 << 20))))
            try:
                folded = _commit(lake, work, end, settings, moment, absent(data), since) if work else Folded()
                break
            except Refused as error:
                # Another machine's job was first: what it folded, or erased, is now looked at anew.
                if error.code != "overtaken" or not again:
                    raise
        log.trim(end)
    finally:
        lake.close()
        log.close()
    folded.merged = expire.when_due(data, settings, moment, packs)
    return folded


def _commit(
    lake: Lake,
    work: list[Stretch],
    end: dict[str, int],
    settings: Pipelines,
    now: float,
    out: facts.Absent,
    since: int,
) -> Folded:
    room = _room(lake)
    try:
        seen = _memory.at(lake, now)
        written = _map(work, seen, room, settings, out)
        counts, rows = facts.total(written)
        files = [lake.depot.at(file) for one in written for file in one.files]
        number = lake.commit(files, end, counts, rows, since)
    except BaseException:
        with suppress(OSError, Misconfigured, Broken):
            room.clear(all=True)
        if not settings.here:  # workers may go on for a while, and leave files that the next run sweeps away
            _memory.swept = -1e9
        raise
    _memory.add(number, written)
    room.clear()
    if not settings.here:
        keep(room.prefix, {file.name for file in files}, room.folder)
    return Folded(
        number,
        sum(rows.values()),
        sum(one.duplicates for one in written),
        sum(one.erased for one in written),
        len(files),
        left_out=sum(one.left_out for one in written),
    )


def _room(lake: Lake) -> Room:
    """A place to write; whatever a killed run has left there is removed, at the first run of a process."""
    notes = lake.folder / "work"
    notes.mkdir(exist_ok=True)
    for leftover in notes.iterdir():
        leftover.unlink()
        _memory.swept = -1e9
    if not 0 <= time.monotonic() - _memory.swept < 3600:
        lake.sweep()
        _memory.swept = time.monotonic()
    folder, prefix = lake.room()
    return Room(folder, notes, prefix)


def _map(
    work: list[Stretch], seen: Recent, room: Room, settings: Pipelines, out: facts.Absent
) -> list[facts.Written]:
    """Every stretch on the runner; and again those that repeat events of an earlier one, rare as they are."""
    _shelf[room.prefix] = seen, out
    if not settings.here:
        seen.save(room.seen)
    try:
        each(work, partial(_work, room=room), settings)
    finally:
        del _shelf[room.prefix]
    written: list[facts.Written] = [pickle.loads(room.note(one).read_bytes()) for one in work]
    for index, ids in repeated([one.ids for one in written]).items():
        for file in written[index].files:
            (room.folder / PurePath(file).name).unlink()
        more = Recent(ids)
        more.runs += seen.runs
        written[index] = fold(work[index], more, room, out)
    return written


def _work(stretch: Stretch, room: Room) -> None:
    """One element: fold it and leave a note of what became of it."""
    seen, out = _shelf.get(room.prefix) or (Recent.load(room.seen), absent(Path(stretch.data)))
    say(room.note(stretch), pickle.dumps(fold(stretch, seen, room, out)))


def fold(stretch: Stretch, seen: Recent, room: Room, out: facts.Absent = facts.nobody) -> facts.Written:
    """The same in a loop: the records of a stretch → files."""
    log = opened(Path(stretch.data))
    counts, parts = Counts(), []
    for _, record in log.read({stretch.partition: stretch.start}, {stretch.partition: stretch.stop}):
        for key, n in record.counts.items():
            counts[key] += n
        parts.append(record.events)
    log.close()
    name = apart(f"{room.prefix}-{stretch.partition}-{stretch.start}")
    written = facts.fold(join(parts), counts, seen, room.folder, name, out)
    written.left_out = log.left_out
    return written
