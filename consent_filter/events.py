"""Events as the filter leaves them: every distinct text once, a small number for each cell that holds one.

Arrow's columns would be made of the same, but a call into Arrow for each of 39 columns costs more than all
else together when a batch is the few dozen requests of a moment (at 32 events 190 µs of 330). So they are
made once, of thousands of events, by whoever reads the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.fields import EVENT

_STRING = pa.string()
#: Columns of text and of numbers, in EVENT's order.
TEXTS = [field.name for field in EVENT if field.type == _STRING]
_AS = {pa.timestamp("ms"): "int64", pa.date32(): "int32", pa.float64(): "float64"}
NUMBERS: dict[str, np.dtype[Any]] = {
    field.name: np.dtype(_AS.get(field.type) or str(field.type)) for field in EVENT if field.type != _STRING
}
#: What stands for a number that is not there, in the columns that may lack one.
ABSENT: dict[str, float] = {
    "event_id": 2**64 - 1, "duration_ms": -1, "scroll": -1, "value": np.nan, "ad_view": 2**64 - 1,
    "ad_order": 2**64 - 1, "ad_share": -1, "ad_flags": 2**32 - 1, "ad_rate": -1,
}  # fmt: skip
#: Beside NUMBERS: finds the retry of an event that came before the key was replaced. In the log only.
BEFORE = "event_id_before"
#: Above so many events text columns are made one by one: the offsets of a column are 32 bits.
_LARGE = 4096


class Events(Struct):
    """`n` events. `words`: distinct texts, some of them null, the first always; `places`: for each of TEXTS a
    row of n indices into them. `numbers`: for each of NUMBERS its n values, ABSENT where there is none; and
    while keys overlap, under BEFORE, the event ids as the key of before makes them."""

    n: int
    words: pa.StringArray
    places: NDArray[Any]
    numbers: dict[str, NDArray[Any]]

    @classmethod
    def of(cls, batch: pa.RecordBatch) -> Events:
        """Events that stand in Arrow columns already."""
        words: list[str | None] = [None]
        places = np.zeros((len(TEXTS), batch.num_rows), np.uint32)
        for row, name in enumerate(TEXTS):
            column = batch[name].dictionary_encode()
            there = column.indices.is_valid().to_numpy(zero_copy_only=False)
            found = column.indices.fill_null(0).to_numpy()
            places[row] = np.where(there, found + len(words), 0)
            words += column.dictionary.to_pylist()
        numbers = {}
        for name, kind in NUMBERS.items():
            plain = batch[name] if not pa.types.is_temporal(batch[name].type) else _whole(batch[name])
            absent = pa.scalar(ABSENT.get(name, 0), plain.type)
            numbers[name] = np.ascontiguousarray(plain.fill_null(absent).to_numpy(), kind)
        return cls(batch.num_rows, pa.array(words, _STRING), places, numbers)

    def take(self, rows: NDArray[np.intp]) -> Events:
        """Some of the events, in the given order; all words stay."""
        numbers = {name: whole[rows] for name, whole in self.numbers.items()}
        return Events(len(rows), self.words, self.places[:, rows], numbers)

    def batch(self) -> pa.RecordBatch:
        """The same as EVENT."""
        columns = {name: _column(name, self.numbers[name]) for name in NUMBERS}
        if self.n < _LARGE:
            whole = self.words.take(pa.array(self.places.ravel()))
            columns |= {name: whole.slice(i * self.n, self.n) for i, name in enumerate(TEXTS)}
        else:
            columns |= {name: self.words.take(pa.array(self.places[i])) for i, name in enumerate(TEXTS)}
        return pa.RecordBatch.from_arrays([columns[name] for name in EVENT.names], schema=EVENT)


def join(parts: Sequence[Events]) -> Events:
    """The events of several batches, one after the other. Texts that two of them share stay twice."""
    if not parts:
        return NOTHING
    starts = np.cumsum([0, *[len(part.words) for part in parts]])
    places = [part.places + np.uint32(start) for part, start in zip(parts, starts[:-1].tolist(), strict=True)]
    numbers = {name: np.concatenate([part.numbers[name] for part in parts]) for name in NUMBERS}
    if any(BEFORE in part.numbers for part in parts):
        under = [part.numbers.get(BEFORE, part.numbers["event_id"]) for part in parts]
        numbers[BEFORE] = np.concatenate(under)
    words = pa.concat_arrays([part.words for part in parts])
    return Events(sum(part.n for part in parts), words, np.concatenate(places, axis=1), numbers)


def _whole(column: pa.Array) -> pa.Array:
    """Days and moments as the numbers they are kept as."""
    return column.cast(pa.int32() if column.type == pa.date32() else pa.int64())


def _column(name: str, values: NDArray[Any]) -> pa.Array:
    """A column of numbers as they lie in memory, null where they are absent."""
    valid, nulls = None, 0
    if name in ABSENT:
        there = ~np.isnan(values) if name == "value" else values != ABSENT[name]
        nulls = len(values) - int(there.sum())
        valid = pa.py_buffer(np.packbits(there, bitorder="little")) if nulls else None
    data = pa.py_buffer(np.ascontiguousarray(values))
    return pa.Array.from_buffers(EVENT.field(name).type, len(values), [valid, data], nulls)


NOTHING = Events(
    0,
    pa.array([None], _STRING),
    np.zeros((len(TEXTS), 0), np.uint16),
    {name: np.zeros(0, kind) for name, kind in NUMBERS.items()},
)
