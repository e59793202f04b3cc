"""Two logs read as one: the folder's segments, which `throng import` writes, and the topic of the collectors.

What segments held when an installation went over to Kafka is folded with the rest. A partition's name says
which log it is of: a topic's end in a number.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from consent_filter.errors import Broken
from ingest.log import Lasting, Offset, Offsets
from ingest.log.record import Record


class Together:
    """For reading and trimming. Whoever writes opens the one log that they write."""

    def __init__(self, *logs: Lasting) -> None:
        self._logs = logs

    @property
    def left_out(self) -> int:
        """Messages read that are not ours."""
        return sum(log.left_out for log in self._logs)

    def append(self, record: Record) -> Offset:
        """Nothing is written here."""
        raise Broken("this log was opened for reading; name the partition to write")

    def read(self, start: Offsets, stop: Offsets | None = None) -> Iterator[tuple[Offset, Record]]:
        """Records of one after those of the other."""
        for log in self._logs:
            yield from log.read(start, stop)

    def end(self) -> Offsets:
        """The end of every partition."""
        return {name: position for log in self._logs for name, position in log.end().items()}

    def cuts(self, start: Offsets, stop: Offsets, size: int) -> Iterator[tuple[str, int, int]]:
        """What stands between."""
        for log in self._logs:
            mine = log.end()
            yield from log.cuts(start, {name: at for name, at in stop.items() if name in mine}, size)

    def trim(self, before: Offsets) -> None:
        """Each what is its own."""
        for log in self._logs:
            mine = log.end()
            log.trim({name: at for name, at in before.items() if name in mine})

    def let_go(self, partitions: Collection[str]) -> None:
        """Each what is its own."""
        for log in self._logs:
            log.let_go([name for name in log.end() if name in partitions])

    def check(self) -> None:
        """Nothing is written here."""

    def turn(self, age: float) -> None:
        """Nothing is written here."""

    def behind(self, done: Offsets) -> dict[str, int]:
        """By the unit of each."""
        return {unit: n for log in self._logs for unit, n in log.behind(done).items()}

    def where(self, offset: Offset) -> str:
        """What an operator finds the record by."""
        return next(log for log in self._logs if offset.partition in log.end()).where(offset)

    def pieces(self) -> int:
        """Files and partitions."""
        return sum(log.pieces() for log in self._logs)

    def lingers(self) -> float:
        """Of the slower one."""
        return max(log.lingers() for log in self._logs)

    def close(self) -> None:
        """Close both."""
        for log in self._logs:
            log.close()
