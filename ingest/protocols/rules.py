"""The rules about an event's values that need a setting: each is asked once for each distinct value."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Literal, cast

import numpy as np

from consent_filter.advert import Ad
from consent_filter.experiment import NAME, labelled
from consent_filter.market import EVENTS, bands
from consent_filter.market import named as market_named
from consent_filter.marketing import CONTACT
from consent_filter.performance import EDGES
from consent_filter.performance import TYPES as MEASURED
from consent_filter.raw import Column, Raw, column, combine, pair
from consent_filter.site import Site, local
from ingest.protocols.event import TYPES
from ingest.protocols.parsing import CLICK, Parsing
from ingest.protocols.props import LABEL, Kind
from ingest.redaction import controls, plain
from ingest.request import Browser
from ingest.settings import Ingest

_ORIGIN, _ENCRYPTED = attrgetter("origin"), attrgetter("encrypted")


def check(raw: Raw, bad: dict[int, str], parsing: Parsing, browsers: Column[Browser]) -> None:
    """Every rule about a row's values. Leaves `name`, `props`, `ad` and `value` clean."""
    limits = parsing.limits
    known = [parsing.sites.get(id) for id in raw.site.values]
    if limits.https_only != "no":
        parts = combine([browsers.few(_ENCRYPTED), raw.user_id.few(bool), raw.device_id.few(bool)])
        _refuse(bad, "clear", parts, [in_clear(limits, said, *ids) for said, *ids in parts.values])
    _refuse(bad, "site", raw.site, [site is None for site in known])
    types = TYPES | {CONTACT} if raw.protocol.values == ["contact"] else TYPES
    _refuse(bad, "type", raw.type, [type_ not in types for type_ in raw.type.values])
    if parsing.barred is not None and raw.n:
        now, barred = int(raw.received.max()), parsing.barred
        _refuse(bad, "region", raw.site, [bool(site and barred(site, now)) for site in known])
    if any(site and site.origins for site in known):
        both = pair(Column(raw.site.codes, known), browsers.few(_ORIGIN))
        _refuse(bad, "origin", both, [elsewhere(site, origin) for site, origin in both.values])
    if raw.protocol.values == ["beacon"]:
        _refuse(bad, "url", raw.url, [not url for url in raw.url.values])
    if parsing.bounded:
        for row in np.flatnonzero(raw.time < raw.received - parsing.retry_ms).tolist():
            bad.setdefault(row, "late")
    below = np.flatnonzero(raw.value < 0)
    if len(below):
        shown = np.array([type_.startswith("ad_") for type_ in raw.type.values])
        for row in below[shown[raw.type.codes[below]]].tolist():
            bad.setdefault(row, "value")
    _names(raw, bad, known)
    _refuse(
        bad,
        "consent",
        raw.consent,
        [c is not None and len(c) > limits.max_consent for c in raw.consent.values],
    )
    kinds = pair(raw.type, raw.name)
    banded = kinds.few(lambda both: edges(*both))
    for code, said in enumerate(banded.values):
        if said is not None:
            rows = banded.codes == code
            raw.value[rows] = bands(said, raw.value[rows])
    own = kinds.few(lambda both: both[1] if _kind(*both) else None)
    if raw.props.values != [None] or NAME in own.values:
        _props(raw, bad, parsing, known, own)
    if raw.ad.values != [None]:
        # Undecoded until here, so that each distinct one is decoded once.
        said = cast("list[bytes | None]", raw.ad.values)
        adverts: list[Any] = [data and parsing.advert(data) for data in said]
        _refuse(bad, "ad", raw.ad, [ad is False for ad in adverts])
        _refuse(bad, CLICK, raw.ad, [ad == CLICK for ad in adverts])
        raw.ad = Column(raw.ad.codes, [ad if isinstance(ad, Ad) else None for ad in adverts])

    raw.member = _read(raw.member, "member", bad, parsing.member)
    raw.referral = _read(raw.referral, "referral", bad, parsing.referral)
    raw.geo = _read(raw.geo, "geo", bad, parsing.geo)
    raw.counterpart = _read(raw.counterpart, "counterpart", bad, parsing.counterpart)
    raw.declared = _read(raw.declared, "declared", bad, parsing.declared)


def _kind(type: str, name: str | None) -> Kind:
    return "market" if market_named(type, name) else "experiment" if labelled(type, name) else ""


def edges(type: str, name: str | None) -> tuple[float, ...] | None:
    """Where the bands begin of which an event's value is kept; None where it is kept as it is."""
    return EVENTS[name] if name and market_named(type, name) else EDGES.get((type, name))


def _props(raw: Raw, bad: dict[int, str], parsing: Parsing, known: list[Any], own: Column[Any]) -> None:
    """Properties that may be stored, by what kind of event has them (`own`: the names of those kinds)."""
    kinds = own.few(lambda name: _kind("event", name))
    days = np.zeros(raw.n, np.int32)
    for code, site in enumerate(known if NAME in own.values else ()):
        rows = np.flatnonzero((raw.site.codes == code) & (own.codes == own.values.index(NAME)))
        if site is not None and len(rows):
            days[rows] = local(site.timezone, raw.time[rows])[0]
    both = combine([Column(raw.site.codes, known), raw.props, kinds, column(days.tolist())])
    clean = [
        site and (parsing.props.clean(site, data, kind, day) if data else LABEL if kind == LABEL else None)
        for site, data, kind, day in both.values
    ]
    _refuse(bad, "props", both, [c is False for c in clean])
    _refuse(bad, LABEL, both, [c == LABEL for c in clean])
    raw.props = Column(both.codes, [c if isinstance(c, str) and c != LABEL else None for c in clean])


def _read(said: Column[Any], code: str, bad: dict[int, str], read: Callable[[bytes], Any]) -> Column[Any]:
    """Each distinct object, decoded; its rows are refused where it is malformed."""
    if said.values == [None]:
        return said
    found = [data and read(data) for data in said.values]
    _refuse(bad, code, said, [one is False for one in found])
    return Column(said.codes, [one or None for one in found])


def _names(raw: Raw, bad: dict[int, str], known: list[Any]) -> None:
    if raw.name.values == [None] and not {"event", *MEASURED} & set(raw.type.values):
        return
    all_ = combine([Column(raw.site.codes, known), raw.type, raw.name])
    clean = [named(*one) for one in all_.values]
    _refuse(bad, "name", all_, [name is False for name in clean])
    raw.name = Column(all_.codes, [name or None for name in clean])


def named(site: Site | None, type: str, name: str | None) -> str | Literal[False] | None:
    """The name of an event as it is kept; False where it is missing, hides something, or is not listed."""
    if name is not None and controls(name):
        return False
    clean = plain(name) if name else None
    if type == "event" and clean == NAME:
        return NAME  # its labels say whether it is one
    if type in MEASURED and (type, clean) not in EDGES:
        return False
    if type == "event" and (clean is None or bool(site and site.events and clean not in site.events)):
        return False
    return clean


def _refuse(bad: dict[int, str], code: str, said: Column[Any], wrong: list[bool]) -> None:
    """Refuse the rows whose value is wrong."""
    if True in wrong:
        for row in np.flatnonzero(np.array(wrong)[said.codes]).tolist():
            bad.setdefault(row, code)


def elsewhere(site: Any, origin: str) -> bool:
    """Whether a page of another origin sent it. Servers and mail programs send no origin at all."""
    return bool(site and site.origins and origin and origin not in site.origins)


def in_clear(limits: Ingest, encrypted: bool, user: Any, device: Any) -> bool:
    """Whether an event came in clear that should not have (M102): any, or one with an id of somebody."""
    return not encrypted and (
        limits.https_only == "all" or (limits.https_only != "no" and bool(user or device))
    )
