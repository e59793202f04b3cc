"""Heads that are known must be what the HTTP parser would make of them, whatever was done to the bytes."""

from __future__ import annotations

from typing import Any

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.recall import Heads
from ingest.request import Browser

LINES = [
    b"POST /e HTTP/1.1",
    b"Host: stats.market.example",
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64)",
    b"X-Forwarded-For: 203.0.113.9, 10.0.0.1",
    b"Content-Length: 4",
    b"Content-Type: text/plain;charset=UTF-8",
    b"Origin: https://market.example",
    b"Cookie: session=1; theme=dark",
    b"Referer: https://market.example/a",
    b"Accept: */*",
]
BROWSER = Browser(("", ("", "", ""), None))
#: Headers that may differ between two requests of one browser.
_FREE = {b"content-length", b"x-forwarded-for", b"cookie", b"referer"}


def request(lines: list[bytes] = LINES, body: bytes = b'{""}') -> bytes:
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Read:
    """What the parser makes of some bytes."""

    def __init__(self, data: bytes) -> None:
        self.url, self.body, self.ended, self.fault = b"", b"", 0, False
        self.headers: list[tuple[bytes, bytes]] = []
        self._parser: Any = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.fault = True
        self.lasts = self.ended == 1 and self._parser.should_keep_alive()

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1

    def fixed(self) -> list[tuple[bytes, bytes]]:
        return sorted(pair for pair in self.headers if pair[0] not in _FREE)

    def said(self, name: bytes) -> bytes:
        return b", ".join(value for one, value in self.headers if one == name)


def learned(data: bytes) -> Heads:
    heads = Heads()
    heads.learn(data, BROWSER)
    return heads


def test_a_head_is_known_again_with_another_body_address_and_cookie() -> None:
    heads = learned(request())
    again = [*LINES]
    again[3], again[4] = b"X-Forwarded-For: 2001:db8::1", b"Content-Length: 2"
    again[7], again[8] = b"Cookie: session=2", b"Referer: https://market.example/b?q=1"
    assert heads.recall(request(again, b"[]")) == (BROWSER, b"2001:db8::1", b"[]")
    assert heads.recall(request([line for line in again if line[:1] not in b"RX"], b"[]")) is not None
    lower = [
        LINES[0],
        *(line.partition(b":")[0].lower() + b":" + line.partition(b":")[2] for line in LINES[1:]),
    ]
    assert heads.recall(request(lower)) is None
    assert learned(request(lower)).recall(request(lower)) is not None


@pytest.mark.parametrize(
    "change",
    [
        (2, b"User-Agent: another"),
        (6, b"Origin: https://other.example"),
        (6, b"DNT: 1"),
        (5, b"Content-Type: application/xml"),
        (4, b"Content-Length: 5"),
        (4, b"Content-Length: +4"),
        (4, b"Content-Length: 00000004"),
        (4, b"Content-Length: 4\r\nContent-Length: 4"),
        (4, b"Content-Length: 4\r\nTransfer-Encoding: chunked"),
        (3, b"X-Forwarded-For: 203.0.113.9\r\n 198.51.100.1"),
        (3, b"X-Forwarded-For: unknown"),
        (3, b"X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 198.51.100.1"),
        (7, b"Cookie: a\x00b"),
        (8, b"Referer: https://market.example/\x7f"),
        (0, b"POST /e?x HTTP/1.1"),
        (9, b"Connection: close"),
    ],
    ids=str,
)
def test_any_other_head_is_the_parsers(change: tuple[int, bytes]) -> None:
    other = [*LINES]
    other[change[0]] = change[1]
    assert learned(request()).recall(request(other)) is None


@pytest.mark.parametrize("more", [b" 198.51.100.1", b"\t198.51.100.1"])
def test_a_folded_line_stays_the_line_it_was(more: bytes) -> None:
    there, here = [*LINES], [*LINES]
    there[2] += b"\r\n" + more
    here[3] += b"\r\n" + more
    assert learned(request(there)).recall(request(here)) is None


@pytest.mark.parametrize("cut", [1, 5, 30, 200])
def test_half_a_request_or_more_than_one_is_the_parsers(cut: int) -> None:
    heads = learned(request())
    assert heads.recall(request()[:-cut]) is None
    assert heads.recall(request() + request()[:cut]) is None


_PIECE = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b",",
        b"\0",
        b"\xff",
        b"4",
        b"0",
        b"-",
        b"\r\n ",
        b"\r\nX: y",
        *LINES,
    ]
).map(bytes)


@st.composite
def _damaged(draw: st.DrawFn) -> list[bytes]:
    """A request, and others that have been the same until something was done to each of them."""
    first = draw(_whole())
    return [first, *draw(st.lists(_hit(first), max_size=4))]


@st.composite
def _hit(draw: st.DrawFn, first: bytes) -> bytes:
    data = bytearray(first)
    for _ in range(draw(st.integers(1, 2))):
        at = draw(st.sampled_from([i for i in range(len(data)) if data[i : i + 1] in b"\r\n:; ,/."]))
        at += draw(st.integers(0, 2))
        data[at : at + draw(st.integers(0, 3))] = draw(_PIECE)
    return bytes(data)


@st.composite
def _whole(draw: st.DrawFn) -> bytes:
    lines = draw(st.permutations(LINES[1:])) if draw(st.booleans()) else LINES[1:]
    lines = draw(st.lists(st.sampled_from(lines), min_size=5, max_size=14)) if draw(st.booleans()) else lines
    whole = request([LINES[0], *lines])
    return draw(_hit(whole)) if draw(st.booleans()) else whole


@settings(max_examples=1000)
@given(_damaged())
def test_what_is_recalled_is_what_the_parser_reads(requests: list[bytes]) -> None:
    first = requests[0]
    told = Read(first)
    heads = Heads()
    # As the collector learns: one whole request, kept alive, whose body has a length.
    if told.ended == 1 and not told.fault and told.lasts and told.said(b"content-length"):
        heads.learn(first, BROWSER)
    for data in requests:
        found = heads.recall(data)
        if found is None:
            continue
        read = Read(data)
        assert read.ended == 1
        assert not read.fault
        assert read.lasts
        assert (read.url, read.body, read.fixed()) == (told.url, found.body, told.fixed())
        assert read.said(b"x-forwarded-for") == found.forwarded
