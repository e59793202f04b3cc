"""What a segment file looks like: a header, then records one after another, each with its length and CRC.

A segment's name is the position of its first byte of records, in twenty digits, so that a position finds its
file, and its place in it, without an index. Numbers are little-endian.

    segment header   magic:8s · base:u64 · first sequence:u64 · created (ms):u64 · crc:u32 · padding
    record           length:u32 · crc:u32 (of length, sequence and payload) · sequence:u64 · payload

The file is allocated ahead and reads as zeros behind the last record; a length of zero ends it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from consent_filter.errors import Broken

_HEADER = struct.Struct("<8sQQQI")
_MAGIC = b"THRONG\x00\x01"
_FRAME = struct.Struct("<IIQ")
_SIGNED = struct.Struct("<IQ")

#: Bytes before the first record, and before each payload.
HEADER = 64
FRAME = _FRAME.size
#: A record is one micro-batch: megabytes at most. A larger length is damage.
LARGEST = 1 << 30
SUFFIX = ".log"
#: A segment that an operator has set aside; reading goes on behind it.
SET_ASIDE = ".damaged"


class Header(NamedTuple):
    """What a segment says of itself. `base`: position of its first record. `created`: ms since 1970."""

    base: int
    sequence: int
    created: int


class Found(NamedTuple):
    """A record in a segment: the position after it, its sequence number, its bytes."""

    after: int
    sequence: int
    payload: bytes


def name(base: int) -> str:
    """The file name of the segment whose first record stands at `base`."""
    return f"{base:020d}{SUFFIX}"


def bases(folder: Path) -> list[int]:
    """The bases of a partition's segments, in order; empty where there is no such folder."""
    try:
        names = os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    stems = (n.removesuffix(SUFFIX) for n in names if n.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if len(stem) == 20 and stem.isdigit())


def pack_header(header: Header) -> bytes:
    """The 64 bytes at the start of a segment."""
    signed = _HEADER.pack(_MAGIC, *header, 0)[:-4]
    return (signed + struct.pack("<I", crc32(signed))).ljust(HEADER, b"\0")


def read_header(fd: int, base: int) -> Header:
    """The header of the segment named `base`. Raises Broken when it is damaged or another's."""
    data = os.pread(fd, HEADER, 0)
    if len(data) == HEADER:
        magic, found, sequence, created, crc = _HEADER.unpack_from(data)
        if magic == _MAGIC and crc == crc32(data[: _HEADER.size - 4]) and found == base:
            return Header(found, sequence, created)
    raise damaged(base, base)


def damaged(base: int, position: int) -> Broken:
    """What to say of a segment that should have a record at `position` and has none."""
    file = name(base)
    return Broken(
        f"log segment {file} is damaged at position {position}: mend the disk and put the file back from a "
        f"copy, or rename it to {file}{SET_ASIDE} to go on without its records"
    )


def pack(sequence: int, payload: bytes) -> bytes:
    """The frame that goes before `payload`."""
    length = len(payload)
    return _FRAME.pack(length, crc32(payload, crc32(_SIGNED.pack(length, sequence))), sequence)


def records(fd: int, base: int, start: int, stop: int) -> Iterator[Found]:
    """Whole, undamaged records from position `start`, in order, until `stop` or the first that is not one.

    `start` must be a position after a record, or `base`.
    """
    expected: int | None = None
    while start < stop:
        place = HEADER + start - base
        frame = os.pread(fd, FRAME, place)
        if len(frame) < FRAME:
            return
        length, crc, sequence = _FRAME.unpack(frame)
        if not 0 < length <= LARGEST or (expected is not None and sequence != expected):
            return
        payload = os.pread(fd, length, place + FRAME)
        if len(payload) < length or crc32(payload, crc32(_SIGNED.pack(length, sequence))) != crc:
            return
        start += FRAME + length
        expected = sequence + 1
        yield Found(start, sequence, payload)
