"""A log record: the events kept from one batch, and the counts of the same batch, as one run of bytes.

Both are in one record so that they become durable together: the balance (S15) can then never disagree with
what is stored. Numbers are little-endian, and nothing is padded:

    layout:u16 · width of a place:u16 · events:u32 · words:u32 · bytes of words:u32 · bytes of counts:u32 ·
    counts (JSON) · words (Arrow's validity bits, ends:i32, text) · places · each column of numbers ·
    while two keys of event ids overlap, the ids under the older one

It is what the filter leaves (`consent_filter.events`), as it lies in memory. An Arrow message of the same
batch takes twice the bytes and, at a few dozen events, ten times as long to write.
"""

from __future__ import annotations

import struct
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import pyarrow as pa

from consent_filter.counts import Counts, Key
from consent_filter.errors import Broken
from consent_filter.events import BEFORE, NUMBERS, TEXTS, Events
from consent_filter.fields import LAYOUT

_HEAD = struct.Struct("<HHIIII")
#: Members of a key that is about no advert; the others are left out.
_PLAIN = Key._fields.index("event")
_decode_counts = msgspec.json.Decoder(list[tuple[Key, int]]).decode


class Record(NamedTuple):
    """Events (perhaps none) and the counts of everything received with them."""

    events: Events
    counts: Counts

    @property
    def batch(self) -> pa.RecordBatch:
        """The events as Arrow columns, of the EVENT schema."""
        return self.events.batch()


def encode(record: Record) -> bytes:
    """The bytes that a log stores for one record."""
    events = record.events
    keys = [key if key.event else key[:_PLAIN] for key in record.counts]
    counts = msgspec.json.encode(list(zip(keys, record.counts.values(), strict=True)))
    n = len(events.words)
    valid, ends, text = events.words.buffers()
    size = int(np.frombuffer(ends, np.int32)[n])
    head = _HEAD.pack(LAYOUT, events.places.itemsize, events.n, n, size, len(counts))
    parts = [head, counts, valid[: _bits(n)], ends[: 4 * n + 4], text[:size] if size else b"", events.places]
    parts += [events.numbers[name] for name in (*NUMBERS, BEFORE) if name in events.numbers]
    return b"".join(parts)


def decode(data: bytes | memoryview) -> Record:
    """The record in those bytes, which stay in use. Raises Broken for a layout this version does not know."""
    (layout,) = struct.unpack_from("<H", data)
    if layout != LAYOUT:
        raise Broken(f"log record of layout {layout}; this version reads {LAYOUT}")
    _, width, n, words, size, length = _HEAD.unpack_from(data)
    sizes = [_HEAD.size, length, _bits(words), 4 * words + 4, size, len(TEXTS) * width * n]
    sizes += [kind.itemsize * n for kind in NUMBERS.values()]
    places = list(accumulate(sizes))
    if n and places[-1] + 8 * n == len(data):
        places.append(len(data))
    elif places[-1] != len(data):
        raise Broken(f"log record of {len(data)} bytes that says it has {places[-1]}")
    parts = [memoryview(data)[start:stop] for start, stop in pairwise(places)]
    counts = Counts(dict(_decode_counts(parts[0])))
    buffers = [pa.py_buffer(part) for part in parts[1:4]]
    table = pa.StringArray.from_buffers(words, buffers[1], buffers[2], buffers[0])
    where = np.frombuffer(parts[4], f"<u{width}").reshape(len(TEXTS), n)
    kinds = [*NUMBERS.items(), (BEFORE, NUMBERS["event_id"])]
    numbers = {name: np.frombuffer(part, kind) for (name, kind), part in zip(kinds, parts[5:], strict=False)}
    return Record(Events(n, table, where, numbers), counts)


def _bits(n: int) -> int:
    return (n + 7) // 8
