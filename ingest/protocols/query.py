"""An event written into an address: what the pixel and the advert tags share."""

from __future__ import annotations

from collections.abc import Container, Sequence
from math import isfinite
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from ingest.protocols.event import ABSENT, FAULTS, UNREADABLE, Event, code
from ingest.protocols.parsing import Parsing
from ingest.protocols.rows import Rows
from ingest.request import Answer, Request

#: A transparent 1×1 image (GIF89a), for pages that load the address as one.
IMAGE = Answer(
    200,
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\x00\x00\x00!\xf9\x04\x01\x00\x00\x00\x00,"
    b"\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;",
    b"image/gif",
)
_SHORT = {b"s": b"site", b"t": b"type", b"u": b"url", b"r": b"referrer", b"i": b"id"}
_NAMES: dict[bytes, str] = {name.encode(): name for name in Event.__struct_fields__ if name != "ad"}
#: An advert's own id is `view` here: `id` is the event's.
_ADVERT: dict[bytes, str] = {
    b"slot": "slot", b"creative": "creative", b"campaign": "campaign", b"placement": "placement",
    b"view": "id", b"order": "order", b"goal": "goal", b"frequency": "frequency", b"group": "group",
    b"step": "step", b"share": "share", b"width": "width", b"height": "height",
}  # fmt: skip
_COUNTED = ("share", "width", "height")
#: The IAB's and Google's own names for what consent platforms write into an address, and ours.
_PLATFORMS: dict[bytes, str] = {
    b"gdpr": "gdpr", b"gdpr_consent": "tcf", b"gpp": "gpp", b"gpp_sid": "gpp_sid", b"us_privacy": "usp",
    b"gcs": "gcs", b"gcd": "gcd",
}  # fmt: skip
_KNOWN = _NAMES | _ADVERT | _PLATFORMS
_JSON = ("consent", "props", "member", "referral", "geo", "declared")
_MOST = 64
_valid = msgspec.json.Decoder(msgspec.Raw).decode


def read(query: bytes, parsing: Parsing) -> Event:
    """The event in a query. Names and types are the beacon's; s, t, u, r, i are short for the first five.

    Raises ValueError with the code as its text for what cannot be read, and what `FAULTS` lists for a value
    of a wrong type. Unknown names are ignored; those of consent platforms become members of `consent`.
    """
    said: dict[str, Any] = {}
    advert: dict[str, Any] = {}
    platforms: dict[str, Any] = {}
    parts = query.split(b"&", _MOST)
    for part in parts[:_MOST]:
        short, _, value = part.partition(b"=")
        given = _SHORT.get(short, short)
        known = _KNOWN.get(given)
        if known is None or not value:
            continue
        into = said if given in _NAMES else advert if given in _ADVERT else platforms
        if known in into:
            raise ValueError("duplicate_key")
        if b"%" in value or b"+" in value:
            value = unquote_to_bytes(value.replace(b"+", b" "))
        into[known] = value if known in _JSON else value.decode()
    json = {name: said.pop(name) for name in _JSON if name in said}
    event = parsing.decoder.convert(said)
    for name, value in json.items():
        try:
            setattr(event, name, _valid(value))
        except FAULTS:
            raise ValueError(name) from None
    if platforms:
        try:
            event.consent = _with(event.consent, platforms)
        except FAULTS:
            raise ValueError("consent") from None
    for name in ("duration", "scroll", "value"):
        number = getattr(event, name)
        if number is not None and not isfinite(number):
            raise ValueError(name)
    for name in _COUNTED:
        if name in advert:
            advert[name] = _number(advert[name])
    if advert:
        event.ad = msgspec.Raw(msgspec.json.encode(advert))
    return event


def named(query: bytes, names: Container[str]) -> dict[str, str]:
    """Those names of a query that `read` knows nothing of, or that are signed as they stand there. Raises
    ValueError where one stands twice: whoever signs and whoever reads must mean the same."""
    found: dict[str, str] = {}
    for part in query.split(b"&"):
        given, _, value = part.partition(b"=")
        name = given.decode()
        if name in names:
            if name in found:
                raise ValueError("duplicate_key")
            found[name] = unquote_to_bytes(value.replace(b"+", b" ")).decode()
    return found


def _number(said: str) -> float:
    """A number of an advert. Raises ValueError with the code as its text."""
    try:
        number = float(said)
    except ValueError:
        raise ValueError("ad") from None
    if not isfinite(number):
        raise ValueError("ad")
    return number


def _with(consent: msgspec.Raw, platforms: dict[str, Any]) -> msgspec.Raw:
    """The choice, and beside it what consent platforms say; a choice that is no object refuses by itself."""
    choice = {} if consent is ABSENT else msgspec.json.decode(consent)
    if choice is not None and not isinstance(choice, dict):
        return consent
    return msgspec.Raw(msgspec.json.encode({**(choice or {}), **platforms}))


def decode(requests: Sequence[Request], parsing: Parsing, kind: str) -> Rows:
    """One row for each request. `kind` is the type of an event that does not name one."""
    rows = Rows([])
    for index, request in enumerate(requests):
        try:
            event = read(request.query, parsing)
        except UnicodeError:
            event, rows.bad[index] = UNREADABLE, "query"
        except msgspec.MsgspecError as error:
            event, rows.bad[index] = UNREADABLE, code(error)
        except ValueError as error:
            event, rows.bad[index] = UNREADABLE, str(error)
        if event.type is None and event is not UNREADABLE:
            event.type = kind
        rows.events.append(event)
    return rows
