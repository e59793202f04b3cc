"""Finds what names a person inside a text, and puts the kind of thing in its place (M5, M9, M12)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

#: Control, format and surrogate characters: they have no place in a name, and they hide what stands there.
CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]")

_WORTH_A_LOOK = re.compile(r"[@\d]|[A-Za-z]{20}|:.*:", re.DOTALL)
#: Both sides are bounded, so that no text makes the search slow (RFC 5321 §4.5.3.1: 64 and 255).
_EMAIL = re.compile(r"[^\s/@,;<>()\"'={}]{0,64}@+[^\s/@,;<>()\"'={}]{0,255}")
_IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d)")
_IPV6 = re.compile(
    r"(?<![\w:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\d{0,3}(?:\.\d{1,3}){3})?(?![\w:])"
)
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
_DATE = re.compile(r"(?:19|20)\d\d([-./]?)(?:0[1-9]|1[0-2])(?:\1(?:0[1-9]|[12]\d|3[01]))?")
#: Digits as people group them. What it is depends on how many there are: see `_digits`.
_DIGITS = re.compile(r"(?<![0-9A-Za-z])(?:\+ ?|\()?\d(?:[ ()./\-]{0,2}\d){5,40}(?![0-9A-Za-z])")
_RUN = re.compile(r"[0-9A-Za-z]{12,}")
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])|[A-Z](?=[A-Z][a-z])")
_HEX = re.compile(r"(?=.*\d)(?:[0-9a-f]{16,}|[0-9A-F]{16,})")


def controls(text: str) -> bool:
    """Whether the text holds a control character, an invisible one, or half a surrogate pair."""
    return CONTROLS.search(text) is not None


def redact(text: str) -> tuple[str, int]:
    """The text with e-mail and network addresses, telephone and card numbers and tokens replaced; how many.

    What stands in their place, e.g. `{email}`, is never replaced again. Dates stay. What has been redacted
    has nothing more to redact: an address that a token followed is seen once the token is gone, and goes, too
    (found by fuzzing).
    """
    found = 0
    while _WORTH_A_LOOK.search(text) is not None:
        text, more = _round(text)
        found += more
        if not more:
            break
    return text, found


def _round(text: str) -> tuple[str, int]:
    """The same, once; how many."""
    found = 0

    def replace(pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> None:
        nonlocal text, found

        def one(match: re.Match[str]) -> str:
            nonlocal found
            instead = by(match)
            found += instead != match[0]
            return instead

        text = pattern.sub(one, text)

    if "@" in text:
        replace(_EMAIL, lambda match: "{email}")
    if ":" in text:
        replace(_IPV6, lambda match: "{address}" if _many_groups(match[0]) else match[0])
    replace(_UUID, lambda match: "{uuid}")
    replace(_RUN, lambda match: "{token}" if token(match[0]) else match[0])
    replace(_IPV4, lambda match: "{address}")
    replace(_DIGITS, lambda match: _digits(match[0]))
    return text, found


@lru_cache(maxsize=8192)
def plain(text: str) -> str:
    """The text without what names a person. Remembered, because names and tags come again and again."""
    return redact(text)[0]


def token(run: str) -> bool:
    """Whether an unbroken run of letters and digits looks drawn by lot rather than written: a key, a session.

    Written words change seldom between small letters, capitals and digits, and end.
    """
    if len(run) < 12 or run.isdecimal():
        return False
    if len(run) >= 40 or _HEX.fullmatch(run):
        return True
    return len(_CHANGE.findall(run)) >= (4 if len(run) >= 20 else 5)


def card(digits: str) -> bool:
    """Whether these may be a payment card's number: its length, its issuer's first digit, its check digit."""
    return 13 <= len(digits) <= 19 and digits[0] in "23456" and digits.isdecimal() and luhn(digits)


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (1 + place % 2)
        total += number - 9 * (number > 9)
    return total % 10 == 0


def _digits(said: str) -> str:
    """A card number if it checks (M9), a date as it is, else a telephone number or a long number."""
    digits = "".join(filter(str.isdigit, said))
    if card(digits):
        return "{card}"
    if _DATE.fullmatch(said):
        return said
    if said[0] in "+(" or digits != said or digits[0] == "0":
        return "{phone}" if 7 <= len(digits) <= 15 else "{number}" if len(digits) > 15 else said
    return "{number}" if len(digits) >= 9 else said


def _many_groups(said: str) -> bool:
    """An IPv6 address, and not a time of day or `a::b` of a program."""
    return said.count(":") >= 4 or ("::" in said and len(said) > 2)
