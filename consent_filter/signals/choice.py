"""The visitor's own choice, as the banner or the site sends it with the event: the most specific word.

A JSON object, purpose → true or false ("granted" and "denied" are understood too). A purpose that is not on
our list is none of our business and is passed over; an object that cannot be read denies everything, because
whoever sent it meant to say something (standards: a malformed signal is a refusal).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import msgspec

from consent_filter.purpose import ALL, BY_NAME
from consent_filter.raw import Column, Raw, column
from consent_filter.signals.said import Said, spread

_read = msgspec.json.Decoder().decode
_YES = (True, "granted")
_NO = (False, "denied")
SILENT = (0, 0)
MALFORMED = (0, int(ALL))


def bits(choice: Any) -> tuple[int, int]:
    """(grant, deny) bitmasks of a choice already decoded; `MALFORMED` if it is none."""
    if choice is None:
        return SILENT
    if not isinstance(choice, dict):
        return MALFORMED
    grant = deny = 0
    for name, word in choice.items():
        bit = BY_NAME.get(name, 0)
        if word in _YES and isinstance(word, (bool, str)):
            grant |= bit
        elif word in _NO and isinstance(word, (bool, str)):
            deny |= bit
        else:
            return MALFORMED
    return grant & ~deny, deny


@lru_cache(maxsize=4096)
def _read_bits(text: bytes) -> tuple[int, int]:
    try:
        return bits(_read(text))
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return MALFORMED


def read(text: bytes | None) -> tuple[int, int]:
    """(grant, deny) of the choice in those JSON bytes; silence for none."""
    return SILENT if text is None else _read_bits(text)


def read_all(texts: Sequence[bytes | None]) -> Column[tuple[int, int]]:
    """(grant, deny) of each text, and the few distinct ones."""
    return column([read(text) for text in texts])


def choice(raw: Raw) -> Said:
    """The choice sent with each event."""
    return spread(raw.consent.codes, [read(text) for text in raw.consent.values])
