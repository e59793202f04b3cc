"""Channels of direct marketing: which purposes each stands for, and who may be written to."""

from __future__ import annotations

from collections.abc import Iterable

from consent_filter.decide import Word
from consent_filter.policy import Regime
from consent_filter.purpose import BY_NAME, Purpose

#: What a person may stop, by the name that a sender says.
CHANNELS: dict[str, int] = {
    "email": int(Purpose.MARKETING_EMAIL),
    "post": int(Purpose.MARKETING_POST),
    "sms": int(Purpose.MARKETING_SMS),
    "phone": int(Purpose.MARKETING_PHONE),
    "account": int(Purpose.MARKETING_ACCOUNT),
    "adverts": int(Purpose.AD_PERSONALISATION | Purpose.REMARKETING),
}
EVERY = sum(CHANNELS.values())


def mask(channels: Iterable[str]) -> int:
    """The purposes of some channels."""
    return sum(CHANNELS[name] for name in set(channels))


def channels(purposes: int) -> list[str]:
    """The channels that some purposes are of."""
    return [name for name, bits in CHANNELS.items() if purposes & bits]


def may(word: Word, regime: Regime, channel: str) -> tuple[bool, str]:
    """Whether somebody may be written to, and why: their word, else the policy; a refusal is never weighed.

    erased, refused, unnamed (the policy does not name it, so it is never done), agreed, default, silent.
    """
    bits = CHANNELS[channel]
    used = {int(BY_NAME[name]): use for name, use in regime.purposes.items() if bits & BY_NAME[name]}
    if word.erased:
        return False, "erased"
    if word.deny & bits:
        return False, "refused"
    if not used:
        return False, "unnamed"
    if all(word.grant & bit for bit in used):
        return True, "agreed"
    if all(word.grant & bit or use.default for bit, use in used.items()):
        return True, "default"
    return False, "silent"
