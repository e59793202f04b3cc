"""The PROXY line: whose connection a trusted proxy passes on, however its bytes are cut."""

from __future__ import annotations

import struct
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured
from ingest.proxied import Passed, read
from ingest.settings import Ingest

SIGN = b"\r\n\r\n\0\r\nQUIT\n"


def second(source: str, more: bytes = b"", kind: int = 0x21) -> bytes:
    """A line of version 2, with type-length-values behind the addresses."""
    one = ip_address(source)
    family, addresses = (0x11 if one.version == 4 else 0x21), one.packed * 2 + struct.pack(">HH", 1, 443)
    return SIGN + struct.pack(">BBH", kind, family, len(addresses) + len(more)) + addresses + more


LINES = {
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n": "192.0.2.7",
    b"PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n": "2001:db8::7",
    b"PROXY UNKNOWN\r\n": None,
    b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n": None,
    second("192.0.2.7"): "192.0.2.7",
    second("2001:db8::7", b"\x04\0\x03abc"): "2001:db8::7",
    second("192.0.2.7", kind=0x20): None,  # the proxy's look at our health
    SIGN + struct.pack(">BBH", 0x21, 0x31, 3) + b"abc": None,  # a local socket
}
WRONG = [
    b"GET / HTTP/1.1\r\n",
    b"PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
    b"PROXY TCP4 192.0.2.7\r\n",
    b"PROXY TCP4 192.0.2.7\n 1 2 3\r\n",
    b"PROXY TCP4 \xff 1 2 3\r\n",
    b"PROXY " + b"x" * 200,
    SIGN + struct.pack(">BBH", 0x31, 0x11, 12) + b"\0" * 12,
    SIGN + struct.pack(">BBH", 0x21, 0x11, 11) + b"\0" * 11,
    SIGN + struct.pack(">BBH", 0x21, 0x11, 60_000),
]


@pytest.mark.parametrize("line", LINES, ids=lambda line: repr(line[:24]))
def test_a_line_is_read_when_it_is_whole(line: bytes) -> None:
    for end in range(len(line)):
        assert read(line[:end]) is None
    assert read(line) == read(line + b"GET / HTTP/1.1\r\n") == Passed(LINES[line], len(line))


@pytest.mark.parametrize("line", WRONG, ids=lambda line: repr(line[:24]))
def test_what_is_no_such_line_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError):
        read(line)


@given(st.binary(max_size=200), st.sampled_from([b"", b"PROXY ", b"PROXY TCP4 ", SIGN, SIGN + b"\x21\x11"]))
def test_no_bytes_do_anything_else(more: bytes, first: bytes) -> None:
    try:
        found = read(first + more)
    except ValueError:
        return
    assert found is None or 0 < found.size <= len(first + more)


def test_a_line_without_proxies_to_believe_is_a_mistake() -> None:
    with pytest.raises(Misconfigured, match="trusted_proxies"):
        Ingest(proxy_protocol=True)
