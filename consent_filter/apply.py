"""RAW + decision → EVENT, the only thing that may be written; everything else ends here.

Columns outside the granted purposes are null. A row that is not kept leaves a number by reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from consent_filter.counts import REFUSED, Counts, Key
from consent_filter.decide import COUNT, IDENTIFIED, Decision
from consent_filter.fields import EVENT, FIELDS
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring, hashes
from consent_filter.purpose import ALL
from consent_filter.raw import Column, Raw, column, pair
from consent_filter.site import Site, local

#: From this many rows on, whole-column calls are cheaper than a list; below it, their fixed cost is more.
_LARGE = 400
Rows = NDArray[np.intp]
Attribute = Callable[[Any], str | None]


class Filtered(NamedTuple):
    """What may be written, and the counts of what may not."""

    batch: pa.RecordBatch
    refused: Counts


def apply(
    raw: Raw,
    decision: Decision,
    keys: Keyring,
    ledger: Ledger,
    sites: Mapping[str, Site],
    packs: Mapping[str, Pack],
) -> Filtered:
    """The events of the batch that may be stored, as EVENT; the others as counts by reason."""
    days, offsets = _local(raw, sites)
    verdicts = decision.verdict
    kept = np.array([v.treatment != COUNT for v in verdicts.values])[verdicts.codes]
    person = np.zeros(raw.n, np.uint64)
    identified = np.array([v.treatment == IDENTIFIED for v in verdicts.values])[verdicts.codes]
    _identify(raw, person, identified, ledger)
    late = _pseudonyms(raw, person, kept & ~identified, days, keys)
    refused = _refused(raw, verdicts, ~kept, late, days)
    rows = np.flatnonzero(kept & ~late)
    return Filtered(_events(raw, rows, verdicts, person, days, offsets, keys, packs), refused)


def _local(raw: Raw, sites: Mapping[str, Site]) -> tuple[NDArray[np.int32], NDArray[np.int16]]:
    """Day and offset of each row in its site's own zone."""
    zones = [sites[site].timezone for site in raw.site.values]
    if len(set(zones)) == 1:
        return local(zones[0], raw.time)
    days, offsets = np.zeros(raw.n, np.int32), np.zeros(raw.n, np.int16)
    for code, zone in enumerate(zones):
        rows = raw.site.codes == code
        if rows.any():
            days[rows], offsets[rows] = local(zone, raw.time[rows])
    return days, offsets


def _identify(raw: Raw, person: NDArray[np.uint64], rows: NDArray[np.bool_], ledger: Ledger) -> None:
    """The pseudonym of an id; the account's where there is one, else the browser's."""
    if not rows.any():
        return
    ids = pair(raw.site, pair(raw.user_id, raw.device_id)).take(np.flatnonzero(rows))
    used = np.unique(ids.codes)
    wanted = []
    for code in used.tolist():
        site, (user, device) = ids.values[code]
        wanted.append((site, "user", user) if user is not None else (site, "device", device))
    table = np.zeros(len(ids.values), np.uint64)
    table[used] = ledger.persons(wanted)
    person[rows] = table[ids.codes]


def _pseudonyms(
    raw: Raw, person: NDArray[np.uint64], rows: NDArray[np.bool_], days: NDArray[np.int32], keys: Keyring
) -> NDArray[np.bool_]:
    """The day's pseudonym of (address, agent, site) under the site's own day; which rows are too late for one."""
    late = np.zeros(raw.n, np.bool_)
    where = np.flatnonzero(rows)
    if not len(where):
        return late
    who = pair(pair(raw.site, raw.address), raw.agent).take(where)
    own = days[where]
    for day in dict.fromkeys(own.tolist()):
        state = keys.day(day)
        here = where[own == day]
        if state is None:
            late[here] = True
            continue
        codes = who.codes[own == day]
        used, back = np.unique(codes, return_inverse=True)
        texts = []
        for code in used.tolist():
            (site, address), agent = who.values[code]
            texts.append(f"{site}\0{address}\0{agent!r}")
        person[here] = hashes(state, texts)[back]
    return late


def _refused(
    raw: Raw,
    verdicts: Column[Any],
    refused: NDArray[np.bool_],
    late: NDArray[np.bool_],
    days: NDArray[np.int32],
) -> Counts:
    """How many, by site, day, protocol, country and reason; of a refusal nothing finer is left."""
    rows = np.flatnonzero(refused | late)
    counts = Counts()
    if not len(rows):
        return counts
    parts = (raw.site.codes, days, raw.protocol.codes, raw.place.codes, verdicts.codes, late)
    for (site, day, protocol, place, code, too_late), n in Counter(
        zip(*(part[rows].tolist() for part in parts), strict=True)
    ).items():
        verdict = verdicts.values[code]
        reason, detail = ("late", "day_closed") if too_late else (verdict.reason, verdict.because)
        key = Key(
            raw.site.values[site],
            day,
            raw.protocol.values[protocol],
            raw.place.values[place].country,
            REFUSED,
            reason,
            detail,
        )
        counts[key] += n
    return counts


@lru_cache(maxsize=1024)
def _nulls(n: int, kind: pa.DataType) -> pa.Array:
    return pa.nulls(n, kind)


def text(codes: NDArray[np.int32], values: Sequence[str | None]) -> pa.Array:
    """A string column. Values that UTF-8 cannot hold never come this far: parsers refuse them."""
    n = len(codes)
    if all(value is None for value in values):
        return _nulls(n, pa.string())
    if n < _LARGE:
        return pa.array([values[code] for code in codes.tolist()], pa.string())
    return pa.array(values, pa.string()).take(pa.array(codes))


def _events(
    raw: Raw,
    rows: Rows,
    verdicts: Column[Any],
    person: NDArray[np.uint64],
    days: NDArray[np.int32],
    offsets: NDArray[np.int16],
    keys: Keyring,
    packs: Mapping[str, Pack],
) -> pa.RecordBatch:
    n = len(rows)
    if n == 0:
        return pa.RecordBatch.from_arrays([_nulls(0, field.type) for field in EVENT], schema=EVENT)
    everything = n == raw.n
    cut: Callable[[Any], Any] = (lambda whole: whole) if everything else (lambda whole: whole[rows])
    verdict = cut(verdicts.codes)
    granted = np.array([v.granted for v in verdicts.values], np.uint32)[verdict]

    def spread(source: Column[Any], attribute: Attribute | None = None) -> pa.Array:
        values = source.values if attribute is None else [attribute(value) for value in source.values]
        return text(cut(source.codes), values)

    def said(attribute: Attribute) -> pa.Array:
        return text(verdict, [attribute(v) for v in verdicts.values])

    def number(values: NDArray[Any], kind: pa.DataType, absent: NDArray[np.bool_]) -> pa.Array:
        return _nulls(n, kind) if absent.all() else pa.array(values, kind, mask=absent)

    place, page, source, browser, ad = raw.place, raw.page, raw.source, raw.browser, raw.ad
    duration, scroll, value = cut(raw.duration_ms), cut(raw.scroll), cut(raw.value)
    policies = [f"{(pack := packs[site]).name}/{pack.version}" for site in raw.site.values]
    columns: dict[str, pa.Array] = {
        "site": spread(raw.site),
        "time": pa.array(cut(raw.time).view("datetime64[ms]")),
        "received": pa.array(cut(raw.received).view("datetime64[ms]")),
        "type": spread(raw.type),
        "protocol": spread(raw.protocol),
        "day": pa.array(cut(days)).view(pa.date32()),
        "offset_min": pa.array(cut(offsets)),
        "event_id": _event_ids(raw, rows, keys),
        "person": pa.array(cut(person)),
        "treatment": said(lambda v: v.treatment),
        "purposes": pa.array(granted),
        "because": said(lambda v: v.because),
        "signal": said(lambda v: v.signal),
        "basis": said(lambda v: v.basis),
        "policy": text(cut(raw.site.codes), policies),
        "name": spread(raw.name),
        "path": spread(page, lambda p: p.path),
        "utm_source": spread(page, lambda p: p.utm_source),
        "utm_medium": spread(page, lambda p: p.utm_medium),
        "utm_campaign": spread(page, lambda p: p.utm_campaign),
        "utm_term": spread(page, lambda p: p.utm_term),
        "utm_content": spread(page, lambda p: p.utm_content),
        "referrer_host": spread(source, lambda s: s.host),
        "referrer_group": spread(source, lambda s: s.group),
        "browser": spread(browser, lambda b: b.browser),
        "browser_version": spread(browser, lambda b: b.browser_version),
        "os": spread(browser, lambda b: b.os),
        "os_version": spread(browser, lambda b: b.os_version),
        "device": spread(browser, lambda b: b.device),
        "continent": spread(place, lambda p: p.continent),
        "country": spread(place, lambda p: p.country),
        "region": spread(place, lambda p: p.region),
        "network": spread(place, lambda p: p.network),
        "duration_ms": number(duration, pa.int32(), duration < 0),
        "scroll": number(scroll, pa.int16(), scroll < 0),
        "value": number(value, pa.float64(), np.isnan(value)),
        "props": spread(raw.props),
        "ad_slot": spread(ad, lambda a: a and a.slot),
        "ad_creative": spread(ad, lambda a: a and a.creative),
        "ad_campaign": spread(ad, lambda a: a and a.campaign),
    }
    for bits, names in _GUARDED:
        closed = (granted & bits) == 0
        if closed.any():
            mask = pa.array(~closed)
            for name in names:
                columns[name] = pc.if_else(mask, columns[name], _nulls(n, columns[name].type))
    return pa.RecordBatch.from_arrays([columns[name] for name in EVENT.names], schema=EVENT)


def _event_ids(raw: Raw, rows: Rows, keys: Keyring) -> pa.Array:
    """Keyed hash of (site, id): finds a retry, and says nothing else. Null where none was sent."""
    ids = raw.id if len(rows) == raw.n else [raw.id[row] for row in rows.tolist()]
    sites, codes = raw.site.values, raw.site.codes[rows].tolist()
    have = [i for i, id in enumerate(ids) if id is not None]
    if not have:
        return _nulls(len(rows), pa.uint64())
    found = hashes(keys.state("event_id"), [f"{sites[codes[i]]}\0{ids[i]}" for i in have])
    if len(have) == len(rows):
        return pa.array(found)
    whole, absent = np.zeros(len(rows), np.uint64), np.ones(len(rows), np.bool_)
    whole[have], absent[have] = found, False
    return pa.array(whole, mask=absent)


def _guarded() -> list[tuple[np.uint32, list[str]]]:
    """Columns by the purposes of which one must be granted; those that every purpose may read need none."""
    groups = column([int(field.purposes) for field in FIELDS if field.keep is not None])
    stored = [field.name for field in FIELDS if field.keep is not None]
    return [
        (np.uint32(bits), [name for name, c in zip(stored, groups.codes.tolist(), strict=True) if c == code])
        for code, bits in enumerate(groups.values)
        if bits != int(ALL)
    ]


_GUARDED = _guarded()
