"""Every parser that strangers' bytes reach: what is thrown at it, from where it begins, what it may raise.

A target takes bytes and returns, or raises one of the exceptions that its docstring promises; anything
else, and anything that takes half a minute, is a find. What can be said of a result is said here, too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from consent_filter import receipt
from consent_filter.clicks import Click
from consent_filter.counts import Counts
from consent_filter.errors import Misconfigured, Refused
from consent_filter.events import NOTHING
from consent_filter.iab import gpp, tcf, usp
from consent_filter.iab.bits import Malformed
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.signing import SigningKey
from consent_filter.unsubscribe import Links
from ingest import proxied
from ingest.enrich import Enrich
from ingest.enrich.agent import Agents
from ingest.forwarded import Trust
from ingest.log import frame
from ingest.log.record import Record, decode, encode
from ingest.path import Path as Way
from ingest.protocols import PROTOCOLS, Parsing, logline, parse, weblog
from ingest.redaction import plain, redact
from ingest.request import Browser, Request
from ingest.scrub import Scrub
from ingest.settings import Ingest
from tests.ingest.protocols import cases
from tests.ingest.protocols.cases import CLICKS, NOW_MS, SEALS, SITES
from throng import settings
from warehouse import catalogue

HERE = Path(__file__).resolve().parent
TESTS = HERE.parent
Target = Callable[[bytes], object]


class Thrown(NamedTuple):
    """One target. `make` is called once in the process that fuzzes; `corpus`: what it begins from."""

    make: Callable[[], Target]
    corpus: Callable[[], Iterable[bytes]]
    raises: tuple[type[Exception], ...] = ()


def _text(read: Callable[[str], object]) -> Callable[[], Target]:
    """A parser of text: strangers' text is what decodes, as headers and members of JSON do."""
    return lambda: lambda data: read(data.decode("utf-8", "surrogateescape"))


def _agent() -> Target:
    agents = Agents(remembered=64)

    def look(data: bytes) -> None:
        said = [*data.decode("latin-1").split("\n"), "", "", "", ""]
        agents.look((said[0], (said[1], said[2], said[3]), said[4] or None))

    return look


def _page() -> Target:
    pages = [Scrub(SITES[name]) for name in ("market", "strict")]

    def scrub(data: bytes) -> None:
        url = data.decode("utf-8", "replace")
        for one in pages:
            found = one.page(url)
            # Nothing is left in it that would be redacted.
            assert found.path is None or all(redact(part)[1] == 0 for part in found.path.split("/"))

    return scrub


def _redaction() -> Target:
    def both(data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        once, _ = redact(text)
        assert redact(once)[0] == once
        plain(text)

    return both


def _request(protocol: str) -> Callable[[], Target]:
    parsing = Parsing(SITES, Ingest(max_events=8), seals=SEALS, clicks=CLICKS)

    def make() -> Target:
        def throw(data: bytes) -> None:
            query, _, body = data.partition(b"\n")
            one = Request(protocol, "POST" if body else "GET", query, body, "192.0.2.1", BROWSER, NOW_MS)
            parsed = parse([one], parsing)
            assert len(parsed.answers) == 1
            assert parsed.raw.n + sum(parsed.rejects.values()) >= 1

        return throw

    return make


BROWSER = Browser(
    ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ("", "", ""), None)
)


def _way() -> Target:
    """All of it: parse, enrich, decide, apply, the record and back. The path raises Broken itself where an
    event would be neither stored nor refused."""
    keys = Keyring.memory(lambda: NOW_MS / 1000)
    enrich = Enrich(SITES, cases.look, Agents())
    way = Way(
        SITES, enrich, Packs(SITES), Ledger.memory(keys), keys, limits=Ingest(), seals=SEALS, clicks=CLICKS
    )
    names = sorted(PROTOCOLS)

    def run(data: bytes) -> None:
        protocol = names[data[0] % len(names)] if data else "beacon"
        query, _, body = data[1:].partition(b"\n")
        one = Request(protocol, "POST", query, body, "192.0.2.1", BROWSER, NOW_MS)
        record, _ = way.run([one])
        assert decode(encode(record)).counts == record.counts

    return run


def _weblog() -> Target:
    site = SITES["market"]

    def read(data: bytes) -> None:
        text = data.decode("utf-8", "surrogateescape").split("\n")
        logline.recognised(text)
        for reader in logline.READERS.values():
            lines = [reader(one) for one in text]
            parsed = weblog.parse(lines, weblog.times(lines), site, NOW_MS, weblog.own(lines))
            assert parsed.raw.n + sum(parsed.rejects.values()) == len(lines)

    return read


def _forwarded() -> Target:
    trust = Trust(["10.0.0.0/8", "fd00::/8"])

    def read(data: bytes) -> None:
        one, _, two = data.decode("latin-1").partition("\n")
        trust.client("10.0.0.1", one, two)
        trust.encrypted(False, one, two)

    return read


def _frames() -> Target:
    """A segment of a log whose bytes a disk, or somebody, has changed: read up to there, and no further."""
    file = os.memfd_create("segment")

    def read(data: bytes) -> None:
        os.ftruncate(file, 0)
        os.pwrite(file, data, 0)
        for found in frame.records(file, 0, 0, len(data)):
            assert 0 < found.after <= len(data)

    return read


def _receipt() -> Target:
    keys = [SigningKey.of(bytes(32)).public]
    return lambda data: receipt.read(data, keys)


def _links() -> Target:
    links = Links(Keyring.memory(lambda: NOW_MS / 1000))
    return lambda data: links.read(data.decode("latin-1"))


def _strings(*files: str) -> Callable[[], Iterable[bytes]]:
    def read() -> Iterable[bytes]:
        for file in files:
            said = json.loads((TESTS / "consent_filter/iab/cases" / file).read_text())
            yield from (one["text"].encode() for one in said["cases"])

    return read


def _requests() -> Iterable[tuple[str, bytes]]:
    for file in cases.files():
        for one in cases.read(file)[1]:
            yield one.protocol, one.query + b"\n" + one.body


def _of(protocol: str) -> Iterable[bytes]:
    """A protocol's own cases; where it has none, those of all: they have the same members."""
    found = list(_requests())
    return [data for of, data in found if of == protocol] or [data for _, data in found]


def _lines() -> Iterable[bytes]:
    blocks = (TESTS / "ingest/protocols/weblog.cases").read_text().split("\n\n")
    lines = [block.split("\n") for block in blocks]
    return [one[2].encode() for one in lines if len(one) > 3]


def _segment() -> Iterable[bytes]:
    payload = encode(Record(NOTHING, Counts()))
    return [frame.pack(1, payload) + payload + frame.pack(2, b"x") + b"x", frame.pack(1, payload)]


def _shipped(folder: str, *names: str) -> Callable[[], Iterable[bytes]]:
    return lambda: [file.read_bytes() for name in names for file in (TESTS.parent / folder).glob(name)]


URLS = (
    b"/a", b"https://m.example/u/ann?utm_source=news&category=web#x", b"//h/%252e%252e/b?q=a%40b.c",
    b"\\\\x\\y", b"javascript:1", b"/project/4111111111111111", b"/x?utm_term=%ff%00",
)  # fmt: skip
AGENTS = (
    BROWSER.said[0].encode(), b"curl/8",
    b"A\n\"Chromium\";v=\"140\", \"Not A;Brand\";v=\"8\"\n?1\n\"Android\"",
    b"Mozilla/5.0 (compatible; Googlebot/2.1)\n\n\n\nprefetch",
)  # fmt: skip

TARGETS: dict[str, Thrown] = {
    "tcf": Thrown(_text(tcf.decode), _strings("tcf.json"), (Malformed,)),
    "gpp": Thrown(_text(gpp.decode), _strings("gpp.json"), (Malformed,)),
    "usp": Thrown(_text(usp.decode), lambda: [b"1YNN", b"1---"], (Malformed,)),
    "agent": Thrown(_agent, lambda: AGENTS),
    "page": Thrown(_page, lambda: URLS),
    "redaction": Thrown(_redaction, lambda: [b"a@b.example 4111-1111-1111-1111", b"eyJhbGciOi.eyJ.x", *URLS]),
    **{name: Thrown(_request(name), partial(_of, name)) for name in PROTOCOLS},
    "way": Thrown(
        _way, lambda: [bytes([sorted(PROTOCOLS).index(of)]) + data for of, data in _requests()][::7]
    ),
    "weblog": Thrown(_weblog, _lines),
    "forwarded": Thrown(
        _forwarded,
        lambda: [b"192.0.2.1, 10.0.0.2\n", b'https\nfor="[2001:db8::1]:4711";proto=https, for=unknown'],
    ),
    "proxied": Thrown(
        lambda: proxied.read,
        lambda: [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
            b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2c" + bytes(36) + b"\x20\0\x05\x01\0\0\0\0",
        ],
        (ValueError,),
    ),
    "frames": Thrown(_frames, _segment),
    "receipt": Thrown(_receipt, _shipped("tests/consent_filter/receipts", "*"), (Refused,)),
    "unsubscribe": Thrown(_links, lambda: [b"AQAAAAAAAAAAAAAA" * 5, b"x"], (Refused,)),
    "click": Thrown(
        _text(lambda said: CLICKS.read(said, NOW_MS / 1000)),
        lambda: [b"c1.", b"c1.AAAA", CLICKS.make(Click(), NOW_MS / 1000).encode()],
    ),
    "settings": Thrown(lambda: settings.read, _shipped("tests/fuzz", "settings.toml"), (Misconfigured,)),
    "adverts": Thrown(
        lambda: catalogue.parse, lambda: [b'[[campaign]]\nid = "c"\nadvertiser = "a"\n'], (Misconfigured,)
    ),
}
