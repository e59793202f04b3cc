"""Heads of requests that the HTTP parser has read before: what it made of them is not found out again.

A browser sends the same head with each of its events, but for the length of the body, its cookies and, behind
a proxy, its address. Those lines are cut out, and what is left finds the `Browser` that the parser and the
checks made of the same bytes the first time. Reading ten headers one by one costs 9 µs, this 2.
"""

from __future__ import annotations

from typing import NamedTuple

from ingest.request import Browser

_END = b"\r\n\r\n"
#: Lines that differ between requests of one browser, as browsers and most proxies spell them; the first must
#: be there, and the last counts for nothing where an Origin says whence a page sends.
_NAMES = (b"\r\nContent-Length: ", b"\r\nX-Forwarded-For: ", b"\r\nCookie: ", b"\r\nReferer: ")
_SPELT = (_NAMES, tuple(name.lower() for name in _NAMES))
_ORIGIN = (b"\r\nOrigin: ", b"\r\norigin: ")
#: What an address is written with; others are for the parser to refuse.
_ADDRESS = b"0123456789abcdefABCDEF.:, []"
_REMEMBERED, _WORTH_REMEMBERING = 8192, 2048
_DIGITS = 7


class Recalled(NamedTuple):
    """A request whose head is known. `forwarded`: X-Forwarded-For, b"" where it has none."""

    browser: Browser
    forwarded: bytes
    body: bytes


class Heads:
    """Heads without the lines that differ, and who sends them; within bounds, and forgotten all at once."""

    def __init__(self) -> None:
        self._known: dict[bytes, Browser] = {}

    def recall(self, data: bytes) -> Recalled | None:
        """The request in `data`, if it is just one, whole, and its head is known."""
        end = data.find(_END)
        found = _cut(data[: end + 2]) if end >= 0 else None
        if found is None:
            return None
        rest, length, forwarded = found
        browser = self._known.get(rest)
        if browser is None or len(data) - end - 4 != length:
            return None
        return Recalled(browser, forwarded, data[end + 4 :])

    def learn(self, data: bytes, browser: Browser) -> None:
        """Remember the head of `data`: one whole request that the parser and the checks have let through."""
        end = data.find(_END)
        found = _cut(data[: end + 2]) if 0 <= end <= _WORTH_REMEMBERING else None
        # A line that goes on in the next (obsolete folding), or ends without a carriage return, or a second
        # of those that are cut out, would be another head when something is cut out.
        if found is None or b"\n " in found[0] or b"\n\t" in found[0]:
            return
        rest = found[0]
        plain = rest.lower()
        if rest.count(b"\n") != rest.count(b"\r\n") or any(name[2:-1] in plain for name in _SPELT[1][:3]):
            return
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[rest] = browser


def _cut(head: bytes) -> tuple[bytes, int, bytes] | None:
    """A head without the lines that differ, the body's length, and X-Forwarded-For; None for the parser."""
    spelling = head.find(_NAMES[0]) < 0
    lengths, forwards, cookies, referrers = _SPELT[spelling]
    head, length = _line(head, lengths)
    if not 0 < len(length) <= _DIGITS or not length.isdigit():
        return None
    head, forwarded = _line(head, forwards)
    if forwarded and forwarded.translate(None, _ADDRESS):
        return None
    if cookies in head:
        head, cookie = _line(head, cookies)
        if not cookie.isascii() or not cookie.decode("ascii").isprintable():
            return None
    if referrers in head and _ORIGIN[spelling] in head:
        head, referrer = _line(head, referrers)
        if not referrer.isascii() or not referrer.decode("ascii").isprintable():
            return None
    return head, int(length), forwarded.strip(b" ")


def _line(head: bytes, name: bytes) -> tuple[bytes, bytes]:
    """The head without the first line of that name, and that line's value; b"" where there is none."""
    start = head.find(name)
    if start < 0:
        return head, b""
    stop = head.find(b"\r\n", start + 2)
    return head[:start] + head[stop:], head[start + len(name) : stop]
