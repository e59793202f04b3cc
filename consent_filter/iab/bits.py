"""Base64url as a row of bits, read from the left: strict, and in linear time whatever was sent."""

from __future__ import annotations

import re
from binascii import a2b_base64
from bisect import bisect_right
from operator import itemgetter

#: Characters of a whole string. Real ones have some hundreds; the cookie that holds one has at most 4096.
LONGEST = 8_192

#: Ids from 1, as runs `(first, last)`: ascending, apart, never expanded, however many ids they cover.
Ranges = tuple[tuple[int, int], ...]

_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_USUAL = str.maketrans("-_", "+/")
_FIRST = itemgetter(0)
_RUN = re.compile("1+")
#: What each digit of a number in Fibonacci coding stands for. No id that there could be needs more.
_FIBONACCI = (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181)
#: What a server finds where a page forgot to fill in its template: `${…}`, also percent-encoded, and VAST's.
_MACRO = re.compile(r"\$\{|%24%7b|\[[A-Z_]+\]", re.IGNORECASE)


class Malformed(Exception):
    """A string cannot be read. `reason` is a short code; the string itself is never in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def whole(text: str) -> str:
    """The text, if it could be a consent string at all."""
    if not text:
        raise Malformed("empty")
    if len(text) > LONGEST:
        raise Malformed("too_long")
    if _MACRO.search(text):
        raise Malformed("macro")
    return text


class Bits:
    """The bits of one base64url text without padding; every read moves on."""

    __slots__ = ("_at", "_text")

    def __init__(self, text: str) -> None:
        if not text:
            raise Malformed("empty")
        if len(text) > LONGEST:
            raise Malformed("too_long")
        if not _ALPHABET.fullmatch(text):
            raise Malformed("characters")
        # Of any length: the standards fill up to six bits, the IAB's encoders to 8 or 24, and all are sent.
        # Filled with zeros to whole groups, so that the last character's spare bits can be looked at too.
        full = text.translate(_USUAL) + "A" * (-len(text) % 4)
        # Digits, as numbers of any width are cut out of a text in linear time, and of a large number are not.
        self._text = f"{int.from_bytes(a2b_base64(full)):0{len(full) * 6}b}"[: len(text) * 6]
        self._at = 0

    @property
    def width(self) -> int:
        """How many there are."""
        return len(self._text)

    def zeros(self, width: int) -> bool:
        """Whether the last digits are zeros, so many of them."""
        return self._text.find("1", len(self._text) - width) < 0

    def again(self) -> Bits:
        """The same, from the beginning."""
        self._at = 0
        return self

    def take(self, width: int) -> str:
        """The next digits."""
        at = self._at
        self._at = end = at + width
        if end > len(self._text):
            raise Malformed("truncated")
        return self._text[at:end]

    def number(self, width: int) -> int:
        """The next digits as a number."""
        return int(self.take(width), 2)

    def fibonacci(self) -> int:
        """The next number in Fibonacci coding, which ends with two set digits; never 0."""
        at = self._at
        end = self._text.find("11", at, at + len(_FIBONACCI) + 1)
        if end < 0:
            raise Malformed("number" if len(self._text) > at + len(_FIBONACCI) else "truncated")
        self._at = end + 2
        digits = self._text[at : end + 1]
        return sum(weight for weight, digit in zip(_FIBONACCI, digits, strict=False) if digit == "1")

    def flag(self) -> bool:
        """The next digit."""
        return self.take(1) == "1"

    def ids(self, width: int) -> tuple[int, ...]:
        """Which of the next digits are set, counted from 1."""
        return tuple([i for i, digit in enumerate(self.take(width), 1) if digit == "1"])

    def runs(self, width: int) -> Ranges:
        """The same, for many."""
        return tuple([(run.start() + 1, run.end()) for run in _RUN.finditer(self.take(width))])

    def end(self) -> None:
        """Nothing may follow but the zeros that fill up the last character or group."""
        if self._text.find("1", self._at) >= 0:
            raise Malformed("trailing")


def merged(ranges: list[tuple[int, int]]) -> Ranges:
    """Ranges in any order, overlapping or touching, as the fewest that say the same."""
    if len(ranges) < 2:
        return tuple(ranges)
    ranges.sort()
    fewest = [ranges[0]]
    for first, last in ranges:
        if first > fewest[-1][1] + 1:
            fewest.append((first, last))
        elif last > fewest[-1][1]:
            fewest[-1] = (fewest[-1][0], last)
    return tuple(fewest)


def within(ranges: Ranges, id: int) -> bool:
    """Is the id in one of them?"""
    before = bisect_right(ranges, id, key=_FIRST)
    return before > 0 and id <= ranges[before - 1][1]
