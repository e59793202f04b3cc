"""A log record: the events kept from one batch, and the counts of the same batch, as one run of bytes.

Both are in one record so that they become durable together: the balance (S15) can then never disagree with
what is stored. The bytes are `layout:u16 · counts length:u32 · counts (JSON) · Arrow record batch message`.
The Arrow schema is not repeated in every record (it would be 3 KB); `layout` names it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import msgspec
import pyarrow as pa

from consent_filter.counts import Counts, Key
from consent_filter.errors import Broken
from consent_filter.fields import EVENT, LAYOUT

_HEAD = struct.Struct("<HI")
_SCHEMAS: dict[int, pa.Schema] = {LAYOUT: EVENT}
_decode_counts = msgspec.json.Decoder(list[tuple[Key, int]]).decode


class Record(NamedTuple):
    """Events of the EVENT schema (perhaps none) and the counts of everything received with them."""

    batch: pa.RecordBatch
    counts: Counts


def encode(record: Record) -> bytes:
    """The bytes that a log stores for one record."""
    counts = msgspec.json.encode([(list(key), n) for key, n in record.counts.items()])
    return b"".join((_HEAD.pack(LAYOUT, len(counts)), counts, record.batch.serialize()))


def decode(data: bytes | memoryview) -> Record:
    """The record in those bytes. Raises Broken for a layout this version does not know."""
    layout, length = _HEAD.unpack_from(data)
    schema = _SCHEMAS.get(layout)
    if schema is None:
        raise Broken(f"log record of layout {layout}; this version reads {sorted(_SCHEMAS)}")
    start = _HEAD.size + length
    counts = Counts(dict(_decode_counts(bytes(data[_HEAD.size : start]))))
    return Record(pa.ipc.read_record_batch(pa.py_buffer(data[start:]), schema), counts)
