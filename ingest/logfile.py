"""A web server's log as lines: plain or compressed, read once from front to back in bounded memory."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Iterator
from io import BufferedIOBase, BufferedReader
from pathlib import Path

from consent_filter.errors import Refused

_BLOCK = 1 << 20
#: A longer line is no line of a log (servers refuse requests above 8 to 64 KB); the rest of it is dropped.
LONGEST = 256 * 1024


class LogFile:
    """`size` and `read` are bytes of the file as it lies on the disk. `cut`: it ends too early.

    `unfinished`: the last line, once it was given out, has no end, as when the server is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
            if not path.is_file():
                raise IsADirectoryError(21, "it is no file")
        except OSError as error:
            raise Refused(400, "unreadable_file", f"{path}: {error.strerror}") from None
        self.size = os.fstat(self._file.fileno()).st_size
        self.cut = self.unfinished = False
        self._plain = _decompressed(self._file)

    @property
    def read(self) -> int:
        """How far the file has been read."""
        return min(self._file.tell(), self.size)

    def chunks(self, lines: int) -> Iterator[list[bytes]]:
        """Lists of that many lines (the last is shorter), without their ends and without blank ones.

        A damaged or unfinished compressed file yields what is before the damage and sets `cut`.
        """
        waiting: list[bytes] = []
        for line in self._lines():
            if line and not line.isspace():
                waiting.append(line)
                if len(waiting) == lines:
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for block in self._blocks():
            *whole, rest = (rest + block).split(b"\n")
            for line in whole:
                yield line[:LONGEST].rstrip(b"\r")
            rest = rest[: LONGEST + 1]
        self.unfinished = bool(rest.strip())
        yield rest[:LONGEST].rstrip(b"\r")

    def _blocks(self) -> Iterator[bytes]:
        first = True
        while True:
            try:
                block = self._plain.read1(_BLOCK)  # not read: it would drop what came before damage
            except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile):
                self.cut = True
                return
            except OSError as error:
                if self._plain is self._file:
                    raise Refused(500, "unreadable_file", f"{self.path}: {error.strerror}") from None
                self.cut = True  # bz2 says OSError for damage
                return
            if not block:
                return
            yield block.removeprefix(b"\xef\xbb\xbf") if first else block
            first = False

    def close(self) -> None:
        self._file.close()


def _decompressed(file: BufferedReader) -> BufferedIOBase:
    """By the first bytes, not by the name: rotated logs are called anything."""
    magic = file.read(6)
    file.seek(0)
    if magic.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if magic.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if magic.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    return file
