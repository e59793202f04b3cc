"""One request as the collector hands it to the path: only the parts that a protocol may read."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

#: Stands for the agent of an event that no visitor has sent. No header can hold it.
UNSEEN = "\0", ("", "", ""), None


class Browser(Struct, frozen=True, eq=False):
    """What a browser says of itself on every request, apart from its address.

    Compared by identity: requests with the same headers share one as long as the collector remembers it, and
    a batch then works on few. `said`: the User-Agent, the low-entropy client hints (Sec-CH-UA,
    Sec-CH-UA-Mobile, Sec-CH-UA-Platform; "" where absent), and Sec-Purpose, Purpose or X-Moz, whichever came.
    `origin` is the Origin header, else the Referer's origin, else "". `encrypted`: whether its requests came
    so all the way (M102). `unshared`: its bytes, where no other request has it; else 0.
    """

    said: tuple[str, tuple[str, str, str], str | None]
    gpc: str | None = None
    dnt: str | None = None
    origin: str = ""
    encrypted: bool = True
    unshared: int = 0


class Request(Struct, gc=False):
    """A request before parsing. `query` is without "?", undecoded. `received` is UTC milliseconds.

    `address` is the visitor's, already resolved through trusted proxies.
    """

    protocol: str
    method: str
    query: bytes
    body: bytes
    address: str
    browser: Browser
    received: int

    @property
    def size(self) -> int:
        """Bytes that its sender decides on, and that are in memory for as long as it is."""
        return len(self.body) + len(self.query) + self.browser.unshared


class Answer(NamedTuple):
    """What the sender is told. `body` is JSON, an image, or empty. `leads`: where to go instead, a header's
    value."""

    status: int
    body: bytes
    type: bytes = b"application/json"
    leads: bytes = b""
