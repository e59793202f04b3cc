"""One row of the catalogue of adverts, of each kind: its keys, their limits, and what would be allowed."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from msgspec import Struct

from consent_filter.errors import Misconfigured

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ALLOWED = "1 to 64 letters, digits, . _ -; nothing that looks like a telephone number, an address or a key"
#: What the cleaning of texts (`ingest/redaction.py`) might take for a number or an address of somebody.
_NUMBER = re.compile(r"\d(?:[.-]{0,2}\d){6}|\d\.\d+\.\d+\.\d|[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-")
_RUN = re.compile(r"[0-9A-Za-z]{12,}")
_CHANGE = re.compile(r"[a-z](?=[A-Z0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])|[A-Z](?=[A-Z][a-z])")
_HEX = re.compile(r"(?=.*\d)[0-9a-fA-F]{16,}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z)(?:{_LABEL}\.)*{_LABEL}")
_NAME, _GOAL, _DAYS = 200, 10**12, 90
PRICES = ("", "cpm", "cpc", "cpa", "cpv", "flat", "house")
CREATIVES = ("display", "video", "native", "email", "audio")
SIZES = ("tiny", "small", "medium", "large")
_SIZE = re.compile(r"[1-9]\d{0,4}x[1-9]\d{0,4}")
#: How the credit for a conversion is shared among what was clicked and seen before it.
MODELS = ("last", "first", "linear", "position", "decay", "data")


def fits(id: str) -> bool:
    """Whether events may name something so: it comes through the cleaning of texts as it is, or what is
    measured under it would not be found again."""
    if not _ID.fullmatch(id) or _NUMBER.search(id):
        return False
    runs = _RUN.findall(id)
    return all(len(run) < 40 and len(_CHANGE.findall(run)) < 4 for run in runs) and not any(
        _HEX.fullmatch(run) for run in runs
    )


class Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every kind has in common: keys that are checked by their names."""

    def __post_init__(self) -> None:
        for key in ("id", "advertiser", "campaign", "placement", "slot", "site"):
            said = getattr(self, key, "")
            if not fits(said) and (said or key in _NEEDED.get(type(self).__name__, ())):
                raise Misconfigured(f"{called(self)}.{key}", said, _ALLOWED)
        name = getattr(self, "name", "")
        if len(name) > _NAME or not name.isprintable():
            raise Misconfigured(f"{called(self)}.name", "…", f"at most {_NAME} printable characters")
        for key, allowed in (("price_model", PRICES), ("kind", CREATIVES), ("model", MODELS)):
            if (said := getattr(self, key, allowed[0])) not in allowed:
                raise Misconfigured(
                    f"{called(self)}.{key}", said, f"one of {', '.join(filter(None, allowed))}"
                )
        size = getattr(self, "size", "")
        if size and size not in SIZES and not _SIZE.fullmatch(size):
            raise Misconfigured(f"{called(self)}.size", size, f'such as "300x250", or {", ".join(SIZES)}')
        for key in ("impressions", "clicks"):
            goal = getattr(self, key, None)
            if goal is not None and not 0 < goal <= _GOAL:
                raise Misconfigured(
                    f"{called(self)}.{key}", goal, "a whole number of at least 1, or left out"
                )
        starts, ends = getattr(self, "starts", None), getattr(self, "ends", None)
        if starts is not None and ends is not None and ends < starts:
            raise Misconfigured(f"{called(self)}.ends", str(ends), f"{starts} or later: it is the last day")


class Advertiser(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[advertiser]]`. id: how events and reports name it. name: how people call it."""

    id: str
    name: str = ""


class Campaign(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[campaign]]`. advertiser: whose it is. starts, ends: first and last day, of the site's clock; without
    them, what its flights say. impressions, clicks: what is to be delivered, likewise. price_model: cpm, cpc,
    cpa, cpv, flat or house. holdout: percent of people who are shown none of it, to compare. hosts: where its
    clicks may lead, with what is below them; empty allows any."""

    id: str
    advertiser: str
    name: str = ""
    starts: date | None = None
    ends: date | None = None
    impressions: int | None = None
    clicks: int | None = None
    price_model: str = ""
    holdout: float = 0.0
    hosts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.holdout <= 50:
            raise Misconfigured(f"{called(self)}.holdout", self.holdout, "0 to 50 percent")
        for host in self.hosts:
            if not _HOST.fullmatch(host):
                raise Misconfigured(
                    f"{called(self)}.hosts", host, 'a host in small letters, e.g. "acme.example"'
                )


class Creative(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[creative]]`. campaign: what it is shown for. kind: display, video, native, email or audio. size:
    "300x250"."""

    id: str
    campaign: str
    name: str = ""
    kind: str = "display"
    size: str = ""


class Placement(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[placement]]`: a place that is booked. site and slot: where it is in pages; without a slot, one that
    is called as the placement is."""

    id: str
    site: str = ""
    slot: str = ""
    name: str = ""
    size: str = ""


class Flight(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[flight]]`: a campaign on a placement (empty: on any) from one day to another."""

    campaign: str
    starts: date
    ends: date
    placement: str = ""
    impressions: int | None = None
    clicks: int | None = None


class Goal(Row, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[[goal]]`: what a conversion is called. advertiser or campaign: whose; neither: everybody's.
    window_click_days, window_view_days: how long after a click, or a view, one may still be its doing. model:
    how the credit is shared: last, first, linear, position, decay or data."""

    id: str
    advertiser: str = ""
    campaign: str = ""
    name: str = ""
    window_click_days: int = 30
    window_view_days: int = 1
    model: str = "last"

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("window_click_days", "window_view_days"):
            if not 0 <= getattr(self, key) <= _DAYS:
                raise Misconfigured(f"{called(self)}.{key}", getattr(self, key), f"0 to {_DAYS} days")


#: Kind, as the file calls its tables, to its rows. In the order in which they name each other.
KINDS: dict[str, type[Row]] = {
    "advertiser": Advertiser, "campaign": Campaign, "creative": Creative, "placement": Placement,
    "flight": Flight, "goal": Goal,
}  # fmt: skip
_NEEDED = {
    "Advertiser": ("id",), "Campaign": ("id", "advertiser"), "Creative": ("id", "campaign"),
    "Placement": ("id",), "Flight": ("campaign",), "Goal": ("id",),
}  # fmt: skip


def called(row: Any) -> str:
    """How a message names a row: `campaign spring`."""
    kind = type(row).__name__.lower()
    id = getattr(row, "id", None) or getattr(row, "campaign", "")
    return f"{kind} {id}" if isinstance(id, str) and fits(id) else kind
