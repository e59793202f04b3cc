"""IAB TCF 2: the TC string of a consent platform (`tcf`), and whether it says that EU law applies (`gdpr`).

| purpose | granted when the string permits | |
|---|---|---|
| measurement | 1 and 8 | storage, content performance |
| research | 1 and 9 | audience statistics |
| personalisation | 1, 5 and 6 | content profiles and their use |
| ad_measurement | 1 and 7 | advertising performance |
| ad_personalisation | 1, 2, 3 and 4 | advertising, profiles and their use |
| remarketing | 1, 3 and 4 | |
| precise_geo | 1 and special feature 1 | |
| third_party | never: a string speaks to vendors one by one | denied without 1 |

What is not granted is denied. By agreement, or, but for 1 and 3 to 6, by a legitimate interest that the
visitor has left alone. A site that measures itself is no vendor: the publisher's segment speaks, and where
there is none nothing is permitted; an operator on the IAB's list names its number in the pack (`tcf_vendor`).
What is malformed, too old, too new, not service-specific, without disclosed vendors (TCF 2.3) or a macro that
nobody has filled in is a denial (standards 1.1, 1.9).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from consent_filter.iab.bits import LONGEST, Malformed
from consent_filter.iab.permission import Basis, invalid, permits, permits_vendor
from consent_filter.iab.tcf import Tcf, decode
from consent_filter.purpose import Purpose
from consent_filter.signals.members import macro, members
from consent_filter.signals.said import SILENCE, UNREADABLE, Said, Signal

_NEEDS: dict[Purpose, tuple[int, ...]] = {
    Purpose.MEASUREMENT: (1, 8),
    Purpose.RESEARCH: (1, 9),
    Purpose.PERSONALISATION: (1, 5, 6),
    Purpose.AD_MEASUREMENT: (1, 7),
    Purpose.AD_PERSONALISATION: (1, 2, 3, 4),
    Purpose.REMARKETING: (1, 3, 4),
    Purpose.PRECISE_GEO: (1,),
}
_ALL = int(sum(_NEEDS))
_PLACE = 1
_BASES: tuple[Basis, ...] = ("consent", "interest")


@lru_cache(maxsize=4096)
def understand(text: str, vendor: int = 0) -> Said:
    """What a TC string says to the publisher (0) or to a vendor, by its number on the IAB's list."""
    try:
        tcf = decode(text)
    except Malformed:
        return UNREADABLE
    if invalid(tcf) is not None:
        return UNREADABLE
    may = frozenset(purpose for purpose in range(1, 12) if _permitted(tcf, purpose, vendor))
    grant = sum(int(bit) for bit, needs in _NEEDS.items() if may.issuperset(needs))
    if _PLACE not in tcf.special_feature_optins:
        grant &= ~int(Purpose.PRECISE_GEO)
    passing = 0 if 1 in may else int(Purpose.THIRD_PARTY)
    return Said(grant, _ALL & ~grant | passing, tcf=text)


def to_vendor(said: Said, vendor: int) -> Said:
    """What was understood of a TC string as it speaks to that vendor instead of the publisher."""
    understood = understand(said.tcf, vendor)
    return said._replace(grant=understood.grant & ~said.besides, deny=understood.deny | said.besides)


def _permitted(tcf: Tcf, purpose: int, vendor: int) -> bool:
    if vendor:
        # What it declared is in a list that nobody has here, so a restriction to one basis takes the other.
        return any(permits_vendor(tcf, vendor, purpose, basis, flexible=True) for basis in _BASES)
    return any(permits(tcf, purpose, basis) for basis in _BASES)


def read(text: bytes | None) -> Said:
    """The TC string in an event's `consent`; silence where none was sent."""
    found = members(text)
    if "tcf" not in found and "gdpr" not in found:
        return SILENCE
    string, applies = found.get("tcf"), found.get("gdpr")
    regulated = macro(string) or macro(applies) or _yes(applies)
    return hear(string)._replace(regulated=regulated)


def hear(string: Any) -> Said:
    """A TC string wherever it came from; absent (None or "") is silence."""
    if string is None or string == "":
        return SILENCE
    # What is remembered is bounded: in number, and so in length.
    if not isinstance(string, str) or len(string) > LONGEST:
        return UNREADABLE
    return understand(string)


def _yes(applies: Any) -> bool:
    return bool(applies == 1 or applies == "1")


#: A consent platform's string, made of what the visitor told its banner.
tcf = Signal("consent", read)
