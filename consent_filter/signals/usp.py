"""US Privacy (`usp`, "1YNN"): deprecated since 2024 and still sent. The third letter Y opts out of sale.

Version 1, notice given, opted out, under the Limited Service Provider Agreement, each Y, N or -. Opting out
of sale denies what builds on other visits or goes to others; what else it ends is for the regime to say. `N`
is no permit, and `1---` says that the law does not apply. Anything else is malformed, and so a refusal.
"""

from __future__ import annotations

from typing import Any

from consent_filter.iab.bits import Malformed
from consent_filter.iab.usp import Usp, decode
from consent_filter.purpose import Purpose
from consent_filter.signals.members import members
from consent_filter.signals.said import SILENCE, UNREADABLE, Said, Signal

#: What an opt-out of sale, of sharing or of targeting takes back (CCPA §1798.120, 11 CCR 7025).
OPTED_OUT = Said(
    0,
    int(Purpose.PERSONALISATION | Purpose.AD_PERSONALISATION | Purpose.REMARKETING | Purpose.THIRD_PARTY),
)


def understand(usp: Usp) -> Said:
    """What a US Privacy string says, once it is read."""
    return OPTED_OUT if usp.opt_out_sale == "Y" else SILENCE


def read(text: bytes | None) -> Said:
    """The US Privacy string in an event's `consent`; silence where none was sent."""
    string: Any = members(text).get("usp")
    if string is None or string == "":
        return SILENCE
    if not isinstance(string, str):
        return UNREADABLE
    try:
        return understand(decode(string))
    except Malformed:
        return UNREADABLE


#: A consent platform's string for California, from before GPP.
usp = Signal("consent", read)
