"""The closed list of purposes: one bit each, never reused, never renumbered."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntFlag


class Purpose(IntFlag):
    """What an event may be used for. A row carries the purposes granted to it as a uint32 bitmask."""

    MEASUREMENT = 1 << 0
    RESEARCH = 1 << 1
    PERSONALISATION = 1 << 2
    AD_MEASUREMENT = 1 << 3
    AD_PERSONALISATION = 1 << 4
    REMARKETING = 1 << 5
    THIRD_PARTY = 1 << 6
    PRECISE_GEO = 1 << 7
    SECURITY = 1 << 8
    MARKETING_EMAIL = 1 << 9
    MARKETING_POST = 1 << 10
    MARKETING_SMS = 1 << 11
    MARKETING_PHONE = 1 << 12
    MARKETING_ACCOUNT = 1 << 13
    # What others than the site itself have to say, sent on their behalf (M67).
    AFFILIATE_EMAIL = 1 << 14
    AFFILIATE_POST = 1 << 15
    AFFILIATE_SMS = 1 << 16
    AFFILIATE_PHONE = 1 << 17
    AFFILIATE_ACCOUNT = 1 << 18
    # Being written to because a member has named one (M71).
    REFERRAL = 1 << 19
    GENDER = 1 << 20


#: The name a page, a pack or a person writes, e.g. "ad_measurement", to its bit.
BY_NAME: dict[str, Purpose] = {str(p.name).lower(): p for p in Purpose}

ALL = Purpose(sum(BY_NAME.values()))


def mask(purposes: Iterable[str]) -> int:
    """The bits of purposes by name, each of them once. Raises KeyError for what is none."""
    return sum(int(BY_NAME[purpose]) for purpose in set(purposes))


def names(mask: int) -> list[str]:
    """The purposes in a bitmask, in the order of their bits."""
    return [name for name, bit in BY_NAME.items() if mask & bit]
