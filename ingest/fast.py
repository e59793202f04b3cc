"""uvicorn's HTTP protocol with one shortcut: event requests are answered without a task of their own.

A coroutine, a task, a scope and a future cost 25–40 µs a request, more than everything else together; here a
request goes from the parser into the batch and its answer is written when the batch is durable. Answers keep
the order of pipelined requests. All other addresses are ordinary ASGI.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from consent_filter.counts import RECEIVED, REFUSED, Counts, Key
from ingest.forwarded import Trust
from ingest.gather import Gather
from ingest.limits import Rate, TooLarge, Unreadable, unpack
from ingest.metrics import Metrics
from ingest.protocols import ROUTES
from ingest.rejects import ANSWERS, REJECTS
from ingest.request import Answer, Client, Request
from ingest.settings import Ingest

_PHRASES = {200: b"OK", 202: b"Accepted", 204: b"No Content", 400: b"Bad Request", 403: b"Forbidden",
            405: b"Method Not Allowed", 408: b"Request Timeout", 413: b"Content Too Large", 415: b"Unsupported Media Type",
            429: b"Too Many Requests", 431: b"Request Header Fields Too Large", 500: b"Internal Server Error",
            503: b"Service Unavailable"}  # fmt: skip
_ROUTES = {path.encode(): route for path, route in ROUTES.items()}
#: Bytes of all headers of one request.
_MOST_HEADERS = 32 * 1024
_MEDIA = ("application/json", "text/plain", "application/x-www-form-urlencoded", "")
_DAY_MS = 86_400_000


class Collecting:
    """What every connection of one collector shares."""

    def __init__(self, settings: Ingest, gather: Gather, metrics: Metrics) -> None:
        self.settings, self.gather, self.metrics = settings, gather, metrics
        self.trust = Trust(settings.trusted_proxies)
        self.rate = Rate(settings.rate, settings.burst)


def packed(answer: Answer, close: bool) -> bytes:
    """An answer as bytes. Any page may send here without credentials, so any may read the status (CORS)."""
    head = b"HTTP/1.1 %d %s\r\n" % (answer.status, _PHRASES.get(answer.status, b""))
    if answer.status == 204:
        head += b"access-control-allow-origin: *\r\n"
    else:
        head += b"content-length: %d\r\naccess-control-allow-origin: *\r\ncache-control: no-store\r\n" % len(
            answer.body
        )
    if answer.body:
        head += b"content-type: " + answer.type + b"\r\n"
    if answer.status in (429, 503):
        head += b"retry-after: 2\r\n"
    return head + (b"connection: close\r\n\r\n" if close else b"\r\n") + answer.body


class Slot:
    """The place of one answer in the order of its connection."""

    __slots__ = ("answer", "close", "owner")

    def __init__(self, owner: EventProtocol, close: bool) -> None:
        self.owner, self.close = owner, close
        self.answer: Answer | None = None

    def tell(self, answer: Answer) -> None:
        self.answer = answer
        self.owner.answered()


class EventProtocol(HttpToolsProtocol):
    """One connection. `collecting` is set on the class before the server starts."""

    collecting: Collecting

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.slots: deque[Slot] = deque()
        self.route: tuple[tuple[str, ...], str] | None = None
        self.begun: float | None = None
        self.seen = self.loop.time()
        self.refused = ""
        self.size = 0
        if len(self.connections) > self.collecting.settings.max_connections:
            transport.close()

    def data_received(self, data: bytes) -> None:
        self.seen = self.loop.time()
        if self.parser is not None:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Bytes that are no HTTP: our own shape of error, and the connection ends."""
        self._count("malformed")
        self.transport.write(packed(ANSWERS["malformed"], True))
        self.transport.close()

    def on_message_begin(self) -> None:
        self.url, self.headers, self.size, self.refused = b"", [], 0, ""
        self.expect_100_continue = False
        self.route = None
        self.begun = self.seen

    def on_header(self, name: bytes, value: bytes) -> None:
        self.size += len(name) + len(value)
        if self.size > _MOST_HEADERS:
            self.refused = "too_large"
            return
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        path, _, query = self.url.partition(b"?")
        self.route = _ROUTES.get(path)
        method = self.parser.get_method()
        if self.route is None or method == b"OPTIONS" or method == b"HEAD":
            self.route = None
            if self.refused or self.slots:
                self._end("too_large")
                return
            url, headers = self.url, self.headers
            expect = self.expect_100_continue
            super().on_message_begin()
            self.url, self.expect_100_continue = url, expect
            self.headers.extend(headers)
            try:
                super().on_headers_complete()
            except httptools.HttpParserError:
                self._end("malformed")
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._end("malformed")  # an event pipelined behind a page: nobody does that
            return
        self.method, self.query, self.body = method.decode(), query, b""
        if self.method not in self.route[0]:
            self.refused = self.refused or "method"
        if self.expect_100_continue and not self.refused:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        if self.route is None:
            if self.cycle is not None and not self.transport.is_closing():
                super().on_body(body)
            return
        if self.refused:
            return
        self.body += body
        if len(self.body) > self.collecting.settings.max_body:
            self.refused, self.body = "too_large", b""

    def on_message_complete(self) -> None:
        self.begun = None
        if self.route is None:
            if self.cycle is not None and not self.transport.is_closing():
                super().on_message_complete()
            return
        close = not self.parser.should_keep_alive() or self.refused == "too_large"
        slot = Slot(self, close)
        self.slots.append(slot)
        client = None if self.refused else self._client()
        if client is None:
            self._count(self.refused)
            slot.tell(ANSWERS[self.refused])
            return
        request = Request(
            self.route[1], self.method, self.query, self.body, client, time.time_ns() // 1_000_000
        )
        self.collecting.gather.add(request, slot.tell)

    def _client(self) -> Client | None:
        """What the headers say of the client; None with `refused` set where the request can't be taken."""
        headers = dict(self.headers)
        get = headers.get

        def text(name: bytes) -> str:
            return get(name, b"").decode("latin-1")

        kind = text(b"content-type").partition(";")[0].strip().lower()
        if self.method == "POST" and kind not in _MEDIA:
            self.refused = "media_type"
            return None
        encoding = text(b"content-encoding").strip().lower()
        if encoding:
            try:
                self.body = unpack(self.body, encoding, self.collecting.settings.max_body)
            except KeyError:
                self.refused = "encoding"
            except TooLarge:
                self.refused = "too_large"
            except Unreadable:
                self.refused = "malformed"
            if self.refused:
                return None
        peer = self.client[0] if self.client else ""
        address = self.collecting.trust.client(peer, text(b"x-forwarded-for"), text(b"forwarded"))
        if not self.collecting.rate.allows(address):
            self.refused = "rate"
            return None
        origin = text(b"origin")
        if not origin and b"referer" in headers:
            origin = "/".join(text(b"referer").split("/", 3)[:3])
        hints = (text(b"sec-ch-ua"), text(b"sec-ch-ua-mobile"), text(b"sec-ch-ua-platform"))
        gpc, dnt = get(b"sec-gpc"), get(b"dnt")
        purpose = text(b"sec-purpose") or text(b"purpose") or text(b"x-moz")
        return Client(
            address,
            text(b"user-agent"),
            hints,
            None if gpc is None else gpc.decode("latin-1"),
            None if dnt is None else dnt.decode("latin-1"),
            purpose or None,
            origin,
        )

    def answered(self) -> None:
        """Write every answer whose turn has come, in one go."""
        slots, out, close = self.slots, [], False
        while slots and slots[0].answer is not None:
            slot = slots.popleft()
            assert slot.answer is not None
            self.collecting.metrics.responses[slot.answer.status] += 1
            out.append(packed(slot.answer, slot.close))
            if slot.close:
                close = True
                break
        if out and not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            if close:
                self.transport.close()

    def _count(self, code: str) -> None:
        day = time.time_ns() // 1_000_000 // _DAY_MS
        protocol = self.route[1] if self.route else ""
        key = Key("", day, protocol, "ZZ", REFUSED, REJECTS[code].reason, code)
        self.collecting.gather.count(
            Counts({key: 1, key._replace(outcome=RECEIVED, reason="", detail=""): 1})
        )

    def _end(self, code: str) -> None:
        self._count(code)
        self.transport.write(packed(ANSWERS[code], True))
        self.transport.close()

    def shutdown(self) -> None:
        """The server stops: answer what is waiting, then close."""
        if self.slots:
            self.slots[-1].close = True
        else:
            super().shutdown()

    def late(self, now: float) -> bool:
        """Whether this client has taken too long: to send a request, or to say anything at all."""
        settings = self.collecting.settings
        if self.begun is not None:
            return now - self.begun > settings.header_timeout_s
        return not self.slots and self._quiet() and now - self.seen > settings.idle_timeout_s

    def _quiet(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)
