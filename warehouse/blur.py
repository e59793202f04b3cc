"""What a file of facts says of its persons at its end: their range by row groups, and no pseudonym.

Parquet keeps the smallest and largest value of each column of a row group, and a catalog copies them. Of
pseudonyms and event ids the upper twelve bits are kept there, the smallest rounded down and the largest up:
readers still skip row groups, and no catalog, log of a database or copy of either ever holds a pseudonym.
Twelve bits tell 4096 parts of the persons from each other; reports ask for a sixteenth.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from consent_filter.errors import Broken

#: Columns whose values stand for one person, or one event of theirs.
COLUMNS = (b"person", b"event_id")
_LOW = (1 << 52) - 1
_MAGIC = b"PAR1"
# Fields on the way from the footer to the statistics, by their numbers in parquet.thrift.
_GROUPS, _CHUNKS, _META, _PATH, _STATISTICS = 4, 1, 3, 3, 12
_MAX, _MIN, _MAX_VALUE, _MIN_VALUE = 1, 2, 5, 6
_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12


class _Text(NamedTuple):
    """Bytes in the footer: by which fields they are reached, and where."""

    path: tuple[int, ...]
    start: int
    stop: int


def blur(file: BinaryIO) -> None:
    """Round the ranges of persons and events at the end of a Parquet file, in place: it stays as long."""
    file.seek(-8, 2)
    length, magic = struct.unpack("<I4s", file.read(8))
    if magic != _MAGIC:
        raise Broken("a file of facts ends in another way than Parquet does")
    file.seek(-8 - length, 2)
    footer = bytearray(file.read(length))
    before = bytes(footer)
    _round(footer)
    if footer != before:
        file.seek(-8 - length, 2)
        file.write(footer)
    file.seek(0, 2)


def _round(footer: bytearray) -> None:
    """Statistics may stand before the name of their column, so each is rounded when all is known."""
    named, found = b"", list[_Text]()
    for text in _Reader(bytes(footer)).struct(()):
        if text.path == (-1,):  # a column's end
            if named in COLUMNS:
                for one in found:
                    if one.stop - one.start == 8:
                        up = one.path[-1] in (_MAX, _MAX_VALUE)
                        (value,) = struct.unpack_from("<Q", footer, one.start)
                        struct.pack_into("<Q", footer, one.start, value | _LOW if up else value & ~_LOW)
            named, found = b"", []
        elif text.path == (_GROUPS, _CHUNKS, _META, _PATH):
            named = bytes(footer[text.start : text.stop])
        elif text.path[:-1] == (_GROUPS, _CHUNKS, _META, _STATISTICS) and text.path[-1] in (
            _MAX, _MIN, _MAX_VALUE, _MIN_VALUE,
        ):  # fmt: skip
            found.append(text)


class _Reader:
    """Thrift's compact protocol, as far as footers go: where its texts are. A list adds nothing to a path."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def _number(self) -> int:
        value = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 127) << shift
            if byte < 128:
                return value
            shift += 7

    def struct(self, path: tuple[int, ...]) -> Iterator[_Text]:
        """Every text in the struct that begins here; (-1,) where one column's ends."""
        field = 0
        while True:
            head = self._data[self._at]
            self._at += 1
            if head == _STOP:
                break
            if head >> 4:
                field += head >> 4
            else:
                number = self._number()
                field = (number >> 1) ^ -(number & 1)
            yield from self._value(head & 15, (*path, field))
        if path == (_GROUPS, _CHUNKS, _META):
            yield _Text((-1,), 0, 0)

    def _value(self, kind: int, path: tuple[int, ...], *, element: bool = False) -> Iterator[_Text]:
        if kind in (_TRUE, _FALSE):
            self._at += element
        elif kind == _BYTE:
            self._at += 1
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            size = self._number()
            yield _Text(path, self._at, self._at + size)
            self._at += size
        elif kind in (_LIST, _SET):
            head = self._data[self._at]
            self._at += 1
            size = head >> 4 if head >> 4 != 15 else self._number()
            for _ in range(size):
                yield from self._value(head & 15, path, element=True)
        elif kind == _MAP:
            size = self._number()
            kinds = self._data[self._at] if size else 0
            self._at += bool(size)
            for _ in range(size):
                yield from self._value(kinds >> 4, path, element=True)
                yield from self._value(kinds & 15, path, element=True)
        elif kind == _STRUCT:
            yield from self.struct(path)
        else:
            self._number()
