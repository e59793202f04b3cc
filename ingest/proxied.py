"""Connections that a trusted proxy passes on with a PROXY line before the first request (HAProxy, v1 and v2).

https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt. A connection from anybody else has no such line:
what it begins with is a request, and a line there is malformed.
"""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import Any, NamedTuple

from ingest.fast import EventProtocol

_FIRST = b"PROXY "
_SECOND = b"\r\n\r\n\0\r\nQUIT\n"
#: Bytes of a whole first-version line, and of what may follow the head of the second.
_LINE, _MOST = 107, 2048
#: The type of the value that tells of TLS; the first bit of its first byte: the client came over it.
_SSL = 0x20
_FAMILIES = {1: 4, 2: 16}


class Passed(NamedTuple):
    """Who connected to the proxy (None: the proxy itself, or it can't say), and the bytes that said so.
    `encrypted`: whether they did so over TLS, as version 2 can say."""

    address: str | None
    size: int
    encrypted: bool = False


def read(data: bytes) -> Passed | None:
    """The line at the beginning of a connection; None while it is not complete. Raises ValueError."""
    if data[:12] == _SECOND[: len(data)]:
        return _second(data)
    if data[:6] == _FIRST[: len(data)]:
        return _first(data)
    raise ValueError("no PROXY line")


def _first(data: bytes) -> Passed | None:
    end = data.find(b"\r\n", 0, _LINE)
    if end < 0:
        if len(data) >= _LINE:
            raise ValueError("a PROXY line without an end")
        return None
    _, family, *said = data[:end].decode("ascii").split(" ")
    if family == "UNKNOWN":
        return Passed(None, end + 2)
    if family not in ("TCP4", "TCP6") or len(said) != 4:
        raise ValueError("not a PROXY line")
    source = ip_address(said[0])
    if source.version != int(family[3]):
        raise ValueError("an address of the other family")
    return Passed(str(source), end + 2)


def _second(data: bytes) -> Passed | None:
    if len(data) < 16:
        return None
    kind, family, length = struct.unpack_from(">BBH", data, 12)
    if kind not in (0x20, 0x21) or length > _MOST:
        raise ValueError("not version 2 of the PROXY protocol")
    if len(data) < 16 + length:
        return None
    width = _FAMILIES.get(family >> 4)
    if kind == 0x20 or width is None:  # the proxy's own look at our health, or a local socket
        return Passed(None, 16 + length)
    if length < 2 * width + 4:
        raise ValueError("too short for its addresses")
    more = data[16 + 2 * width + 4 : 16 + length]
    return Passed(str(ip_address(data[16 : 16 + width])), 16 + length, _encrypted(more))


def _encrypted(more: bytes) -> bool:
    """Whether one of the type-length-values says that the client came over TLS (PP2_TYPE_SSL, section 2.2.6).
    Raises ValueError where they are cut off."""
    while more:
        if len(more) < 3 or len(more) < 3 + (length := int.from_bytes(more[1:3])):
            raise ValueError("a value that is longer than its line")
        if more[0] == _SSL and length:
            return bool(more[3] & 1)
        more = more[3 + length :]
    return False


class ProxiedProtocol(EventProtocol):
    """A connection that has its PROXY line taken off, if it is a trusted proxy's."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        self.waiting: bytes | None = b"" if self.collecting.trust.trusts(peer) else None
        if self.waiting is not None:
            self.begun = self.seen  # the line, too, must come in time

    def data_received(self, data: bytes) -> None:
        if self.waiting is None:
            super().data_received(data)
            return
        if self.transport.is_closing():
            return
        self.waiting += data
        try:
            found = read(self.waiting)
        except ValueError:
            self.send_400_response("")
            return
        if found is None:
            return
        rest, self.waiting, self.begun = self.waiting[found.size :], None, None
        if found.address is not None:
            # What the visitor's own headers say of encryption is not believed from here on.
            self.client = (found.address, 0)
            self.arrived(found.encrypted)
        if rest:
            super().data_received(rest)
