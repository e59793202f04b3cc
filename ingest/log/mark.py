"""The durable end of a partition, as its writer last made it: what readers in other processes go by.

The mark is a small file in shared memory, moved only after the record before it was synced and before it is
acknowledged. It is never synced itself: a power cut may leave an older mark, never one ahead of the data
(its value is written after the data is on the disk), and the next writer moves it on to the last whole
record. A reader that finds no mark counts on whole segments only: a segment is followed by another when, and
only when, every record in it is durable.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

_PAIR = struct.Struct("<QQ")
_ALL = (1 << 64) - 1
NAME = "end"


class Mark:
    """The writer's side."""

    def __init__(self, folder: Path, position: int) -> None:
        fd = os.open(folder / NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.ftruncate(fd, mmap.PAGESIZE)
            # A mapped page without a block behind it would kill the process when the disk is full.
            os.posix_fallocate(fd, 0, mmap.PAGESIZE)
            self._map = mmap.mmap(fd, mmap.PAGESIZE)
        finally:
            os.close(fd)
        self.move(position)

    def move(self, position: int) -> None:
        """Let readers see everything before `position`."""
        _PAIR.pack_into(self._map, 0, position, position ^ _ALL)

    def close(self) -> None:
        self._map.close()


def read(folder: Path) -> int | None:
    """The mark, or None where there is none. Two halves must agree: a store is not seen half done."""
    try:
        fd = os.open(folder / NAME, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        for _ in range(1000):
            data = os.pread(fd, _PAIR.size, 0)
            if len(data) < _PAIR.size:
                return None
            position, twin = _PAIR.unpack(data)
            if position ^ _ALL == twin:
                return int(position)
        return None
    finally:
        os.close(fd)
