"""Google's consent mode, version 2, as its tags send it: `gcs=G1<ads><analytics>`, `gcd=1<d>l<d>l<d>l<d>l5`.

| purpose | granted when |
|---|---|
| measurement, research | `analytics_storage` |
| ad_measurement | `ad_storage` and `ad_user_data` |
| ad_personalisation, remarketing | both, and `ad_personalization` |
| third_party | never; denied when `ad_user_data` is |

The letters of `gcd` are known from practice, Google documents none: t, r, n, v stand for granted; p, q, m, u
for denied; l for never set, which is not granted. Any other letter denies, and so does what `gcs` says no to.
A hit is sent although everything is denied, so the collector and not the page decides what becomes of it.
"""

from __future__ import annotations

import re
from functools import lru_cache

from consent_filter.purpose import Purpose
from consent_filter.signals.members import members
from consent_filter.signals.said import SILENCE, UNREADABLE, Said, Signal

_GCS = re.compile(r"G1([01-])([01-])")
#: The version, then a letter before each mark, in Google's order; what comes behind them says nothing of it.
_GCD = re.compile(r"1[0-9]([a-zA-Z])[0-9]([a-zA-Z])[0-9]([a-zA-Z])[0-9]([a-zA-Z])[0-9][0-9a-zA-Z]{0,8}")
_GRANTED = frozenset("trnv")
_VISITS = int(Purpose.MEASUREMENT | Purpose.RESEARCH)
_ADVERTS = int(Purpose.AD_MEASUREMENT)
_TARGETING = int(Purpose.AD_PERSONALISATION | Purpose.REMARKETING)
_PASSED_ON = int(Purpose.THIRD_PARTY)


@lru_cache(maxsize=1024)
def understand(gcs: str | None, gcd: str | None) -> Said:
    """What the two say together; either may be absent (None or ""), and what cannot be read denies."""
    grant = deny = 0
    if gcs:
        found = _GCS.fullmatch(gcs)
        if found is None:
            return UNREADABLE
        ads, analytics = (letter == "1" for letter in found.groups())
        # It is older than the other two signals: of what they rule it can only deny.
        grant = _VISITS * analytics | _ADVERTS * ads
        deny = _VISITS * (not analytics) | (_ADVERTS | _TARGETING) * (not ads)
    if gcd:
        found = _GCD.fullmatch(gcd)
        if found is None:
            return UNREADABLE
        ads, analytics, data, targeting = (letter in _GRANTED for letter in found.groups())
        more = _VISITS * analytics | _ADVERTS * (ads and data) | _TARGETING * (ads and data and targeting)
        grant |= more
        deny |= (_VISITS | _ADVERTS | _TARGETING) & ~more | _PASSED_ON * (not data)
    return Said(grant & ~deny, deny)


def read(text: bytes | None) -> Said:
    """The consent mode in an event's `consent`; silence where none was sent."""
    found = members(text)
    if "gcs" not in found and "gcd" not in found:
        return SILENCE
    values = found.get("gcs"), found.get("gcd")
    if not all(value is None or isinstance(value, str) for value in values):
        return UNREADABLE
    return understand(*values)


#: What Google's tag on the page was told.
consent_mode = Signal("consent", read)
