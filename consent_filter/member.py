"""What an event may say of its member, of who sent them, and of where they are: closed lists, and no more.

A date of birth, a name or an address is not a value that is checked and thrown away: there is no member of
these names, whatever stands there is dropped in memory, and the count says only which kind it was.
"""

from __future__ import annotations

from typing import NamedTuple

from consent_filter.purpose import Purpose

#: Bands of age as a site may send them (M6), with the youngest and the oldest age in each; "ok" and "under"
#: are what `age_ok` says: of the site's own age, or not.
AGES: dict[str, tuple[int, int]] = {
    "under_13": (0, 12), "13-15": (13, 15), "16-17": (16, 17), "18-24": (18, 24), "25-34": (25, 34),
    "35-44": (35, 44), "45-54": (45, 54), "55-64": (55, 64), "65+": (65, 130),
}  # fmt: skip
OK, UNDER = "ok", "under"
#: Gender (M7), in the words of the form.
GENDERS = frozenset(("female", "male", "other"))
#: How a member came to hear of the site from another (M16).
CHANNELS = frozenset(("link", "email", "social", "message", "code", "other"))
#: What nothing is kept of, by the names that sites have for it, and the name that the count has for it.
KINDS: dict[str, str] = {
    **dict.fromkeys(
        ("birth_date", "birthdate", "birthday", "date_of_birth", "dob", "born", "age"), "birth_date"
    ),
    **dict.fromkeys(("email", "mail", "phone", "telephone", "address", "contact"), "contact"),
    **dict.fromkeys(("name", "first_name", "last_name", "full_name", "username"), "name"),
}
OTHER = "other"
#: Every kind of a field that is removed from an event that is stored; a count names no other.
REMOVED = frozenset((*KINDS.values(), OTHER, "gender", "geo", "counterpart"))


#: What a pack makes of an age: old enough, not, or nobody knows.
ADULT, MINOR, UNKNOWN = "adult", "minor", "unknown"


def age(fit: object, band: object) -> str | None:
    """What `age_ok` and `age_band` say together: that somebody is too young binds."""
    known = band if isinstance(band, str) and band in AGES else None
    return UNDER if fit is False else known or (OK if fit is True else None)


def standing(age: str | None, minimum: int) -> str:
    """ADULT, MINOR or UNKNOWN. A band that reaches below the minimum is no proof of age."""
    if age is None:
        return UNKNOWN
    if age in (OK, UNDER):
        return ADULT if age == OK else MINOR
    youngest, oldest = AGES[age]
    return ADULT if youngest >= minimum else MINOR if oldest < minimum else UNKNOWN


class Member(NamedTuple):
    """`age`: one of AGES, OK or UNDER. `removed`: kinds of what was sent besides, and dropped."""

    age: str | None
    gender: str | None
    removed: tuple[str, ...] = ()


class Referral(NamedTuple):
    """A code, and one of CHANNELS."""

    code: str | None
    channel: str | None
    removed: tuple[str, ...] = ()


def removed(
    granted: int,
    member: Member | None,
    referral: Referral | None,
    cell: bool,
    counterpart: tuple[str, ...] = (),
) -> tuple[str, ...]:
    """Kinds of fields that an event had, and that are not stored with it (M28: refused, and counted).
    `counterpart`: those of its other side (`counterpart.lost`)."""
    found = list(counterpart)
    if member is not None:
        found += member.removed
        if member.gender is not None and not granted & Purpose.GENDER:
            found.append("gender")
    if referral is not None:
        found += referral.removed
    if cell and not granted & Purpose.PRECISE_GEO:
        found.append("geo")
    return tuple(found)


_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
#: Beyond the polar circles meridians are near each other: one letter less.
_POLAR = 66.5


def cell(lat: float, lon: float) -> str:
    """The geohash of a place (degrees), cut to four letters: 20 by 39 km at the equator, 20 by 16 km at the
    polar circle, one letter less beyond it. So it is never a "precise geolocation", which is one within
    1,850 feet of the person (Cal. Civ. Code § 1798.140(w)) or 500 metres (IAB TCF, special feature 1)."""
    ranges, value, bits, text = [[-90.0, 90.0], [-180.0, 180.0]], 0, 0, ""
    letters = 4 if abs(lat) < _POLAR else 3
    while len(text) < letters:
        ends = ranges[1 - bits % 2 if len(text) % 2 == 0 else bits % 2]
        place = lat if ends is ranges[0] else lon
        middle = (ends[0] + ends[1]) / 2
        above = place >= middle
        ends[0 if above else 1] = middle
        value, bits = value << 1 | above, bits + 1
        if bits == 5:
            text, value, bits = text + _LETTERS[value], 0, 0
    return text
