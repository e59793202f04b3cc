"""A log that forgets with its process: for tests, and for trying the path without a disk."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Iterator

from ingest.log import Offset, Offsets
from ingest.log.record import Record, decode, encode


class MemoryLog:
    """One partition of encoded records. Positions are bytes, as in the segment log."""

    def __init__(self, partition: str = "memory") -> None:
        self.partition = partition
        self._lock = threading.Lock()
        self._ends: list[int] = []
        self._payloads: list[bytes] = []
        self._position = 0

    def append(self, record: Record) -> Offset:
        """Keep the record for as long as this process lives."""
        payload = encode(record)
        with self._lock:
            self._position += len(payload)
            self._ends.append(self._position)
            self._payloads.append(payload)
            return Offset(self.partition, self._position)

    def read(self, start: Offsets, stop: Offsets | None = None) -> Iterator[tuple[Offset, Record]]:
        """Records after `start` up to `stop`."""
        with self._lock:
            first = bisect_right(self._ends, start.get(self.partition, 0))
            last = self._position if stop is None else stop.get(self.partition, 0)
            found = list(zip(self._ends[first:], self._payloads[first:], strict=True))
        for end, payload in found:
            if end > last:
                return
            yield Offset(self.partition, end), decode(payload)

    def end(self) -> Offsets:
        """The position after the last record."""
        return {self.partition: self._position}

    def trim(self, before: Offsets) -> None:
        """Forget the records that lie wholly before."""
        with self._lock:
            gone = bisect_right(self._ends, before.get(self.partition, 0))
            del self._ends[:gone], self._payloads[:gone]

    def close(self) -> None:
        """Nothing to give back."""
