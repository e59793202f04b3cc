"""The members of an event's `consent` object: a visitor's own choice, and the strings of consent platforms.

One object, because whoever asks for consent has all of it in one place, and sends it along with each event.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec

_read = msgspec.json.Decoder().decode
#: What is not a purpose, and which signal reads it: TCF (`gdpr`, `tcf`), GPP, US Privacy, Google's.
STRINGS = frozenset({"gdpr", "tcf", "gpp", "gpp_sid", "usp", "gcs", "gcd"})
_NOTHING: dict[str, Any] = {}
#: Stands for bytes that are no JSON.
UNREADABLE = object()


@lru_cache(maxsize=4096)
def parsed(text: bytes) -> Any:
    """What those JSON bytes hold; UNREADABLE where they are no JSON."""
    try:
        return _read(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return UNREADABLE


def members(text: bytes | None) -> dict[str, Any]:
    """The members of the object, none where there is no object: the choice says what to think of that."""
    found = None if text is None else parsed(text)
    return found if isinstance(found, dict) else _NOTHING


def macro(value: Any) -> bool:
    """Whether a page's macro was sent as it stands, e.g. `${GDPR_CONSENT_7}`: nobody has filled it in."""
    return isinstance(value, str) and "${" in value
