"""Decoded events to columns, and the checks that need a setting, once for each distinct value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, cast

import msgspec
import numpy as np
from msgspec import Struct, field
from msgspec.structs import astuple
from numpy.typing import NDArray

from consent_filter.raw import Ad, Column, Raw
from ingest.protocols.columns import UNFILLED, column, pair
from ingest.protocols.event import ABSENT, FAULTS, TYPES, Event
from ingest.protocols.parsing import Parsing
from ingest.redaction import controls, plain
from ingest.request import Request


class Rows(Struct):
    """Events as decoded: one row for each that was received, also for those that could not be read.

    `owner` is the index of each row's request, or None where every request is one row. `bad` is the code
    (`ingest.rejects`) of each row that is refused; the first fault found stays. `lists` are the requests
    that sent a list.
    """

    events: list[Event]
    owner: list[int] | None = None
    bad: dict[int, str] = field(default_factory=dict)
    lists: set[int] = field(default_factory=set)


def gather(protocol: str, requests: Sequence[Request], rows: Rows, parsing: Parsing) -> Raw:
    """The columns of all rows. Those that break a rule join `rows.bad`; their values mean nothing."""
    events, n = rows.events, len(rows.events)
    addresses, agents, hints, gpcs, dnts, purposes, origins = zip(*[r.client for r in requests], strict=True)
    owner = None if rows.owner is None else np.array(rows.owner, np.intp)

    def spread(values: Sequence[Any]) -> Column[Any]:
        said = column(values)
        return said if owner is None else Column(said.codes[owner], said.values)

    received = np.array([r.received for r in requests], np.int64)
    received = received if owner is None else received[owner]
    # In the order of Event's fields: one C call a row, instead of sixteen look-ups.
    (
        site,
        type_,
        url,
        id,
        time,
        referrer,
        _,
        name,
        user,
        device,
        consent,
        props,
        ad,
        duration,
        scroll,
        value,
    ) = zip(*map(astuple, events), strict=True)
    raw = Raw(
        n=n,
        site=_filled(column(site)),
        protocol=Column(np.zeros(n, np.int32), [protocol]),
        type=_filled(column(type_)),
        name=column(name),
        received=received,
        time=_times(time, received, rows.bad),
        id=_ids(id),
        address=spread(addresses),
        agent=spread(list(zip(agents, hints, purposes, strict=True))),
        url=_filled(column(url)),
        referrer=column(referrer),
        user_id=_named(column(user)),
        device_id=_named(column(device)),
        consent=_undecoded(consent),
        gpc=spread(gpcs),
        dnt=spread(dnts),
        props=_undecoded(props),
        ad=_undecoded(ad),
        duration_ms=_numbers(duration, -1.0, np.int32),
        scroll=_numbers(scroll, -1.0, np.int16),
        value=_numbers(value, np.nan, np.float64),
        browser=UNFILLED,
        place=UNFILLED,
        page=UNFILLED,
        source=UNFILLED,
    )
    _check(raw, rows.bad, parsing, lambda: spread(origins))
    return raw


def _check(raw: Raw, bad: dict[int, str], parsing: Parsing, origins: Callable[[], Column[str]]) -> None:
    """Every rule about a row's values. Leaves `name`, `props` and `ad` clean."""
    limits = parsing.limits
    known = [parsing.sites.get(id) for id in raw.site.values]
    _refuse(bad, "site", raw.site, [site is None for site in known])
    _refuse(bad, "type", raw.type, [type_ not in TYPES for type_ in raw.type.values])
    if any(site and site.origins for site in known):
        both = pair(Column(raw.site.codes, known), origins())
        _refuse(bad, "origin", both, [_elsewhere(site, origin) for site, origin in both.values])
    if raw.protocol.values == ["beacon"]:
        _refuse(bad, "url", raw.url, [not url for url in raw.url.values])
    if parsing.bounded:
        for row in np.flatnonzero(raw.time < raw.received - parsing.retry_ms).tolist():
            bad.setdefault(row, "late")
    _names(raw, bad, known)
    _refuse(
        bad,
        "consent",
        raw.consent,
        [c is not None and len(c) > limits.max_consent for c in raw.consent.values],
    )
    if raw.props.values != [None]:
        both = pair(Column(raw.site.codes, known), raw.props)
        clean = [site and data and parsing.props.clean(site, data) for site, data in both.values]
        _refuse(bad, "props", both, [c is False for c in clean])
        raw.props = Column(both.codes, [c if isinstance(c, str) else None for c in clean])
    if raw.ad.values != [None]:
        # Undecoded until here, so that each distinct one is decoded once.
        adverts = [_advert(data, parsing) for data in cast("list[bytes | None]", raw.ad.values)]
        _refuse(bad, "ad", raw.ad, [ad is False for ad in adverts])
        raw.ad = Column(raw.ad.codes, [ad if isinstance(ad, Ad) else None for ad in adverts])


def _names(raw: Raw, bad: dict[int, str], known: list[Any]) -> None:
    names = raw.name.values
    if names != [None]:
        _refuse(bad, "name", raw.name, [name is not None and controls(name) for name in names])
        raw.name = Column(raw.name.codes, [plain(name) if name else None for name in names])
    custom = raw.type.values.index("event") if "event" in raw.type.values else -1
    if custom < 0:
        return
    if None in raw.name.values or any(site and site.events for site in known):
        both = pair(Column(raw.site.codes, known), raw.name)
        rows = raw.type.codes == custom
        wrong = [n is None or bool(s and s.events and n not in s.events) for s, n in both.values]
        for row in np.flatnonzero(np.array(wrong)[both.codes] & rows).tolist():
            bad.setdefault(row, "name")


def _refuse(bad: dict[int, str], code: str, said: Column[Any], wrong: list[bool]) -> None:
    """Refuse the rows whose value is wrong."""
    if True in wrong:
        for row in np.flatnonzero(np.array(wrong)[said.codes]).tolist():
            bad.setdefault(row, code)


def _elsewhere(site: Any, origin: str) -> bool:
    """Whether a page of another origin sent it. Servers and mail programs send no origin at all."""
    return bool(site and site.origins and origin and origin not in site.origins)


def _filled(said: Column[Any]) -> Column[str]:
    return Column(said.codes, [value or "" for value in said.values])


def _named(said: Column[Any]) -> Column[str | None]:
    """Ids as text; an empty one is none."""
    if said.values == [None]:
        return said
    return Column(said.codes, [_id(value) for value in said.values])


def _id(said: str | int | None) -> str | None:
    return None if said is None or said == "" else str(said)


def _ids(said: Sequence[Any]) -> list[str | None]:
    if set(map(type, said)) == {str} and "" not in said:
        return list(said)
    return [_id(one) for one in said]


def _undecoded(said: Sequence[msgspec.Raw]) -> Column[Any]:
    """Bytes of JSON, None where there is none."""
    if said.count(ABSENT) == len(said):
        return Column(np.zeros(len(said), np.int32), [None])
    found = column([b"" if one is ABSENT else bytes(one) for one in said])
    return Column(found.codes, [data if data and data != b"null" else None for data in found.values])


def _numbers(said: Sequence[float | None], absent: float, kind: Any) -> NDArray[Any]:
    if said.count(None) == len(said):
        return np.full(len(said), absent, kind)
    return np.array([absent if one is None else one for one in said]).astype(kind)


def _times(said: Sequence[Any], received: NDArray[np.int64], bad: dict[int, str]) -> NDArray[np.int64]:
    """When it happened, in UTC milliseconds, never after it was received: a client's clock may be wrong."""
    if said.count(None) == len(said):
        return received
    if set(map(type, said)) <= {float, int}:
        times = np.array(said, np.float64).astype(np.int64)
    else:
        times = received.copy()
        for row, one in enumerate(said):
            if one is not None:
                try:
                    times[row] = _time(one)
                except (ValueError, OverflowError):
                    bad.setdefault(row, "time")
    return np.minimum(times, received)


def _time(said: float | str) -> int:
    """Milliseconds since 1970 from a number, its digits, or ISO 8601 (UTC where it names no zone)."""
    if isinstance(said, str) and not said.isdecimal():
        moment = datetime.fromisoformat(said)
        said = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
    time = int(said)
    if not 0 <= time <= 2**53:
        raise ValueError
    return time


def _advert(data: bytes | None, parsing: Parsing) -> Ad | bool | None:
    """The advert, None where there is none, False where it is malformed."""
    if data is None:
        return None
    try:
        ad = parsing.decoder.advert(data)
    except FAULTS:
        return False
    if any(part is not None and controls(part) for part in ad):
        return False
    return Ad(*(plain(part) if part else None for part in ad)) if any(ad) else None
