"""One event as a sender writes it: the names, the types and the limits, checked while decoding."""

# No `from __future__ import annotations`: the limits are part of the types, made when the settings are known.

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from consent_filter.advert import Ad
from consent_filter.sizes import size
from consent_filter.suspicion import DRIVEN, Suspicion
from ingest.settings import Ingest

#: The closed list of event types.
TYPES = frozenset((
    "page_view", "click", "event", "engagement", "vital", "error", "ad_request", "ad_served", "ad_impression",
    "ad_viewable", "ad_engagement", "ad_video", "ad_click", "ad_landing", "ad_conversion", "ad_refund",
))  # fmt: skip
DAY_MS = 86_400_000
#: What an object (`consent`, `props`, …) is when it was not sent: always this very object.
ABSENT = Raw()


class Event(Struct, gc=False):
    """An event of the beacon, the pixel or an advert tag. Unknown names are ignored; absent is None.

    What is an object stays undecoded: a site sends few distinct ones, and each is worked on once.
    `title` is accepted because trackers send it, and goes no further (M5).
    """

    site: str | None = None
    type: str | None = None
    url: str | None = None
    id: str | int | None = None
    time: int | float | str | None = None
    referrer: str | None = None
    title: str | None = None
    name: str | None = None
    user_id: str | int | None = None
    device_id: str | int | None = None
    consent: Raw = ABSENT
    props: Raw = ABSENT
    ad: Raw = ABSENT
    member: Raw = ABSENT
    referral: Raw = ABSENT
    geo: Raw = ABSENT
    counterpart: Raw = ABSENT
    declared: Raw = ABSENT
    duration: float | None = None
    scroll: float | None = None
    value: float | None = None


#: Stands for an event that could not be decoded.
UNREADABLE = Event()

_PLACE = re.compile(r"(?:at `\$(?:\[[^]]*\])?\.|missing required field `)(\w+)")


def code(error: Exception) -> str:
    """The code of `ingest.rejects` for what a decoder raised. Reads the place, never the value."""
    if not isinstance(error, msgspec.ValidationError):
        return "malformed"
    found = _PLACE.search(str(error))
    if found is None:
        return "not_an_object"
    return found[1] if found[1] in Event.__struct_fields__ else "malformed"


class Decoder:
    """Decoders for the limits in the settings. They raise what `FAULTS` lists, on any bytes."""

    def __init__(self, limits: Ingest) -> None:
        text = Annotated[str, Meta(max_length=limits.max_text)]
        address = Annotated[str, Meta(max_length=limits.max_url)]
        # Ids of 64 bits are what databases count; more is not a number of anything.
        number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

        class Limited(Event, gc=False):
            site: Annotated[str, Meta(max_length=64)] | None = None
            type: Annotated[str, Meta(max_length=64)] | None = None
            url: address | None = None
            id: text | number | None = None
            time: Annotated[float, Meta(ge=0, le=2**53)] | Annotated[str, Meta(max_length=40)] | None = None
            referrer: address | None = None
            name: text | None = None
            user_id: text | number | None = None
            device_id: text | number | None = None
            duration: Annotated[float, Meta(ge=0, le=DAY_MS)] | None = None
            scroll: Annotated[float, Meta(ge=0, le=100)] | None = None

        class Batch(Struct, gc=False):
            events: list[Limited]

        class Unread(Struct, gc=False):
            events: list[Raw]

        class Advert(Struct, gc=False):
            slot: text | None = None
            creative: text | None = None
            campaign: text | None = None
            placement: text | None = None
            id: text | number | None = None
            order: text | number | None = None
            goal: text | None = None
            frequency: Literal["1", "2", "3", "4-6", "7+"] | None = None
            group: Literal["exposed", "holdout"] | None = None
            step: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}\Z")] | None = None
            share: Annotated[float, Meta(ge=0, le=100)] | None = None
            width: Annotated[float, Meta(ge=0, le=20_000)] | None = None
            height: Annotated[float, Meta(ge=0, le=20_000)] | None = None

        self.one: Callable[[bytes], Event] = msgspec.json.Decoder(Limited).decode
        self.list: Callable[[bytes], Sequence[Event]] = msgspec.json.Decoder(list[Limited]).decode
        self._batch = msgspec.json.Decoder(Batch).decode
        self._items = msgspec.json.Decoder(list[Raw]).decode
        self._unread = msgspec.json.Decoder(Unread).decode
        self._advert = msgspec.json.Decoder(Advert).decode
        self._limited: type[Event] = Limited

    def many(self, body: bytes) -> list[Event | Exception]:
        """The events of `[…]` or `{"events": […]}`; an element that is wrong is what it raised."""
        bare = body.lstrip()[:1] == b"["
        try:
            return list(self.list(body) if bare else self._batch(body).events)
        except msgspec.ValidationError:
            items = self._items(body) if bare else self._unread(body).events
        return [self._element(bytes(item)) for item in items]

    def _element(self, item: bytes) -> Event | Exception:
        try:
            return self.one(item)
        except FAULTS as error:
            return error

    def convert(self, named: dict[str, Any]) -> Event:
        """The event that names and texts of a query make, under the same limits."""
        return msgspec.convert(named, self._limited, strict=False)

    def advert(self, data: bytes) -> Ad:
        """The advert in an event's `ad`."""
        said = self._advert(data)
        return Ad(
            said.slot,
            said.creative,
            said.campaign,
            said.placement,
            None if said.width is None or said.height is None else size(said.width, said.height),
            said.frequency,
            said.group,
            said.goal,
            said.step,
            None if said.id is None else str(said.id),
            None if said.order is None else str(said.order),
            -1 if said.share is None else int(said.share),
            int(Suspicion.AUTOMATION) if said.step == DRIVEN else 0,
        )


#: What decoding raises on bad bytes. (Bad UTF-8 is not msgspec's own error, nor is depth.)
FAULTS = (msgspec.MsgspecError, UnicodeError, RecursionError)
