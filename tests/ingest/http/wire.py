"""A collector with small limits, and a client that sends whatever bytes it is told to."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from tests.whole.running import BROWSER, Up

SETTINGS = """
[[site]]
id = "shop"
timezone = "Asia/Kolkata"
origins = ["https://shop.example"]
[ingest]
trusted_proxies = ["127.0.0.0/8"]
max_body = 20000
max_events = 20
header_timeout_s = 1.0
idle_timeout_s = 2.0
max_connections = 50
"""
#: Stands in every bad input; nothing of these may be found anywhere afterwards.
MARK = "zq7Planted4711"
ORIGIN = "Origin: https://shop.example"


class Answer(NamedTuple):
    status: int
    head: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The code of an error in the one shape that errors have here."""
        said = json.loads(self.body)
        assert set(said) <= {"error", "accepted", "refused"}, said
        assert set(said["error"]) == {"code", "message"}, said
        assert said["error"]["message"]
        assert self.head["content-type"].startswith("application/json")
        return str(said["error"]["code"])


class Line:
    """One connection to a collector, by hand."""

    def __init__(self, port: int, seconds: float = 10.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._read = b""

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send all of it, or as much as is taken before the other side closes."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def answer(self, method: str = "POST") -> Answer:
        """The next answer, read no further than its length says."""
        while b"\r\n\r\n" not in self._read:
            self._more()
        top, _, self._read = self._read.partition(b"\r\n\r\n")
        first, *lines = top.decode("latin-1").split("\r\n")
        status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) ?.*", first)[1])  # type: ignore[index]
        head = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if method == "HEAD" or status in (100, 204, 304) else int(head["content-length"])
        while len(self._read) < length:
            self._more()
        body, self._read = self._read[:length], self._read[length:]
        return Answer(status, head, body)

    def _more(self) -> None:
        more = self.socket.recv(65536)
        assert more, f"closed after {self._read!r}"
        self._read += more

    def rest(self) -> bytes:
        """Everything until the other side closes; TimeoutError where it does not."""
        with suppress(ConnectionResetError):
            while more := self.socket.recv(65536):
                self._read += more
        rest, self._read = self._read, b""
        return rest


def request(
    body: bytes = b"", *more: str, method: str = "POST", path: str = "/e", length: int | None = None
) -> bytes:
    """A request as a browser sends it, with further headers."""
    said = [f"{method} {path} HTTP/1.1", "Host: c.example", f"User-Agent: {BROWSER}", ORIGIN, *more]
    names = {line.partition(":")[0].lower() for line in said[1:]}
    if "content-type" not in names and method == "POST":
        said.append("Content-Type: text/plain;charset=UTF-8")
    if "transfer-encoding" not in names and (body or method in ("POST", "PUT")):
        said.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join(said).encode("latin-1") + b"\r\n\r\n" + body


def event(**more: Any) -> bytes:
    """One event that is taken."""
    return json.dumps(
        {"site": "shop", "type": "page_view", "url": "https://shop.example/a", "consent": {}} | more
    ).encode()


def chunked(body: bytes, size: int = 1000) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def ask(running: Up, data: bytes, method: str = "POST") -> Answer:
    """The answer to one request on a connection of its own."""
    with Line(running.port) as line:
        line.send(data)
        return line.answer(method)


def counts(running: Up) -> dict[str, int]:
    """`received`, `stored` and each reason of refusal, as /metrics has them."""
    found = {}
    for line in running.get("/metrics")[1].decode().splitlines():
        if said := re.fullmatch(r'throng_events_total\{outcome="(\w+)"(?:,reason="(\w+)")?\} (\d+)', line):
            found[said[2] or said[1]] = int(said[3])
    return found


def counted(running: Up, before: dict[str, int], received: int) -> dict[str, int]:
    """What was counted since, once so many have been received: refusals are counted with the next commit."""
    soon(lambda: counts(running)["received"] >= before["received"] + received)
    now = counts(running)
    return {name: n - before.get(name, 0) for name, n in now.items() if n != before.get(name, 0)}


def soon(what: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it is so."""
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.01)
