"""Events as the filter leaves them, and the same as Arrow columns and as a log's bytes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.counts import Counts
from consent_filter.errors import Broken
from consent_filter.events import ABSENT, NOTHING, Events, join
from consent_filter.fields import EVENT
from ingest.log.record import Record, decode, encode

_ANY: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(max_size=5),
    pa.timestamp("ms"): st.integers(0, 10**12).map(lambda ms: datetime.fromtimestamp(ms // 1000)),
    pa.date32(): st.dates(date(1970, 1, 1), date(2200, 1, 1)),
    pa.int16(): st.integers(0, 2**15 - 1),
    pa.int32(): st.integers(0, 2**31 - 1),
    pa.uint32(): st.integers(0, 2**32 - 2),
    pa.uint64(): st.integers(0, 2**64 - 2),
    pa.float64(): st.floats(allow_nan=False),
}
_LEAST = {
    pa.timestamp("ms"): datetime(2026, 1, 1),
    pa.date32(): date(2026, 1, 1),
    **dict.fromkeys([pa.int16(), pa.int32(), pa.uint32(), pa.uint64(), pa.float64()], 0),
}
_ROW = st.fixed_dictionaries(
    {
        field.name: _ANY[field.type] | st.none()
        if field.name in ABSENT or field.type == pa.string()
        else _ANY[field.type]
        for field in EVENT
    }
)


def batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist(rows, schema=EVENT)


@given(st.lists(_ROW, max_size=6), st.integers(0, 6))
def test_no_way_round_changes_anything(rows: list[dict[str, Any]], cut: int) -> None:
    whole = batch(rows)
    assert Events.of(whole).batch().equals(whole)
    parts = [Events.of(batch(rows[:cut])), NOTHING, Events.of(batch(rows[cut:]))]
    assert join(parts).batch().equals(whole)
    read = [decode(encode(Record(part, Counts()))).events for part in parts]
    assert join(read).batch().equals(whole)
    assert read[0].batch().validate(full=True) is None


def test_more_words_than_16_bits_can_count() -> None:
    (row,) = batch([{field.name: _LEAST.get(field.type) for field in EVENT}]).to_pylist()
    n = 70_000
    whole = pa.Table.from_pylist([row], EVENT).take(pa.array([0] * n))
    whole = whole.set_column(
        EVENT.get_field_index("path"), EVENT.field("path"), pa.array([f"/{k}" for k in range(n)])
    )
    (one,) = whole.combine_chunks().to_batches()
    assert decode(encode(Record(Events.of(one), Counts()))).batch.equals(one)


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b"\1" + data[1:]]
)
def test_bytes_of_another_shape_are_refused(change: Any) -> None:
    with pytest.raises(Broken):
        decode(change(encode(Record(NOTHING, Counts()))))
