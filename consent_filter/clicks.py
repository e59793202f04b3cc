"""Ids of clicks that a landing page sends back: sealed, so that they say nothing to whoever reads an address.

An id holds which view of which advert was clicked, and when. Only for a visitor who allows advert measurement
is one made (M95), and it is over after a day: later nobody has come by that click.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from msgspec import Struct

from consent_filter.pseudonym import Keyring
from consent_filter.signing import to_bytes, to_text

#: How every one begins, and what it is called in the address of a landing page.
BEGINS, NAME = "c1.", "th_click"
#: Seconds from the click until its id says nothing any more.
LASTS = 86_400
#: Characters of the longest.
LONGEST = 1024
_HEAD = b"click id 1"


class Click(Struct, frozen=True, array_like=True):
    """What was clicked. view: the view's own id, in clear; memory only, and inside the seal."""

    view: str | None = None
    campaign: str | None = None
    creative: str | None = None
    placement: str | None = None
    slot: str | None = None


class _Sealed(Struct, frozen=True, array_like=True):
    until: int
    click: Click


class Clicks:
    """Makes the ids of one data folder, and reads them. `key`: 64 bytes."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESSIV(key)

    @classmethod
    def of(cls, keys: Keyring) -> Clicks:
        """Those of a data folder."""
        return cls(keys.derived("ledger", b"click ids, authenticity") + keys.derived("ledger", b"click ids"))

    def make(self, click: Click, now: float) -> str:
        """The id of a click at that moment (seconds since 1970)."""
        said = msgspec.msgpack.encode(_Sealed(int(now) + LASTS, click))
        return BEGINS + to_text(self._seal.encrypt(said, [_HEAD]))

    def read(self, id: str, now: float) -> Click | None:
        """What was clicked; None where the id is over, was altered, or was not made here."""
        if not id.startswith(BEGINS) or len(id) > LONGEST:
            return None
        try:
            found = msgspec.msgpack.decode(
                self._seal.decrypt(to_bytes(id.removeprefix(BEGINS)), [_HEAD]), type=_Sealed
            )
        except (ValueError, InvalidTag):
            return None
        return found.click if now <= found.until else None
