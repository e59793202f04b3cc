"""Events of one stretch of the log → sorted Parquet without retries. Runs in a loop as well as in a job.

A file holds one day, sorted by (person, time): a range of persons is a bucket, and row groups outside it are
skipped by their statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.counts import REFUSED, STORED, Counts, Key
from consent_filter.errors import Broken
from consent_filter.fields import EVENT

#: Rows of a row group: small enough that one bucket of a large day skips most, large enough to compress.
ROW_GROUP = 128 * 1024
_DELTA = ("time", "received")
_PLAIN = ("person", "event_id", "value")


class Written(Struct):
    """What became of one stretch. `ids` are those of the rows kept; `rows` counts them by (site, day)."""

    files: list[str]
    rows: dict[tuple[str, int], int]
    counts: Counts
    ids: NDArray[np.uint64]
    read: int
    duplicates: int


class Sifted(Struct):
    """Events that are not retries, and the counts with the retries moved from stored to refused."""

    table: pa.Table
    counts: Counts
    ids: NDArray[np.uint64]
    duplicates: int


def sift(batches: Iterable[pa.RecordBatch], counts: Counts, seen: NDArray[np.uint64]) -> Sifted:
    """Take retries out. `seen`: sorted ids of events that are already stored."""
    table = pa.Table.from_batches(list(batches), schema=EVENT)
    fresh, ids = _fresh(table["event_id"], seen)
    counts = Counts(counts)
    if not fresh.all():
        _move(counts, table.filter(pa.array(~fresh)))
        table = table.filter(pa.array(fresh))
    return Sifted(table, counts, ids, int((~fresh).sum()))


def fold(
    batches: Iterable[pa.RecordBatch], counts: Counts, seen: NDArray[np.uint64], folder: Path, name: str
) -> Written:
    """Write the events that are not retries, a file a day. Raises Broken if a row is lost on the way."""
    held = list(batches)
    read = sum(batch.num_rows for batch in held)
    sifted = sift(held, counts, seen)
    files, rows = [], Counter[tuple[str, int]]()
    if sifted.table.num_rows:
        table, days = _sorted(sifted.table)
        edges = np.flatnonzero(np.diff(days)) + 1
        for start, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(days)], strict=True):
            one, day = table.slice(start, stop - start), int(days[start])
            file = folder / f"{day}-{name}.parquet"
            write(one, file)
            files.append(str(file))
            for site, n in zip(*_tally(one["site"]), strict=True):
                rows[site, day] += n
    if sum(rows.values()) + sifted.duplicates != read:
        raise Broken(f"read {read} events, wrote {sum(rows.values())}, {sifted.duplicates} retries")
    return Written(files, dict(rows), sifted.counts, sifted.ids, read, sifted.duplicates)


def _tally(column: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    found = column.value_counts()
    return found.field("values").to_pylist(), found.field("counts").to_pylist()


def _fresh(column: pa.ChunkedArray, seen: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
    """Which rows are the first with their id; and those ids, sorted. Rows without an id are always fresh."""
    fresh = np.ones(len(column), np.bool_)
    have = column.is_valid().to_numpy()
    ids = column.drop_null().to_numpy()
    distinct, first = np.unique(ids, return_index=True)
    known = _among(distinct, seen)
    keep = np.zeros(len(ids), np.bool_)
    keep[first[~known]] = True
    fresh[have] = keep
    return fresh, distinct[~known]


def _among(ids: NDArray[np.uint64], seen: NDArray[np.uint64]) -> NDArray[np.bool_]:
    if not len(seen):
        return np.zeros(len(ids), np.bool_)
    place = np.minimum(np.searchsorted(seen, ids), len(seen) - 1)
    return seen[place] == ids


def _move(counts: Counts, retries: pa.Table) -> None:
    """Counted as stored when they were accepted; refused as duplicates now."""
    coarse = retries.select(["site", "day", "protocol", "country"]).group_by(["site", "day", "protocol", "country"])
    for row in coarse.aggregate([([], "count_all")]).to_pylist():
        day = (row["day"] - _EPOCH).days
        n = row["count_all"]
        counts[Key(row["site"], day, row["protocol"], row["country"], STORED, "", "")] -= n
        counts[Key(row["site"], day, row["protocol"], row["country"], REFUSED, "duplicate", "retry")] += n


_EPOCH = date(1970, 1, 1)


def _sorted(table: pa.Table) -> tuple[pa.Table, NDArray[np.int32]]:
    days = table["day"].cast(pa.int32()).to_numpy()
    person = table["person"].to_numpy()
    time = table["time"].cast(pa.int64()).to_numpy()
    order = np.lexsort((time, person, days))
    return table.take(pa.array(order)), days[order]


def write(table: pa.Table, file: Path) -> None:
    """One Parquet file of facts, in the order of the table."""
    coded = [f.name for f in EVENT if f.name not in _DELTA + _PLAIN]
    pq.write_table(
        table,
        file,
        row_group_size=ROW_GROUP,
        compression="zstd",
        compression_level=3,
        use_dictionary=coded,
        column_encoding={name: "DELTA_BINARY_PACKED" for name in _DELTA},
        write_page_index=False,
    )
