"""EVENT, column by column: built once, after the filter, from the distinct values of the batch.

Two ways to build a column of text: for a live batch of some dozen rows a list is cheapest, because each call
into Arrow costs more than the rows do; for a large batch the distinct values are taken by their codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from consent_filter.decide import Verdict
from consent_filter.fields import EVENT, FIELDS
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.purpose import ALL
from consent_filter.raw import Ad, Column, Raw, column

#: From this many rows on, whole-column calls are cheaper than a list.
_LARGE = 400
#: Columns of nothing but nulls are slices of one of this length.
_NULLS = {field.type: pa.nulls(4096, field.type) for field in EVENT}
_TYPES = {field.name: field.type for field in EVENT}
_NO_AD = Ad(None, None, None)


def _guarded() -> list[tuple[np.uint32, list[str]]]:
    """Stored columns by the purposes of which one must be granted; what every purpose may read needs none."""
    stored = [field for field in FIELDS if field.keep is not None]
    groups = column([int(field.purposes) for field in stored])
    codes = groups.codes.tolist()
    return [
        (np.uint32(bits), [field.name for field, c in zip(stored, codes, strict=True) if c == code])
        for code, bits in enumerate(groups.values)
        if bits != int(ALL)
    ]


_GUARDED = _guarded()


def nulls(n: int, kind: pa.DataType) -> pa.Array:
    """`n` nulls."""
    whole = _NULLS[kind]
    return whole.slice(0, n) if n <= len(whole) else pa.nulls(n, kind)


def text(codes: NDArray[np.int32], values: Sequence[str | None]) -> pa.Array:
    """A column of strings. What UTF-8 cannot hold never comes this far: parsers refuse it."""
    n = len(codes)
    if len(values) == 1:
        (value,) = values
        return nulls(n, pa.string()) if value is None else pa.array([value] * n, pa.string())
    if not any(values) and values.count(None) == len(values):
        return nulls(n, pa.string())
    if n < _LARGE:
        return pa.array([values[code] for code in codes.tolist()], pa.string())
    return pa.array(values, pa.string()).take(pa.array(codes))


def _number(values: NDArray[Any], absent: NDArray[np.bool_], kind: pa.DataType) -> pa.Array:
    return nulls(len(values), kind) if absent.all() else pa.array(values, kind, mask=absent)


def events(
    raw: Raw,
    rows: NDArray[np.intp] | None,
    verdicts: Column[Verdict],
    person: NDArray[np.uint64],
    days: NDArray[np.int32],
    offsets: NDArray[np.int16],
    keys: Keyring,
    packs: Mapping[str, Pack],
) -> pa.RecordBatch:
    """The rows (None: all) as EVENT, every column null where none of its purposes is granted."""
    if rows is not None and not len(rows):
        return pa.RecordBatch.from_arrays([nulls(0, field.type) for field in EVENT], schema=EVENT)

    def cut(whole: NDArray[Any]) -> NDArray[Any]:
        return whole if rows is None else whole[rows]

    def texts(source: Column[Any], names: Mapping[str, Callable[[Any], str | None]]) -> None:
        codes = cut(source.codes)
        for name, attribute in names.items():
            built[name] = text(codes, [attribute(value) for value in source.values])

    built: dict[str, pa.Array] = {}
    site, verdict = Column(cut(raw.site.codes), raw.site.values), cut(verdicts.codes)
    granted = np.array([v.granted for v in verdicts.values], np.uint32)[verdict]
    for name in ("type", "protocol", "name", "props"):
        source = getattr(raw, name)
        built[name] = text(cut(source.codes), source.values)
    built["site"] = text(*site)
    built["policy"] = text(site.codes, [f"{packs[id].name}/{packs[id].version}" for id in site.values])
    texts(verdicts, _VERDICT)
    texts(raw.page, _PAGE)
    texts(raw.source, _SOURCE)
    texts(raw.browser, _BROWSER)
    texts(raw.place, _PLACE)
    if raw.ad.values == [None]:
        built |= dict.fromkeys(_AD, nulls(len(verdict), pa.string()))
    else:
        texts(raw.ad, _AD)
    built["time"] = pa.array(cut(raw.time).view("datetime64[ms]"))
    built["received"] = pa.array(cut(raw.received).view("datetime64[ms]"))
    built["day"] = pa.array(cut(days)).view(pa.date32())
    built["offset_min"] = pa.array(cut(offsets))
    built["person"] = pa.array(cut(person))
    built["purposes"] = pa.array(granted)
    built["event_id"] = _ids(site, raw.id if rows is None else [raw.id[row] for row in rows.tolist()], keys)
    duration, scroll, value = cut(raw.duration_ms), cut(raw.scroll), cut(raw.value)
    built["duration_ms"] = _number(duration, duration < 0, pa.int32())
    built["scroll"] = _number(scroll, scroll < 0, pa.int16())
    built["value"] = _number(value, np.isnan(value), pa.float64())
    for bits, names in _GUARDED:
        closed = (granted & bits) == 0
        if closed.all():
            built |= {name: nulls(len(closed), _TYPES[name]) for name in names}
        elif closed.any():
            mask = pa.array(closed)
            for name in names:
                if built[name].null_count < len(closed):
                    built[name] = pc.replace_with_mask(built[name], mask, pa.scalar(None, _TYPES[name]))
    return pa.RecordBatch.from_arrays([built[name] for name in EVENT.names], schema=EVENT)


def _ids(site: Column[str], ids: Sequence[str | None], keys: Keyring) -> pa.Array:
    return (
        nulls(len(ids), pa.uint64())
        if not any(ids) and ids.count(None) == len(ids)
        else event_ids(keys, site, ids)
    )


_VERDICT: dict[str, Callable[[Any], str | None]] = {
    "treatment": lambda verdict: verdict.treatment,
    "because": lambda verdict: verdict.because,
    "signal": lambda verdict: verdict.signal,
    "basis": lambda verdict: verdict.basis,
}
_PAGE: dict[str, Callable[[Any], str | None]] = {
    "path": lambda page: page.path,
    "utm_source": lambda page: page.utm_source,
    "utm_medium": lambda page: page.utm_medium,
    "utm_campaign": lambda page: page.utm_campaign,
    "utm_term": lambda page: page.utm_term,
    "utm_content": lambda page: page.utm_content,
}
_SOURCE: dict[str, Callable[[Any], str | None]] = {
    "referrer_host": lambda source: source.host,
    "referrer_group": lambda source: source.group,
}
_BROWSER: dict[str, Callable[[Any], str | None]] = {
    "browser": lambda agent: agent.browser,
    "browser_version": lambda agent: agent.browser_version,
    "os": lambda agent: agent.os,
    "os_version": lambda agent: agent.os_version,
    "device": lambda agent: agent.device,
}
_PLACE: dict[str, Callable[[Any], str | None]] = {
    "continent": lambda place: place.continent,
    "country": lambda place: place.country,
    "region": lambda place: place.region,
    "network": lambda place: place.network,
}
_AD: dict[str, Callable[[Any], str | None]] = {
    "ad_slot": lambda ad: (ad or _NO_AD).slot,
    "ad_creative": lambda ad: (ad or _NO_AD).creative,
    "ad_campaign": lambda ad: (ad or _NO_AD).campaign,
}
