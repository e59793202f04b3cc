"""Ids of clicks that a landing page sends back: sealed, so that they say nothing to whoever reads an address.

An id holds which view of which advert was clicked, and when. Only for a visitor who allows advert measurement
is one made (M95), and it is over after a day: later nobody has come by that click.
"""

from __future__ import annotations

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from msgspec import Struct
from msgspec.structs import replace

from consent_filter.pseudonym import Keyring
from consent_filter.signing import to_bytes, to_text

#: How every one begins, and what it is called in the address of a landing page.
BEGINS, NAME = "c1.", "th_click"
#: Seconds from the click until its id says nothing any more.
LASTS = 86_400
#: Characters of the longest: what an event may say as an advert's id by default (`ingest.max_text`).
LONGEST = 256
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
        """The id of a click at that moment (seconds since 1970). Where names are so long that it would be too
        long to be sent back, those go that the view, or the campaign, says anyway."""
        for name in ("", "slot", "placement", "creative", "view", "campaign"):
            click = replace(click, **{name: None}) if name else click
            said = msgspec.msgpack.encode(_Sealed(int(now) + LASTS, click))
            made = BEGINS + to_text(self._seal.encrypt(said, [_HEAD]))
            if len(made) <= LONGEST:
                break
        return made

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
