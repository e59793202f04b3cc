"""A measured site: its name, its clock, its policy pack, and what it allows to be collected."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.errors import Misconfigured
from consent_filter.experiment import Experiment
from consent_filter.market import WORD
from consent_filter.member import KINDS
from consent_filter.regions import region

#: Characters of a name and an address, and of a name.
_CONTROLLER, _ALIAS = 500, 64


def alias(name: str) -> str:
    """A name as it is compared: neither letter case nor spaces tell two apart."""
    return " ".join(name.split()).casefold()


class Earlier(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A policy pack that was in force before. since: from which day on, else the pack's own date; the oldest
    needs none."""

    pack: str
    since: date | None = None


class Site(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[site]]` table of the settings file.

    id: how events name it. aliases: other names that requests and commands may call it by (M4). controller:
    who answers for it (GDPR Art. 4(7)), name and address, as receipts say it. origins: where
    its pages live, e.g. "https://market.example"; empty allows any.
    timezone: IANA name; days and hours in reports are this zone's. pack: a policy pack that ships, or a path
    to one. region: where its rows are at home, an ISO 3166 code or "EU"; without it, where the data folder
    is; what goes to another region needs a mechanism of the pack ([[transfers]]). since: the day from which
    the pack is in force here, e.g. 2026-12-01; without it the pack's own date. It may be in the future.
    earlier: packs that were in force before, e.g. [{ pack = "worktasker-2014" }]; an event is judged by the
    pack of its day. paths: templates such as "/u/{user}", tried in order. props:
    custom-event property names that may be stored; nothing else is. events: custom-event names that may be
    stored; empty allows any. categories: what tasks of a marketplace may be said to be about, small words
    such as "web"; any other is dropped. query: query parameters to keep besides campaign tags. experiments:
    what variants of the site there are (docs/experiments.md).
    """

    id: str
    aliases: tuple[str, ...] = ()
    controller: str = ""
    origins: tuple[str, ...] = ()
    timezone: str = "UTC"
    pack: str = "workallies-2024"
    region: str = ""
    since: date | None = None
    earlier: tuple[Earlier, ...] = ()
    paths: tuple[str, ...] = ()
    props: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ()

    @property
    def packs(self) -> tuple[str, ...]:
        """Every pack that is or was in force, its own first."""
        return (self.pack, *(one.pack for one in self.earlier))

    def __post_init__(self) -> None:
        if len(self.controller) > _CONTROLLER:
            raise Misconfigured("site.controller", self.controller, f"at most {_CONTROLLER} characters")
        region("site.region", self.region)
        for name in self.aliases:
            if not alias(name) or len(name) > _ALIAS or not name.isprintable():
                raise Misconfigured("site.aliases", name, f"names of 1 to {_ALIAS} printable characters")
        for name in self.props:
            if KINDS.get(name.lower()) == "birth_date" or name.lower() in ("gender", "sex"):
                raise Misconfigured(
                    "site.props", name, "no date of birth (send member.age_ok or age_band), no gender"
                )
        for word in self.categories:
            if not WORD.fullmatch(word):
                raise Misconfigured("site.categories", word, "small letters, digits, - and _; at most 32")
        names = [one.name for one in self.experiments]
        if len(set(names)) < len(names):
            raise Misconfigured("site.experiments", names, "each name once")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError):  # not known, not a name, not a file
            raise Misconfigured(
                "site.timezone", self.timezone, "an IANA time zone, e.g. Europe/Berlin"
            ) from None


_HOUR = 3_600_000
_QUARTER = _HOUR // 4


@lru_cache(maxsize=4096)
def offset(timezone: str, quarter: int) -> int:
    """Minutes east of UTC in one quarter of an hour. Zones change only at quarters of an hour."""
    delta = datetime.fromtimestamp(quarter * 900, UTC).astimezone(ZoneInfo(timezone)).utcoffset()
    assert delta is not None
    return int(delta.total_seconds() // 60)


def day(timezone: str, time: int) -> tuple[int, int]:
    """UTC milliseconds to (days since 1970 in the zone, minutes east of UTC)."""
    minutes = offset(timezone, time // _QUARTER)
    return (time + minutes * 60_000) // (24 * _HOUR), minutes


def local(timezone: str, time: NDArray[np.int64]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """UTC milliseconds to (days since 1970 in the zone, minutes east of UTC), once per quarter of an hour."""
    quarter = time // _QUARTER
    if len(time) and (first := int(quarter.min())) == quarter.max():  # nearly every live batch
        offsets = np.full(len(time), offset(timezone, first), np.int16)
    else:
        quarters, codes = np.unique(quarter, return_inverse=True)
        offsets = np.array([offset(timezone, int(q)) for q in quarters], dtype=np.int16)[codes]
    days = (time + offsets.astype(np.int64) * 60_000) // (24 * _HOUR)
    return days.astype(np.int32), offsets
