"""A parser with a fault in it, which fuzzing must find: else that it finds nothing would mean nothing."""

from __future__ import annotations

from tests.fuzz.targets import Thrown


def told(data: bytes) -> bytes:
    """Takes a head, a length and as many bytes; believes the length."""
    if data[:2] != b"T\x01":
        raise ValueError("not one of ours")
    length = data[2]
    body = data[3 : 3 + length]
    return bytes([body[length - 1]])


TARGETS = {
    "told": Thrown(lambda: told, lambda: [b"T\x01\x01a", b"U"], (ValueError,)),
}
