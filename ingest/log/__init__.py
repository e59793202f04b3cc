"""The durable log: what is appended stays, in order, until it is trimmed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import NamedTuple, Protocol

from ingest.log.record import Record

#: Position after the last record of each partition, by partition. A missing partition stands at 0.
Offsets = dict[str, int]


class Offset(NamedTuple):
    """The position just after a record: reading on from here gives the next one. Positions only grow."""

    partition: str
    position: int


class Log(Protocol):
    """One writer a partition, any number of readers, in any process.

    `append` returns when the record would survive a power cut, and raises OSError when it can't be written
    (the log is then as before). `read` yields records after `start` up to `stop` (default: the durable end),
    each with the offset after it, in order within a partition. `trim` may delete what lies before.
    """

    def append(self, record: Record) -> Offset: ...
    def read(self, start: Offsets, stop: Offsets | None = None) -> Iterator[tuple[Offset, Record]]: ...
    def end(self) -> Offsets: ...
    def trim(self, before: Offsets) -> None: ...
    def close(self) -> None: ...


class Lasting(Log, Protocol):
    """A log that outlives its process, as jobs see it.

    `check` raises Misconfigured where nothing can ever be written as it stands, OSError where nothing can be
    now. `turn` (by the writer, now and then) and `let_go` (by whoever erases, for partitions) see that what
    is trimmed can be freed though nothing follows it. `cuts` plans: what stands between two offsets, as parts
    of about `size` bytes that can each be read alone; Broken where the log ends before `start`. `behind` is
    how much follows, by unit: "bytes" or "records". `where` is
    what an operator finds a record by, `pieces` how many files or partitions there are, and `lingers` the
    seconds that bytes may stay with the store after `trim`. `left_out`: messages read that are not ours.
    """

    @property
    def left_out(self) -> int: ...
    def check(self) -> None: ...
    def turn(self, age: float) -> None: ...
    def let_go(self, partitions: Collection[str]) -> None: ...
    def cuts(self, start: Offsets, stop: Offsets, size: int) -> Iterator[tuple[str, int, int]]: ...
    def behind(self, done: Offsets) -> dict[str, int]: ...
    def where(self, offset: Offset) -> str: ...
    def pieces(self) -> int: ...
    def lingers(self) -> float: ...
