"""EVENT, column by column: built once, after the filter, from the distinct values of the batch.

A live batch has some dozen rows, and then each call into Arrow costs more than the rows do. So the distinct
texts of all columns go into one Arrow array, all columns of text are taken from it in one call, and each is a
slice of the result (measured at 32 rows: a fifth of the time of a call for each column).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.decide import Verdict
from consent_filter.fields import BY_NAME, EVENT
from consent_filter.policy import Pack
from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import Ad, Agent, Column, Page, Place, Raw, Source

#: From this many rows on, columns are taken one by one: a column's offsets are 32 bits.
_LARGE = 4096
_STRING = pa.string()
_NO_AD = Ad(None, None, None)


class Texts(NamedTuple):
    """Columns of text that share their codes: their names, and what a distinct value holds for each."""

    names: tuple[str, ...]
    of: Callable[[Any], Iterable[str | None]] | None


def _fields(kind: type[Any], *names: str) -> Callable[[Any], Iterable[str | None]]:
    """Those fields of a tuple, which stand next to each other in it."""
    first = kind._fields.index(names[0])
    assert kind._fields[first : first + len(names)] == names, (
        f"{kind.__name__} has its fields in another order"
    )
    return itemgetter(slice(first, first + len(names)))


_UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_BROWSER = ("browser", "browser_version", "os", "os_version", "device")
_PLACE = ("continent", "country", "region", "network")
#: Every column of text in EVENT, by the column of RAW whose codes it has.
_TEXTS: dict[str, Texts] = {
    "site": Texts(("site",), None),
    "policy": Texts(("policy",), None),
    "protocol": Texts(("protocol",), None),
    "type": Texts(("type",), None),
    "name": Texts(("name",), None),
    "props": Texts(("props",), None),
    "verdict": Texts(
        ("treatment", "because", "signal", "basis"),
        _fields(Verdict, "treatment", "because", "signal", "basis"),
    ),
    "page": Texts(("path", *_UTM), _fields(Page, "path", *_UTM)),
    "source": Texts(("referrer_host", "referrer_group"), _fields(Source, "host", "group")),
    "browser": Texts(_BROWSER, _fields(Agent, *_BROWSER)),
    "place": Texts(_PLACE, _fields(Place, *_PLACE)),
    "ad": Texts(("ad_slot", "ad_creative", "ad_campaign"), lambda ad: ad or _NO_AD),
}
_ORDER = [name for texts in _TEXTS.values() for name in texts.names]
#: For each column of text: which of `_TEXTS` it is from, and how many columns come from that.
_SOURCE = np.repeat(np.arange(len(_TEXTS)), [len(texts.names) for texts in _TEXTS.values()])
_WIDTH = np.array([len(texts.names) for texts in _TEXTS.values()], np.int32)[_SOURCE][:, None]
#: For each column of text: the purposes of which one must be granted.
_NEEDED = np.array([int(BY_NAME[name].purposes) for name in _ORDER], np.uint32)[:, None]
_TYPES = {field.name: field.type for field in EVENT}
#: Columns of nothing but nulls are slices of one of this length.
_NULLS = {kind: pa.nulls(4096, kind) for kind in set(_TYPES.values())}


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

    def cut(whole: NDArray[Any]) -> NDArray[Any]:
        return whole if rows is None else whole[rows]

    site = raw.site
    policy = Column(site.codes, [f"{packs[id].name}/{packs[id].version}" for id in site.values])
    head = (site, policy, raw.protocol, raw.type, raw.name, raw.props, verdicts)
    sources: list[Column[Any]] = [*head, raw.page, raw.source, raw.browser, raw.place, raw.ad]
    codes = np.concatenate([source.codes for source in sources]).reshape(len(sources), raw.n)
    if rows is not None:
        codes = codes[:, rows]
    granted = np.array([v.granted for v in verdicts.values], np.uint32)[codes[len(head) - 1]]
    built = _texts(codes, [source.values for source in sources], granted)
    built["time"] = _plain("time", cut(raw.time))
    built["received"] = _plain("received", cut(raw.received))
    built["day"] = _plain("day", cut(days))
    built["offset_min"] = _plain("offset_min", cut(offsets))
    built["person"] = _plain("person", cut(person))
    built["purposes"] = _plain("purposes", granted)
    ids = raw.id if rows is None else [raw.id[row] for row in rows.tolist()]
    built["event_id"] = _ids(Column(codes[0], site.values), ids, keys)
    duration, scroll, value = cut(raw.duration_ms), cut(raw.scroll), cut(raw.value)
    built["duration_ms"] = _number("duration_ms", duration, duration >= 0, granted)
    built["scroll"] = _number("scroll", scroll, scroll >= 0, granted)
    built["value"] = _number("value", value, ~np.isnan(value), granted)
    return pa.RecordBatch.from_arrays([built[name] for name in EVENT.names], schema=EVENT)


def _texts(
    codes: NDArray[np.int32], values: Sequence[list[Any]], granted: NDArray[np.uint32]
) -> dict[str, pa.Array]:
    """The columns of text, from codes (a row for each of `_TEXTS`) and the distinct values behind them."""
    n = len(granted)
    words: list[str | None] = [None]
    starts: list[int] = []
    for (names, of), source in zip(_TEXTS.values(), values, strict=True):
        start = len(words)
        starts += range(start, start + len(names))
        words += source if of is None else chain.from_iterable(map(of, source))
    # One row for each column: where in `words` each text stands. 0 is where None does.
    places = codes[_SOURCE] * _WIDTH + np.array(starts, np.int32)[:, None]
    places *= (granted & _NEEDED) != 0
    table = pa.array(words, _STRING)
    if n < _LARGE:
        whole = table.take(pa.array(places.ravel()))
        return {name: whole.slice(i * n, n) for i, name in enumerate(_ORDER)}
    return {name: table.take(pa.array(places[i])) for i, name in enumerate(_ORDER)}


def _plain(name: str, values: NDArray[Any], there: NDArray[np.bool_] | None = None) -> pa.Array:
    """A column of numbers as they lie in memory, null where they are not there."""
    valid = None if there is None else pa.py_buffer(np.packbits(there, bitorder="little"))
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(_TYPES[name], len(values), [valid, data])


def _number(
    name: str, values: NDArray[Any], there: NDArray[np.bool_], granted: NDArray[np.uint32]
) -> pa.Array:
    """A column of numbers, null where there is none or its purposes are not granted."""
    if not there.any():
        return _nulls(len(values), _TYPES[name])
    open_ = there & ((granted & int(BY_NAME[name].purposes)) != 0)
    # What is not granted must not lie in the buffer behind a null either: it would reach the disk.
    return _plain(name, np.where(open_, values, 0).astype(values.dtype, copy=False), open_)


def _ids(site: Column[str], ids: Sequence[str | None], keys: Keyring) -> pa.Array:
    if ids.count(None) == len(ids):
        return _nulls(len(ids), pa.uint64())
    return event_ids(keys, site, ids)


def _nulls(n: int, kind: pa.DataType) -> pa.Array:
    whole = _NULLS[kind]
    return whole.slice(0, n) if n <= len(whole) else pa.nulls(n, kind)
