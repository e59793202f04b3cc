"""Which advert's event and which campaign a count names, so that refusals of adverts can be told apart (M44).

A name in a count is written even where its event is refused, and anybody can send one: so it must look like
an id of a catalogue, and there are only so many of a day. What is beyond is counted under one name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any

from consent_filter.advert import Ad
from consent_filter.raw import Column, Raw, pair

#: (type of event, campaign) of what is about no advert.
NONE = "", ""
#: A campaign that is not named: of another shape, or one too many.
OTHER = "(other)"
#: Campaigns beside those of the catalogue that a process names until it forgets them.
MOST = 1000
_KEPT = 86_400.0
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def counted(type: str, campaign: str | None) -> tuple[tuple[str, str], ...]:
    """As what a stored event may have been counted, the likeliest first."""
    if not type.startswith("ad_"):
        return (NONE,)
    return (type, campaign or ""), (type, OTHER), NONE


class Campaigns:
    """`known`: those that are always named. One thread at a time."""

    def __init__(
        self, known: Iterable[str] = (), most: int = MOST, now: Callable[[], float] = monotonic
    ) -> None:
        self._known, self._most, self._now = frozenset(known), most, now
        self._met: set[str] = set()
        self._since = now()

    def counted(self, type: str, campaign: str | None) -> tuple[str, str]:
        """What an event of that type and campaign counts as; NONE where it is no advert's."""
        return (type, self._named(campaign)) if type.startswith("ad_") else NONE

    def column(self, raw: Raw) -> Column[tuple[str, str]] | None:
        """The same of each row of a batch; None where no row is about an advert."""
        if not any(type.startswith("ad_") for type in raw.type.values):
            return None
        found: Column[tuple[str, str]] = pair(raw.type, raw.ad).few(self._of)
        return found

    def _of(self, both: tuple[str, Any]) -> tuple[str, str]:
        type, ad = both
        return self.counted(type, ad.campaign if isinstance(ad, Ad) else None)

    def _named(self, campaign: str | None) -> str:
        if campaign is None:
            return ""
        if campaign in self._known or campaign in self._met:
            return campaign
        if self._now() - self._since > _KEPT:
            self._met.clear()
            self._since = self._now()
        if len(self._met) >= self._most or _ID.fullmatch(campaign) is None:
            return OTHER
        self._met.add(campaign)
        return campaign
