"""Records for the log's tests: `number` tells one from another, `size` is about how many bytes it takes."""

from __future__ import annotations

import pyarrow as pa

from consent_filter.counts import RECEIVED, STORED, Counts, Key
from consent_filter.events import Events
from consent_filter.fields import EVENT
from ingest.log.record import Record


def record(number: int, size: int = 0, rows: int = 1) -> Record:
    """`rows` events whose `event_id` is `number`, and counts to match."""
    arrays = [pa.nulls(rows, field.type) for field in EVENT]
    arrays[EVENT.get_field_index("event_id")] = pa.array([number] * rows, pa.uint64())
    arrays[EVENT.get_field_index("props")] = pa.array(["x" * size] * rows, pa.string())
    key = Key("site", 20_000, "beacon", "ZZ", RECEIVED, "", "")
    counts = Counts({key: rows, key._replace(outcome=STORED): rows})
    return Record(Events.of(pa.RecordBatch.from_arrays(arrays, schema=EVENT)), counts)


def number(found: Record) -> int:
    """The number a record was made with."""
    return int(found.batch.column("event_id")[0].as_py())
