"""What an event says of an advert: words that are kept, and ids that are hashed before they are written."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from consent_filter.events import ABSENT, NUMBERS


class Ad(NamedTuple):
    """`view` and `order` are ids in clear: memory only. `share` is -1 where absent. `flags`: a bit for each
    thing that speaks against a person. Sources: IAB/MRC Viewable Impression Measurement Guidelines, M31–M35.
    """

    slot: str | None = None
    creative: str | None = None
    campaign: str | None = None
    placement: str | None = None
    size: str | None = None
    frequency: str | None = None
    group: str | None = None
    goal: str | None = None
    step: str | None = None
    view: str | None = None
    order: str | None = None
    share: int = -1
    flags: int = 0

    @property
    def texts(self) -> tuple[str | None, ...]:
        """Its words, in the order of WORDS."""
        return self[:_WORDS]  # type: ignore[return-value]

    def written(self, texts: Iterable[str | None], view: str | None, order: str | None) -> Ad:
        """The same with other words and ids."""
        return Ad(*texts, view, order, self.share, self.flags)  # type: ignore[call-arg, arg-type]


_WORDS = Ad._fields.index("view")
NOTHING = Ad()
#: Members that are words, in the order of Ad, and the columns of EVENT that they become.
WORDS = Ad._fields[:_WORDS]
COLUMNS = tuple(f"ad_{name}" for name in WORDS)
#: Columns of numbers, which are empty where no advert is spoken of.
COUNTED = tuple(name for name in NUMBERS if name.startswith("ad_"))
#: They as they are laid side by side.
LAID = np.dtype([(name, NUMBERS[name]) for name in COUNTED])
_PACK = struct.Struct("<QQhIh").pack
_NO_ID = int(ABSENT["ad_view"])
#: The numbers of an event that is about no advert, as they are laid down.
BLANK = _PACK(*(int(ABSENT[name]) for name in COUNTED))


def numbers(ad: Ad, site: str, copy: Callable[[], Any], flags: int = 0, rate: int = -1) -> bytes:
    """COUNTED, laid side by side. `copy` gives a fresh keyed hash of eight bytes (the key `adverts`)."""
    return _PACK(
        hashed(copy, "view", site, ad.view), hashed(copy, "order", site, ad.order), ad.share,
        ad.flags | flags, rate,
    )  # fmt: skip


def hashed(copy: Callable[[], Any], kind: str, site: str, id: str | None) -> int:
    """The keyed hash of an id of that kind on that site; ABSENT where there is none."""
    if id is None:
        return _NO_ID
    state = copy()
    state.update(f"{kind}\0{site}\0{id}".encode("utf-8", "surrogatepass"))
    return int.from_bytes(state.digest(), "little")
