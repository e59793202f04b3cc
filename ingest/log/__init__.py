"""The durable log: what is appended stays, in order, until it is trimmed."""

from __future__ import annotations

from collections.abc import Iterator
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
