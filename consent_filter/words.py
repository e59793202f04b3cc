"""Distinct texts by number, for as long as they are remembered: a batch of events is a matrix of numbers.

A few dozen events hold two thousand texts, most of which were in the batch before. Finding out which are the
same, word by word, cost a quarter of the path; here whoever makes texts that come again (a sender, a page)
has them numbered once, and keeps the numbers as bytes to lay side by side.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

#: More are not remembered: all are forgotten, and numbered anew.
MOST = 1 << 16
#: Numbers of a batch's own words begin here: no batch brings so many that come again.
_OWN = 1 << 31
_STRING = pa.string()


class Words:
    """Texts that come again. The number of no text (null) is 0."""

    def __init__(self) -> None:
        self._numbers: dict[str | None, int] = {None: 0}
        self._texts: list[str | None] = [None]

    @property
    def full(self) -> bool:
        """Whether there are so many that it is time for a new one."""
        return len(self._texts) >= MOST

    def bytes(self, texts: Sequence[str | None]) -> bytes:
        """The numbers of those texts, little-endian, four bytes each."""
        return struct.pack(f"<{len(texts)}I", *map(self._number, texts))

    def _number(self, text: str | None) -> int:
        found = self._numbers.get(text)
        if found is None:
            found = self._numbers[text] = len(self._texts)
            self._texts.append(text)
        return found

    def batch(self) -> Batch:
        """One batch of events, with words of its own besides these."""
        return Batch(self._numbers, self._texts)


class Batch:
    """The words of one batch: those remembered, and others that are forgotten with it."""

    def __init__(self, numbers: dict[str | None, int], texts: list[str | None]) -> None:
        self._numbers, self._texts = numbers, texts
        self._own: dict[str, int] = {}

    def bytes(self, texts: Sequence[str | None]) -> bytes:
        """The numbers of texts that may never come again."""
        return struct.pack(f"<{len(texts)}I", *map(self._number, texts))

    def _number(self, text: str | None) -> int:
        found = self._numbers.get(text)
        if found is None:
            assert text is not None  # it has a number from the start
            found = self._own.setdefault(text, _OWN + len(self._own))
        return found

    def places(self, numbers: NDArray[np.uint32]) -> tuple[pa.StringArray, NDArray[Any]]:
        """Numbers of any shape to the words they are, null first, and the place of each among those."""
        own, known = list(self._own), len(self._texts)
        if own:
            numbers = np.where(numbers < _OWN, numbers, numbers - np.uint32(_OWN - known))
        seen = np.zeros(known + len(own), np.bool_)
        seen[numbers] = True
        seen[0] = True
        there = np.flatnonzero(seen)
        place = np.empty(len(seen), np.uint16 if len(there) < 1 << 16 else np.uint32)
        place[there] = np.arange(len(there))
        texts = self._texts
        words = [texts[n] if n < known else own[n - known] for n in there.tolist()]
        return pa.array(words, _STRING), place[numbers]
