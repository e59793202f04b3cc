"""Decoded events to columns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, cast

import msgspec
import numpy as np
from msgspec import Struct, field
from msgspec.structs import astuple
from numpy.typing import NDArray

from consent_filter.raw import Column, Raw
from ingest.protocols.columns import UNFILLED, column
from ingest.protocols.event import ABSENT, Event
from ingest.protocols.keys import doubled, names
from ingest.protocols.parsing import Parsing
from ingest.protocols.rules import check
from ingest.request import Request

_SAID, _GPC, _DNT = attrgetter("said"), attrgetter("gpc"), attrgetter("dnt")


class Rows(Struct):
    """Events as decoded: one row for each that was received, also for those that could not be read.

    `owner` is the index of each row's request, or None where every request is one row. `bad` is the code
    (`ingest.rejects`) of each row that is refused; the first fault found stays. `lists` are the requests
    that sent a list. `bodies` are the requests whose JSON was read, `wrapped` those of them with one name
    more than their events have.
    """

    events: list[Event]
    owner: list[int] | None = None
    bad: dict[int, str] = field(default_factory=dict)
    lists: set[int] = field(default_factory=set)
    bodies: list[int] = field(default_factory=list)
    wrapped: int = 0


def gather(protocol: str, requests: Sequence[Request], rows: Rows, parsing: Parsing) -> Raw:
    """The columns of all rows. Those that break a rule join `rows.bad`; their values mean nothing."""
    events, n = rows.events, len(rows.events)
    owner = None if rows.owner is None else np.array(rows.owner, np.intp)

    def spread(values: Sequence[Any]) -> Column[Any]:
        said = column(values)
        return said if owner is None else Column(said.codes[owner], said.values)

    browsers = spread([r.browser for r in requests])
    received = np.array([r.received for r in requests], np.int64)
    received = received if owner is None else received[owner]
    # One C call a row, instead of sixteen look-ups; the names are in the order of Event's fields.
    said = list(zip(*map(astuple, events), strict=True))
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
        member,
        referral,
        geo,
        counterpart,
        declared,
        duration,
        scroll,
        value,
    ) = said
    raw = Raw(
        n=n,
        site=_filled(column(site)),
        protocol=Column(np.zeros(n, np.int32), [protocol]),
        type=_filled(column(type_)),
        name=column(name),
        received=received,
        time=_times(time, received, rows.bad),
        id=_ids(id),
        address=spread([r.address for r in requests]),
        agent=browsers.few(_SAID),
        url=_filled(column(url)),
        referrer=column(referrer),
        user_id=_named(column(user)),
        device_id=_named(column(device)),
        consent=_undecoded(consent),
        gpc=browsers.few(_GPC),
        dnt=browsers.few(_DNT),
        props=_undecoded(props),
        ad=_undecoded(ad),
        member=_undecoded(member),
        referral=_undecoded(referral),
        geo=_undecoded(geo),
        counterpart=_undecoded(counterpart),
        declared=_undecoded(declared),
        duration_ms=_numbers(duration, -1.0, np.int32),
        scroll=_numbers(scroll, -1.0, np.int16),
        value=_numbers(value, np.nan, np.float64),
        browser=UNFILLED,
        place=UNFILLED,
        page=UNFILLED,
        source=UNFILLED,
    )
    if rows.bodies:
        undecoded = said[10:18]
        absent = sum([one.count(None) for one in (*said[:10], *said[18:])])
        absent += sum([one.count(ABSENT) for one in undecoded])
        _twice(raw, requests, rows, n * len(said) - absent)
    check(raw, rows.bad, parsing, browsers)
    return raw


def _twice(raw: Raw, requests: Sequence[Request], rows: Rows, expected: int) -> None:
    """Refuse whole bodies in which a name stands twice."""
    for nested in (raw.consent, raw.props, raw.ad, raw.member, raw.referral, raw.geo, raw.counterpart,
                   raw.declared):  # fmt: skip
        if nested.values != [None]:
            inside = np.array(
                [names(data) if data else 0 for data in cast("list[bytes | None]", nested.values)]
            )
            expected += int(inside[nested.codes].sum())
    wrong = doubled([requests[place].body for place in rows.bodies], expected + rows.wrapped)
    if wrong:
        places = {rows.bodies[place] for place in wrong}
        for row in range(raw.n):
            if (row if rows.owner is None else rows.owner[row]) in places:
                rows.bad.setdefault(row, "duplicate_key")


def _filled(said: Column[Any]) -> Column[str]:
    return Column(said.codes, [value or "" for value in said.values])


def _named(said: Column[Any]) -> Column[str | None]:
    """Ids as text; an empty one is none."""
    if said.values == [None]:
        return said
    return Column(
        said.codes, [value if value.__class__ is str and value else _id(value) for value in said.values]
    )


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
