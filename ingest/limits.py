"""How much one client may send: a token bucket a keyed address, and bodies that unpack within bounds."""

from __future__ import annotations

import secrets
import time
import zlib
from collections.abc import Callable
from hashlib import blake2b

#: Buckets held at once; beyond it the fullest half is forgotten, which only ever gives a client more.
_HELD = 100_000


class Rate:
    """`rate` requests a second on average, `burst` at once. Addresses are held as hashes under a key that is
    never written anywhere; restarting forgets them all."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, float(burst), now
        self._key = secrets.token_bytes(32)
        self._left: dict[bytes, tuple[float, float]] = {}

    def allows(self, address: str) -> bool:
        """Take one token of that address; False when there is none."""
        if not self._rate:
            return True
        key = blake2b(address.encode(), key=self._key, digest_size=12).digest()
        now = self._now()
        left, at = self._left.get(key, (self._burst, now))
        left = min(left + max(now - at, 0.0) * self._rate, self._burst)
        if left < 1.0:
            self._left[key] = (left, now)
            return False
        if len(self._left) >= _HELD and key not in self._left:
            fullest = sorted(self._left, key=lambda one: self._left[one][0])[_HELD // 2 :]
            for one in fullest:
                del self._left[one]
        self._left[key] = (left - 1.0, now)
        return True


class TooLarge(Exception):
    """The body is, or would become, larger than allowed."""


class Unreadable(Exception):
    """The body is not what its encoding says."""


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """The body of a request as it was before Content-Encoding. Stops at `most` bytes, so no bomb goes off.

    Raises TooLarge, Unreadable, or KeyError for an encoding that is not understood.
    """
    if encoding in ("", "identity"):
        return body
    window = {"gzip": 31, "x-gzip": 31, "deflate": 15}[encoding]
    inflate = zlib.decompressobj(window)
    try:
        plain = inflate.decompress(body, most + 1)
    except zlib.error:
        raise Unreadable from None
    if len(plain) > most:
        raise TooLarge
    if not inflate.eof:
        raise Unreadable
    return plain


def opened(body: bytes, encoding: bytes, most: int) -> tuple[bytes, str]:
    """The body as it was, and "", or the code by which it is refused."""
    try:
        return unpack(body, encoding.strip().lower().decode("latin-1"), most), ""
    except KeyError:
        return body, "encoding"
    except TooLarge:
        return body, "too_large"
    except Unreadable:
        return body, "malformed"
