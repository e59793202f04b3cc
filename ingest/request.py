"""One request as the collector hands it to the path: only the parts that a protocol may read."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct


class Client(NamedTuple):
    """What one connection says of itself on every request; hashable, so a batch works on distinct clients.

    `address` is already resolved through trusted proxies. `hints` are the low-entropy client hints
    (Sec-CH-UA, Sec-CH-UA-Mobile, Sec-CH-UA-Platform), "" where absent. `purpose` is Sec-Purpose, Purpose or
    X-Moz, whichever came. `origin` is the Origin header, else the Referer's origin, else "".
    """

    address: str
    agent: str
    hints: tuple[str, str, str]
    gpc: str | None
    dnt: str | None
    purpose: str | None
    origin: str


class Request(Struct, gc=False):
    """A request before parsing. `query` is without "?", undecoded. `received` is UTC milliseconds."""

    protocol: str
    method: str
    query: bytes
    body: bytes
    client: Client
    received: int


class Answer(NamedTuple):
    """What the sender is told. `body` is JSON, an image, or empty."""

    status: int
    body: bytes
    type: bytes = b"application/json"
