"""The visitor's own choice, as the banner or the site sends it with the event: the most specific word.

A JSON object, purpose → true or false ("granted" and "denied" are understood too). A purpose that is not on
our list is none of our business and is passed over; an object that cannot be read denies everything, because
whoever sent it meant to say something. The strings of consent platforms may stand in the same object
(`members.py`); they are other signals.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from consent_filter.purpose import BY_NAME
from consent_filter.signals import members
from consent_filter.signals.said import SILENCE, UNREADABLE, Said, Signal

#: Plain numbers: arithmetic on enumerated flags is ten times slower, and would spread through the filter.
_BITS = {name: int(bit) for name, bit in BY_NAME.items()}
_MEANS = {True: True, False: False, "granted": True, "denied": False}


def understand(choice: Any) -> Said:
    """A choice already decoded from JSON. `{}` and null say nothing."""
    if choice is None:
        return SILENCE
    if not isinstance(choice, dict):
        return UNREADABLE
    grant = deny = 0
    for name, word in choice.items():
        if name in members.STRINGS:
            continue
        means = _MEANS.get(word) if isinstance(word, bool | str) else None
        if means is None:
            return UNREADABLE
        if means:
            grant |= _BITS.get(name, 0)
        else:
            deny |= _BITS.get(name, 0)
    return Said(grant, deny)


@lru_cache(maxsize=4096)
def _read_once(text: bytes) -> Said:
    found = members.parsed(text)
    return UNREADABLE if found is members.UNREADABLE else understand(found)


def read(text: bytes | None) -> Said:
    """The choice in those JSON bytes; silence where none was sent."""
    return SILENCE if text is None else _read_once(text)


#: The choice sent with each event. It binds that event; a lasting one is put into the ledger.
choice = Signal("consent", read)
