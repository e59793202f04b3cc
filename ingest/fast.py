"""uvicorn's HTTP protocol with one shortcut: event requests are answered without a task of their own.

A coroutine, a task, a scope and a future cost 25–40 µs a request, more than everything else together; here a
request goes from the parser into the batch and its answer is written when the batch is durable. Answers keep
the order of pipelined requests. All other addresses are ordinary ASGI.
"""

from __future__ import annotations

import time
from collections import deque
from functools import lru_cache
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from consent_filter.advert_links import Seals
from consent_filter.counts import RECEIVED, REFUSED, Counts, Key
from consent_filter.tokens import Tokens
from consent_filter.transport import hsts
from ingest.behalf import CLAIMS, Behalf
from ingest.forwarded import Trust
from ingest.gather import Gather
from ingest.limits import Rate, opened
from ingest.metrics import Metrics
from ingest.protocols import ROUTES, contact
from ingest.recall import Heads
from ingest.rejects import ANSWERS, REJECTS
from ingest.request import Answer, Browser, Request
from ingest.settings import Ingest

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}
_ROUTES = {path.encode(): route for path, route in ROUTES.items()}
#: Bytes of all headers of one request.
_MOST_HEADERS = 32 * 1024
_MEDIA = (b"application/json", b"text/plain", b"application/x-www-form-urlencoded", b"")
#: What beacons send, letter by letter.
_PLAIN = frozenset((b"text/plain;charset=UTF-8", b"text/plain", b"application/json", b""))
#: What beacons send events to, and speak there.
_URL = b"/e"
_EVENTS = ROUTES["/e"][1]
_DAY_MS = 86_400_000
#: What is remembered of headers: how many browsers, and none with more bytes than this.
_REMEMBERED, _WORTH_REMEMBERING = 8192, 2048


class Collecting:
    """What every connection of one collector shares."""

    def __init__(
        self, settings: Ingest, gather: Gather, metrics: Metrics, seals: Seals | None = None,
        tokens: Tokens | None = None,
    ) -> None:  # fmt: skip
        self.settings, self.gather, self.metrics = settings, gather, metrics
        self.trust = Trust(settings.trusted_proxies)
        self.behalf = Behalf(settings.ad_servers, seals, tokens)
        self.rate = Rate(settings.rate, settings.burst)
        # By whether the connection is encrypted, and a trusted proxy's: there the same bytes mean the same.
        self.heads = tuple((Heads(), Heads()) for _ in range(2))
        line = hsts(settings.hsts_days)
        #: What an answer says to browsers: by whether it goes out encrypted.
        self.hsts = (b"", b": ".join(line) + b"\r\n" if line else b"")
        self._browsers: tuple[dict[tuple[bytes, ...], Browser], ...] = ({}, {})

    def browser(self, said: tuple[bytes, ...], encrypted: bool) -> Browser:
        """The browser that sends these values of `_BROWSER` headers, and its origin; "" where absent."""
        known = self._browsers[encrypted]
        found = known.get(said)
        if found is None:
            agent, brands, mobile, platform, gpc, dnt, sec, purpose, moz, origin = (
                value.decode("latin-1") for value in said
            )
            kind = (agent, (brands, mobile, platform), sec or purpose or moz or None)
            size = sum(map(len, said))
            shared = size <= _WORTH_REMEMBERING
            found = Browser(kind, gpc or None, dnt or None, origin, encrypted, 0 if shared else size)
            if shared:
                if len(known) >= _REMEMBERED:
                    known.clear()
                known[said] = found
        return found


#: The headers that make a browser, besides its origin.
_BROWSER = (
    b"user-agent", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-gpc", b"dnt",
    b"sec-purpose", b"purpose", b"x-moz",
)  # fmt: skip


#: Where a proxy says how a request came to it.
_OF_THE_WAY = frozenset((b"x-forwarded-proto", b"forwarded"))
#: Headers that make more of a request than its browser and its length.
_NEVER_ALIKE = CLAIMS | {b"content-encoding", b"expect", b"forwarded", b"transfer-encoding", b"upgrade"}


@lru_cache(maxsize=256)
def packed(answer: Answer, close: bool, hsts: bytes = b"") -> bytes:
    """An answer as bytes. Any page may send here without credentials, so any may read the status (CORS).
    `hsts`: a whole line, for an answer that goes out encrypted."""
    head = b"HTTP/1.1 %d %s\r\n" % (answer.status, _PHRASES.get(answer.status, b""))
    if answer.status == 204:
        head += b"access-control-allow-origin: *\r\n"
    else:
        head += b"content-length: %d\r\naccess-control-allow-origin: *\r\ncache-control: no-store\r\n" % len(
            answer.body
        )
    if answer.body:
        head += b"content-type: " + answer.type + b"\r\n"
    if answer.leads:
        # The page that was clicked on is nobody's business there: its origin will do.
        head += b"location: " + answer.leads + b"\r\nreferrer-policy: strict-origin\r\n"
    if answer.status in (429, 503):
        head += b"retry-after: 2\r\n"
    return head + hsts + (b"connection: close\r\n\r\n" if close else b"\r\n") + answer.body


class Slot:
    """The place of one answer in the order of its connection."""

    __slots__ = ("answer", "close", "hsts", "owner")

    def __init__(self, owner: EventProtocol, close: bool, hsts: bytes) -> None:
        self.owner, self.close, self.hsts = owner, close, hsts
        self.answer: Answer | None = None

    def tell(self, answer: Answer) -> None:
        owner = self.owner
        if len(owner.slots) > 1 or self.close or not owner.slots:
            self.answer = answer
            owner.answered()
            return
        owner.slots.popleft()  # the one that is waited for, as nearly always
        owner.collecting.metrics.responses[answer.status] += 1
        if not owner.transport.is_closing():
            owner.transport.write(packed(answer, False, self.hsts))


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
        self.head: dict[bytes, bytes] = {}
        # Bytes of the last read, and of those after it that the headers of the request have needed.
        self.heading, self.read, self.size = False, 0, 0
        # Requests that ended within the last read; who sent the last one, if its head is worth knowing.
        self.ended = 0
        self.known: Browser | None = None
        self.arrived(self.scheme == "https")
        if len(self.connections) > self.collecting.settings.max_connections:
            transport.close()

    def arrived(self, encrypted: bool) -> None:
        """Whose word counts on how requests come here: the connection's, or a trusted proxy's headers."""
        trust, peer = self.collecting.trust, self.client
        self.proxied = peer is not None and trust.trusts(peer[0])
        self.encrypted = self.own = encrypted
        self.heads = self.collecting.heads[encrypted][self.proxied]

    def data_received(self, data: bytes) -> None:
        self.seen = self.loop.time()
        if self.parser is None:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        alone = self.begun is None
        if alone and self._recalled(data):
            return
        self.read, self.ended, self.known = len(data), 0, None
        self.size += self.read
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("")
        except httptools.HttpParserUpgrade:
            pass  # no other protocol is spoken here; the request itself has been answered
        if self.heading and self.size > _MOST_HEADERS and not self.transport.is_closing():
            self._end("too_large")
        if alone and self.known is not None and self.ended == 1 and self.begun is None:
            self.heads.learn(data, self.known)

    def _recalled(self, data: bytes) -> bool:
        """Whether that was one event request with a known head, which is then taken."""
        collecting = self.collecting
        found = self.heads.recall(data)
        if found is None or len(found.body) > collecting.settings.max_body or not self._quiet():
            return False
        if self.slots and self.slots[-1].close:
            return False
        address = self._client(found.forwarded, b"")
        if not collecting.rate.allows(address):
            return False
        slot = Slot(self, False, collecting.hsts[found.browser.encrypted])
        self.slots.append(slot)
        now = time.time_ns() // 1_000_000
        collecting.gather.add(
            Request(_EVENTS, "POST", b"", found.body, address, found.browser, now), slot.tell
        )
        return True

    def send_400_response(self, msg: str) -> None:
        """Bytes that are no HTTP: our own shape of error, and the connection ends."""
        self._end("malformed")

    def on_message_begin(self) -> None:
        self.url, self.refused, self.encrypted = b"", "", self.own
        self.head.clear()
        self.heading, self.size = True, 0
        self.expect_100_continue = False
        self.route = None
        self.begun = self.seen

    def on_header(self, name: bytes, value: bytes) -> None:
        head = self.head
        name = name.lower()
        head[name] = head[name] + b", " + value if name in head else value  # RFC 9110 §5.3

    def on_headers_complete(self) -> None:
        self.heading = False
        path, _, query = self.url.partition(b"?")
        self.route = _ROUTES.get(path)
        method, head = self.parser.get_method(), self.head
        if self.size or self.read > _MOST_HEADERS:  # else they cannot be too many
            size = len(self.url) + sum(map(len, (*head, *head.values())))
            if size > _MOST_HEADERS:
                self.refused = "too_large"
        self.expect_100_continue = head.get(b"expect", b"").lower() == b"100-continue"
        if self.proxied and not head.keys().isdisjoint(_OF_THE_WAY):
            proto, said = head.get(b"x-forwarded-proto", b""), head.get(b"forwarded", b"")
            self.encrypted = (proto == b"https" and not said) or self.collecting.trust.encrypted(
                self.own, proto.decode("latin-1"), said.decode("latin-1")
            )
        if self.route is None or method == b"OPTIONS" or method == b"HEAD":
            self.route = None
            self._page()
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._end("malformed")  # an event pipelined behind a page: nobody does that
            return
        length = head.get(b"content-length", b"0")
        if len(length) > 12 or int(length) > self.collecting.settings.max_body:
            self._end("too_large")  # at once: whoever waits for an answer before sending gets one
            return
        self.method, self.query, self.body = method.decode(), query, b""
        if self.method not in self.route[0]:
            self.refused = self.refused or "method"
        if self.expect_100_continue and not self.refused:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _page(self) -> None:
        """Whatever takes no events is the application's."""
        if self.refused or self.slots:
            self._end(self.refused or "malformed")
            return
        url, expect = self.url, self.expect_100_continue
        self.scheme = "https" if self.encrypted else "http"
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expect
        self.headers.extend(self.head.items())
        try:
            super().on_headers_complete()
        except httptools.HttpParserError:
            self._end("malformed")

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
        self.ended += 1
        if self.route is None:
            if self.cycle is not None and not self.transport.is_closing():
                super().on_message_complete()
            return
        close = not self.parser.should_keep_alive() or self.refused == "too_large"
        slot = Slot(self, close, self.collecting.hsts[self.encrypted])
        self.slots.append(slot)
        address = "" if self.refused else self._address()
        if self.refused:
            self._count(self.refused)
            slot.tell(ANSWERS[self.refused])
            return
        head = self.head
        origin = head.get(b"origin", b"")
        if not origin and b"referer" in head:
            origin = b"/".join(head[b"referer"].split(b"/", 3)[:3])
        said = (*[head.get(name, b"") for name in _BROWSER], origin)
        browser = self.collecting.browser(said, self.encrypted)
        if self.url == _URL and not slot.close and head.keys().isdisjoint(_NEVER_ALIKE):
            # Where there is no Origin, the Referer says whence: it must not be cut out.
            self.known = browser if head.get(b"origin") or b"referer" not in head else None
        self.collecting.gather.add(
            Request(
                self.route[1], self.method, self.query, self.body, address, browser,
                time.time_ns() // 1_000_000,
            ),
            slot.tell,
        )  # fmt: skip

    def _address(self) -> str:
        """The visitor's address, the body unpacked; `refused` is set where the request can't be taken."""
        head, collecting = self.head, self.collecting
        kind = head.get(b"content-type", b"")
        posted = self.method == "POST" and kind not in _PLAIN
        if posted and kind.partition(b";")[0].strip().lower() not in _MEDIA:
            self.refused = "media_type"
            return ""
        if b"content-encoding" in head:
            most = collecting.settings.max_body
            self.body, self.refused = opened(self.body, head[b"content-encoding"], most)
        address = self._client(head.get(b"x-forwarded-for", b""), head.get(b"forwarded", b""))
        if self.route and self.route[1] == contact.NAME:
            self.refused = self.refused or collecting.behalf.doubts(head, address, time.time())
            return ""
        if not CLAIMS.isdisjoint(head):
            address = collecting.behalf.speak(head, address, time.time()) or ""
            self.refused = self.refused or ("" if address else "sender")
        if not self.refused and not collecting.rate.allows(address):
            self.refused = "rate"
        return address

    def _client(self, x_forwarded_for: bytes, forwarded: bytes) -> str:
        """The visitor's address: the connection's, or what a trusted proxy says of it."""
        address = self.client[0] if self.client else ""
        if not self.collecting.settings.trusted_proxies:
            return address
        return self.collecting.trust.client(
            address, x_forwarded_for.decode("latin-1"), forwarded.decode("latin-1")
        )

    def answered(self) -> None:
        """Write every answer whose turn has come, in one go."""
        slots, out, close = self.slots, [], False
        while slots and slots[0].answer is not None:
            slot = slots.popleft()
            assert slot.answer is not None
            self.collecting.metrics.responses[slot.answer.status] += 1
            out.append(packed(slot.answer, slot.close, slot.hsts))
            if slot.close:
                close = True
                break
        if out and not self.transport.is_closing():
            self.transport.write(out[0] if len(out) == 1 else b"".join(out))
            if close:
                self.transport.close()

    def _count(self, code: str) -> None:
        day = time.time_ns() // 1_000_000 // _DAY_MS
        key = Key("", day, self.route[1] if self.route else "", "ZZ", REFUSED, REJECTS[code].reason, code)
        self.collecting.gather.count(
            Counts({key: 1, key._replace(outcome=RECEIVED, reason="", detail=""): 1})
        )

    def _end(self, code: str) -> None:
        """Refuse the request that is being read, and let go of the client."""
        self._count(code)
        self.route = None
        self.transport.write(packed(ANSWERS[code], True, self.collecting.hsts[self.encrypted]))
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
