"""The one writer of a partition: opens where the last one stopped, appends, syncs, rolls."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from consent_filter import keyfile
from consent_filter.errors import Misconfigured
from ingest.log import frame, mark

LOCK = "writer"
#: Space is allocated in steps, so that a small installation stays small.
STEP = 4 << 20
_BLOCK = 4096


class Writer:
    """Holds the partition's lock while open. Not safe for threads: SegmentLog takes care of that."""

    def __init__(self, folder: Path, segment: int) -> None:
        self.folder = folder
        self.segment = segment
        self.position = 0
        self._sequence = 0
        self._fd = -1
        self._lock = -1
        self._mark: mark.Mark | None = None
        with suppress(OSError):  # not writable yet: the first append tries again, and says so
            self._open()

    def append(self, payload: bytes) -> int:
        """Write and sync one record; the position after it."""
        self._open()
        size = frame.FRAME + len(payload)
        place = frame.HEADER + self.position - self._base
        if os.fstat(self._fd).st_nlink == 0:  # deleted under our feet: be found again by readers
            self._roll()
            self._mark = mark.Mark(self.folder, self.position)
            place = frame.HEADER
        elif place + size > self.segment and self.position > self._base:
            self._roll()
            place = frame.HEADER
        self._allocate(place + size)
        try:
            _write(self._fd, [frame.pack(self._sequence, payload), payload], place)
            os.fdatasync(self._fd)
        except OSError:
            self._abandon()
            raise
        self._sequence += 1
        self.position += size
        assert self._mark is not None
        self._mark.move(self.position)
        return self.position

    def turn(self, age: float) -> None:
        """Begin a new segment if the open one holds records and was begun over `age` seconds ago."""
        self._open()
        if self.position > self._base and time.time() - self._created / 1000 > age:
            self._roll()

    def close(self) -> None:
        """Give back what was allocated ahead, and the lock."""
        self._abandon()
        if self._mark is not None:
            self._mark.close()
            self._mark = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _open(self) -> None:
        """Take the lock, find the end, and have a segment to write to."""
        if self._lock < 0:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = _lock(self.folder)
        if self._mark is None:
            for leftover in self.folder.glob("*.new"):
                leftover.unlink()
            self._leave()
            durable = mark.read(self.folder) or 0
            known = frame.bases(self.folder)
            self.position = 0
            if known:
                self._recover(known[-1], durable)
            if self.position < durable:  # segments were set aside: positions go on behind them
                self._leave()
                self.position = durable
            self._mark = mark.Mark(self.folder, self.position)
        if self._fd < 0:
            self._roll()

    def _recover(self, base: int, durable: int) -> None:
        """Open the last segment, keep every whole record, and cut off what a crash left behind them."""
        fd = os.open(self.folder / frame.name(base), os.O_RDWR)
        try:
            header = frame.read_header(fd, base)
            position, sequence = base, header.sequence
            for found in frame.records(fd, base, base, base + frame.LARGEST + self.segment):
                if found.sequence != sequence:
                    break
                position, sequence = found.after, found.sequence + 1
            set_aside = self.folder / (frame.name(position) + frame.SET_ASIDE)
            if position < durable and not set_aside.exists():
                raise frame.damaged(base, position)
            os.ftruncate(fd, frame.HEADER + position - base)
            # Records that nobody synced are whole here only by the page cache's grace.
            os.fdatasync(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd, self._base, self._created = fd, base, header.created
        self._allocated = frame.HEADER + position - base
        self.position, self._sequence = position, sequence

    def _roll(self) -> None:
        """Begin a segment at the end. It gets its name only when its header is on the disk."""
        new = self.folder / f"{self.position:020d}.new"
        header = frame.Header(self.position, self._sequence, int(time.time() * 1000))
        self.folder.mkdir(parents=True, exist_ok=True)
        fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write(fd, [frame.pack_header(header)], 0)
            os.fsync(fd)
            os.rename(new, self.folder / frame.name(self.position))
            keyfile.sync(self.folder)
        except BaseException:
            os.close(fd)
            self._abandon()  # it may have got its name: nothing may follow in the old one
            raise
        self._abandon()
        self._fd, self._base, self._created, self._allocated = fd, self.position, header.created, frame.HEADER

    def _allocate(self, size: int) -> None:
        """Have blocks for `size` bytes of the segment before writing: a full disk is found out here."""
        if size <= self._allocated:
            return
        for ahead in (STEP, _BLOCK):
            wanted = max(-(-size // ahead) * ahead, size)
            try:
                os.posix_fallocate(self._fd, 0, wanted)
            except OSError as error:
                if error.errno == errno.ENOSPC and ahead != _BLOCK:
                    continue
                if error.errno != errno.EOPNOTSUPP:
                    raise
            self._allocated = wanted
            return

    def _abandon(self) -> None:
        """Cut off what lies behind the end (allocated ahead, or a failed record) and leave the segment.

        After a failed sync the kernel may call pages clean that never reached the disk, so such a file is not
        trusted with another record (Rebello et al., "Can Applications Recover from fsync Failures?", 2020).
        """
        if self._fd >= 0:
            with suppress(OSError):
                os.ftruncate(self._fd, frame.HEADER + self.position - self._base)
        self._leave()

    def _leave(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    _base = 0
    _created = 0
    _allocated = 0


def _write(fd: int, parts: list[bytes], place: int) -> None:
    """All of it or OSError."""
    size = sum(map(len, parts))
    if os.pwritev(fd, parts, place) != size:
        raise OSError(errno.ENOSPC, "the log record was written in part only")


def _lock(folder: Path) -> int:
    """The partition's lock, as a descriptor. Misconfigured when another process holds it."""
    fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Misconfigured(
            "log partition", folder.name, "one writer at a time; another process is writing it now"
        ) from None
    return fd
