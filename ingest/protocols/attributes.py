"""What an event says of its member, a referral, places and the other side, read strictly: known words, and
kinds of whatever else."""

# No `from __future__ import annotations`: the limits are part of the types.

import re
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from consent_filter.market import COUNTRY, Counterpart
from consent_filter.member import AGES, CHANNELS, GENDERS, KINDS, OTHER, Member, Referral, age, cell
from consent_filter.whereabouts import Declared
from ingest.protocols.event import FAULTS
from ingest.settings import Ingest

#: A code that names an invitation; anything with an @, a space or a dot may be a person.
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
#: Less exact than this (metres) says nothing that a cell could hold.
_VAGUE = 20_000.0
_Any = dict[str, Any]


class Geo(Struct, gc=False):
    """Degrees, and metres of uncertainty."""

    lat: Annotated[float, Meta(ge=-90, le=90)]
    lon: Annotated[float, Meta(ge=-180, le=180)]
    accuracy: Annotated[float, Meta(ge=0)] | None = None


class Place(Struct, gc=False):
    """A country, and a time zone by its name."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")] | None = None
    time_zone: Annotated[str, Meta(max_length=64)] | None = None


class Attributes:
    """Each takes the bytes of a JSON object; None says nothing, False is malformed. Nothing is remembered."""

    def __init__(self, limits: Ingest) -> None:
        self._most, self._longest = limits.max_props, limits.max_text
        self._geo = msgspec.json.Decoder(Geo).decode
        self._place = msgspec.json.Decoder(Place).decode
        self._object = msgspec.json.Decoder(_Any).decode

    def member(self, data: bytes) -> Member | Literal[False] | None:
        """Age by `age_ok` or `age_band`, and gender; no date (M6, M7)."""
        said = self._open(data)
        if said is None:
            return False
        fit, band, gender = said.pop("age_ok", None), said.pop("age_band", None), said.pop("gender", None)
        if (
            not (fit is None or isinstance(fit, bool))
            or not _known(band, AGES)
            or not _known(gender, GENDERS)
        ):
            return False
        old, kinds = age(fit, band), _kinds(said)
        return Member(old, gender, kinds) if old or gender or kinds else None

    def referral(self, data: bytes) -> Referral | Literal[False] | None:
        """A code and a channel; of whoever was referred, nothing (M16)."""
        said = self._open(data)
        if said is None:
            return False
        code, channel = said.pop("code", None), said.pop("channel", None)
        if not (code is None or (isinstance(code, str) and _CODE.fullmatch(code))) or not _known(
            channel, CHANNELS
        ):
            return False
        kinds = _kinds(said)
        return Referral(code, channel, kinds) if code or channel or kinds else None

    def geo(self, data: bytes) -> str | Literal[False] | None:
        """The cell of a place, at once: what was said goes no further than this line (M28)."""
        try:
            said = self._geo(data)
        except FAULTS:
            return False
        return None if said.accuracy is not None and said.accuracy > _VAGUE else cell(said.lat, said.lon)

    def counterpart(self, data: bytes) -> Counterpart | Literal[False] | None:
        """The site's id of the other person, and their country (M18); of whatever else, its kind."""
        said = self._open(data)
        if said is None:
            return False
        user, country = said.pop("user_id", None), said.pop("country", None)
        if user is not None and not _is_id(user, self._longest):
            return False
        if country is not None and not (isinstance(country, str) and COUNTRY.fullmatch(country)):
            return False
        kinds, who = _kinds(said), None if user is None or user == "" else str(user)
        return Counterpart(who, country or "ZZ", kinds) if who or country or kinds else None

    def declared(self, data: bytes) -> Declared | Literal[False] | None:
        """A country and a time zone. Neither goes further than being compared (M29)."""
        try:
            said = self._place(data)
        except FAULTS:
            return False
        return Declared(said.country, said.time_zone) if said.country or said.time_zone else None

    def _open(self, data: bytes) -> _Any | None:
        try:
            said: _Any = self._object(data)
        except FAULTS:
            return None
        return said if len(said) <= self._most else None


def _known(said: Any, words: Any) -> bool:
    return said is None or (isinstance(said, str) and said in words)


def _is_id(said: Any, longest: int) -> bool:
    """As `user_id` of the event may be."""
    if isinstance(said, str):
        return len(said) <= longest
    return isinstance(said, int) and not isinstance(said, bool) and -(2**63) <= said < 2**63


def _kinds(said: _Any) -> tuple[str, ...]:
    """Kinds of what is not kept, each once; a null is nothing."""
    return tuple(
        sorted({KINDS.get(name.lower(), OTHER) for name, value in said.items() if value is not None})
    )
