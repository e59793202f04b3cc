"""Channels of direct marketing: which purposes each stands for, and who may be written to.

The site's own material and that of its affiliates are apart (M67): each has five channels, and whoever stops
one is still asked about the other. Whom a member has named is a channel too: they may stop being invited
without an account, by their address alone (M71), of which the ledger has a keyed hash.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from consent_filter.decide import Word
from consent_filter.errors import Refused
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
    "affiliate_email": int(Purpose.AFFILIATE_EMAIL),
    "affiliate_post": int(Purpose.AFFILIATE_POST),
    "affiliate_sms": int(Purpose.AFFILIATE_SMS),
    "affiliate_phone": int(Purpose.AFFILIATE_PHONE),
    "affiliate_account": int(Purpose.AFFILIATE_ACCOUNT),
    "referral": int(Purpose.REFERRAL),
}
EVERY = sum(CHANNELS.values())
#: The ways in which both the site and its affiliates may write.
WAYS = ("email", "post", "sms", "phone", "account")
#: The type of the event that somebody was written to or called, as its sender says (M74).
CONTACT = "ad_contact"


def mask(channels: Iterable[str]) -> int:
    """The purposes of some channels."""
    return sum(CHANNELS[name] for name in set(channels))


def channels(purposes: int) -> list[str]:
    """The channels that some purposes are of."""
    return [name for name, bits in CHANNELS.items() if purposes & bits]


def with_affiliates(purposes: int) -> int:
    """The same channels for affiliates besides: what was refused before the two were told apart."""
    return purposes | sum(CHANNELS[f"affiliate_{way}"] for way in WAYS if purposes & CHANNELS[way])


_BLANK = re.compile(r"[\s().\u00ad/-]+")
_PHONE = re.compile(r"\+?\d{4,20}", re.ASCII)
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,190}")


def contact(text: str) -> str:
    """An e-mail address or a telephone number in the one form that it is hashed in.

    Letters small, composed alike (NFKC); of a number only digits and the + before them. Two ways to write
    one address would otherwise be two people, and the refusal of one would not stop the other. Raises
    Refused, which does not repeat it.
    """
    plain = unicodedata.normalize("NFKC", text).strip()
    if "@" in plain:
        if _EMAIL.fullmatch(plain):
            return plain.casefold()
    elif _PHONE.fullmatch(number := _BLANK.sub("", plain)):
        return "+" + number[2:] if number.startswith("00") else number
    raise Refused(400, "contact", "a contact is an e-mail address or a telephone number")


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
