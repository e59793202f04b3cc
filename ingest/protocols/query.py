"""An event written into an address: what the pixel and the advert tags share."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec

from ingest.protocols.event import FAULTS, UNREADABLE, Event, code
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
_ADVERT: dict[bytes, str] = {b"slot": "slot", b"creative": "creative", b"campaign": "campaign"}
_JSON = ("consent", "props")
_MOST = 64
_valid = msgspec.json.Decoder(msgspec.Raw).decode


def read(query: bytes, parsing: Parsing) -> Event:
    """The event in a query. Names and types are the beacon's; s, t, u, r, i are short for the first five.

    Raises ValueError with the code as its text for what cannot be read, and what `FAULTS` lists for a value
    of a wrong type. Unknown names are ignored.
    """
    said: dict[str, Any] = {}
    advert: dict[str, Any] = {}
    parts = query.split(b"&", _MOST)
    for part in parts[:_MOST]:
        short, _, value = part.partition(b"=")
        given = _SHORT.get(short, short)
        into, known = (said, _NAMES.get(given)) if given in _NAMES else (advert, _ADVERT.get(given))
        if known is None or not value:
            continue
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
    for name in ("duration", "scroll", "value"):
        number = getattr(event, name)
        if number is not None and not isfinite(number):
            raise ValueError(name)
    if advert:
        event.ad = msgspec.Raw(msgspec.json.encode(advert))
    return event


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
