"""What a parser is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from time import time
from typing import NamedTuple

from consent_filter.advert import NOTHING, Ad
from consent_filter.advert_links import Seals
from consent_filter.campaigns import Campaigns
from consent_filter.clicks import BEGINS, Click, Clicks
from consent_filter.counts import Counts
from consent_filter.raw import Raw
from consent_filter.site import Site
from ingest.protocols.attributes import Attributes
from ingest.protocols.event import FAULTS, Decoder
from ingest.protocols.props import Props
from ingest.redaction import controls, plain
from ingest.request import Answer, Request
from ingest.settings import Ingest, Sites

#: The code of an id of a click that is none.
CLICK = "click"


class Parsing:
    """What every parser may read: the measured sites, the limits, and decoders made for those limits.

    `bounded`: events older than a retry may be are refused, which live requests are and old logs are not.
    `seals`, `clicks`: what addresses of adverts, and ids of clicks, are checked with; without them none is
    believed.
    """

    def __init__(
        self,
        sites: Sites,
        limits: Ingest,
        bounded: bool = True,
        seals: Seals | None = None,
        clicks: Clicks | None = None,
    ) -> None:
        self.sites, self.seals, self.clicks = sites, seals, clicks
        self.limits = limits
        self.bounded = bounded
        self.decoder = Decoder(limits)
        self.props = Props(limits)
        #: A site shows few adverts at a time; one with an id comes once, and is not remembered.
        self._shown = lru_cache(maxsize=4096)(self._advert)
        attributes = Attributes(limits)
        self.member = lru_cache(maxsize=4096)(attributes.member)
        self.declared = lru_cache(maxsize=4096)(attributes.declared)
        self.referral = lru_cache(maxsize=4096)(attributes.referral)
        #: A place is one of its sender alone, and so is whom they deal with: not remembered.
        self.geo = attributes.geo
        self.counterpart = attributes.counterpart
        #: Whether a site's events may not be taken here at a moment (UTC ms); None where nobody asks.
        self.barred: Callable[[Site, int], bool] | None = None
        self.campaigns = Campaigns()
        self.retry_ms = int(limits.retry_hours * 3_600_000)

    def advert(self, data: bytes) -> Ad | str | bool | None:
        """The advert in an event's `ad`; None where it says nothing, False where it is malformed, CLICK where
        it names a click that there was not."""
        return self._advert(data) if b'"id"' in data or b'"order"' in data else self._shown(data)

    def _advert(self, data: bytes) -> Ad | str | bool | None:
        try:
            ad = self.decoder.advert(data)
        except FAULTS:
            return False
        if any(part and controls(part) for part in (*ad.texts, ad.view, ad.order)):
            return False
        if ad.view and ad.view.startswith(BEGINS):
            click = self.clicks and self.clicks.read(ad.view, time())
            if not click:
                return CLICK
            ad = _landed(ad, click)
        words = [plain(part) if part else None for part in ad.texts]
        ad = ad.written(words, ad.view or None, ad.order or None)
        return None if ad == NOTHING else ad


def _landed(ad: Ad, click: Click) -> Ad:
    """What a landing page says, and what was clicked before it."""
    return ad._replace(
        view=click.view, campaign=ad.campaign or click.campaign, creative=ad.creative or click.creative,
        placement=ad.placement or click.placement, slot=ad.slot or click.slot,
    )  # fmt: skip


class Led(NamedTuple):
    """A click that is led on. told: the page that it was made on tells of it itself."""

    click: Click
    told: bool = False


class Parsed(NamedTuple):
    """`raw` holds the events that may go on (perhaps none), `answers` one for each request, in order.

    Rows of `raw` and of `rejects` together are the events received. A body that cannot be read is one event.
    `clicks`: for each row of a redirect, in order, the place of its answer, and what was clicked.
    """

    raw: Raw
    answers: list[Answer]
    rejects: Counts
    clicks: Sequence[tuple[int, Led | None]] = ()


Parser = Callable[[Sequence[Request], Parsing], Parsed]
