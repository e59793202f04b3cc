"""Events of one stretch of the log → sorted Parquet without retries. Runs in a loop as well as in a job.

Rows are sorted by (day, person, time): a range of persons is a bucket, and row groups outside of the wanted
days and persons are skipped by their statistics.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.campaigns import NONE, counted
from consent_filter.counterpart import TYPE, narrow
from consent_filter.counts import REFUSED, STORED, Counts, Key
from consent_filter.errors import Broken
from consent_filter.events import ABSENT, BEFORE, Events
from consent_filter.fields import EVENT
from warehouse.depot import Place, new
from warehouse.recent import Ids, Recent

#: Rows of a row group: small enough that one bucket of a large day skips most, large enough to compress
#: (a day of 316,000 events: 15.2 bytes an event at 32 Ki rows, 14.7 at 128 Ki, 14.4 in one).
ROW_GROUP = 128 * 1024
#: Days that get a file each; of more (an import, a long pause) it is a file for each month.
FEW_DAYS = 3
#: Measured on that day, event_id nulled: DELTA on durations saves 0.24 bytes an event; a dictionary of
#: persons costs 0.8 more than plain numbers, since sorting has made runs of them; zstd 9 saves 0.16 at half
#: the speed.
_DELTA = ("time", "received", "duration_ms")
_PLAIN = ("person", "event_id", "value")
FORMAT: dict[str, Any] = {
    "compression": "zstd",
    "compression_level": 3,
    "use_dictionary": [f.name for f in EVENT if f.name not in _DELTA + _PLAIN],
    "column_encoding": dict.fromkeys(_DELTA, "DELTA_BINARY_PACKED"),
}
_EPOCH = date(1970, 1, 1)


#: Which of these persons may not be stored any more: erased, or about to be.
Absent = Callable[[NDArray[np.uint64]], NDArray[np.bool_]]


class Written(Struct):
    """What became of one stretch. `ids` are those of the rows kept; `rows` counts them by (site, day).
    `erased`: events of persons who may not be stored. `left_out`: messages of its log that are not ours."""

    files: list[str]
    rows: dict[tuple[str, int], int]
    counts: Counts
    ids: Ids
    read: int
    duplicates: int
    erased: int = 0
    left_out: int = 0


class Sifted(Struct):
    """Which events are to be stored; the counts with the others moved from stored to refused; ids kept."""

    fresh: NDArray[np.intp]
    counts: Counts
    ids: Ids
    duplicates: int
    erased: int


def nobody(persons: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Where nobody has been erased."""
    return np.zeros(len(persons), np.bool_)


def sift(events: Events, counts: Counts, seen: Recent, absent: Absent = nobody) -> Sifted:
    """Take out whoever was erased, by whatever way an event of theirs has come in (S2); and retries: of two
    events with one id the first stays, whoever they are said to be of."""
    distinct, where = np.unique(events.numbers["person"], return_inverse=True)
    there, beside = ~absent(distinct)[where], narrow(events)
    here, gone = np.flatnonzero(there & ~beside), np.flatnonzero(~there & ~beside)
    fresh, ids = _fresh(*_named(events, here), seen=seen)
    rows, counts = here[fresh], Counts(counts)
    for out, reason, detail in ((gone, "erased", "kept_out"), (here[~fresh], "duplicate", "retry")):
        if len(out):
            _move(counts, pa.Table.from_batches([events.take(out).batch()]), reason, detail)
    if beside.any():
        rows = np.sort(np.concatenate([rows, _beside(events, there, beside, here[~fresh], gone, seen)]))
    return Sifted(rows, counts, ids, len(here) - int(fresh.sum()), len(gone))


def _named(events: Events, rows: NDArray[np.intp]) -> list[NDArray[np.uint64]]:
    """What those rows are known by: their ids, and while keys overlap those under the older one."""
    return [events.numbers[one][rows] for one in ("event_id", BEFORE) if one in events.numbers]


def _beside(
    events: Events,
    there: NDArray[np.bool_],
    beside: NDArray[np.bool_],
    repeated: NDArray[np.intp],
    gone: NDArray[np.intp],
    seen: Recent,
) -> NDArray[np.intp]:
    """Narrow rows that are stored: each stands behind its event, and goes where that is a retry. Where its
    sender is gone it stays: one side's erasure does not delete the other's part (S14)."""
    again = np.zeros(events.n + 1, np.bool_)
    again[repeated + 1] = True
    first, _ = _fresh(*_named(events, gone), seen=seen)
    again[gone[~first] + 1] = True
    return np.flatnonzero(beside & there & ~again[:-1])


def fold(
    events: Events, counts: Counts, seen: Recent, folder: Place, name: str, absent: Absent = nobody
) -> Written:
    """Write the events that are no retries, of nobody who was erased. Raises Broken where rows and counts
    don't agree."""
    sifted = sift(events, counts, seen, absent)
    counted = sum(n for key, n in counts.items() if key.outcome == STORED)
    beside = int(narrow(events).sum())
    if counted != events.n - beside:
        raise Broken(f"the log counts {counted} events as stored and holds {events.n - beside}")
    files, rows = [], {}
    if len(sifted.fresh):
        table, days = _sorted(events, sifted.fresh)
        rows = _tally(table)
        for k, (start, stop) in enumerate(pairwise([0, *_cuts(days), len(days)])):
            file = folder / f"{name}-{k}.parquet"
            write(table.slice(start, stop - start), file)
            files.append(str(file))
    left_out = sifted.duplicates + sifted.erased
    if sum(rows.values()) + left_out != counted:
        raise Broken(f"read {counted} events, wrote {sum(rows.values())}, left out {left_out}")
    return Written(files, rows, sifted.counts, sifted.ids, events.n, sifted.duplicates, sifted.erased)


def _cuts(days: NDArray[np.int32]) -> list[int]:
    """Where the next file begins: at each day where they are few, at each month where they are many."""
    edges = np.flatnonzero(np.diff(days)) + 1
    if len(edges) >= FEW_DAYS:
        month = days.astype("datetime64[D]").astype("datetime64[M]")
        edges = np.flatnonzero(month[1:] != month[:-1]) + 1
    return [int(edge) for edge in edges]


def _tally(table: pa.Table) -> dict[tuple[str, int], int]:
    """Events by (site, day); the other side of one is none."""
    table = table.filter(pc.not_equal(table["type"], TYPE)).select(["site", "day"])
    found = table.group_by(["site", "day"]).aggregate([([], "count_all")])
    days = found["day"].cast(pa.int32()).to_pylist()
    sites, n = found["site"].to_pylist(), found["count_all"].to_pylist()
    return dict(zip(zip(sites, days, strict=True), n, strict=True))


def _fresh(
    column: NDArray[np.uint64], before: NDArray[np.uint64] | None = None, *, seen: Recent
) -> tuple[NDArray[np.bool_], Ids]:
    """Which rows are the first with their id; and those ids, sorted. Rows without an id are always fresh.

    `before`: the same ids under the other of two keys that overlap. A row may have either or both, whichever
    first, as it was received before or while they do: so rows that share one are one event, and both are
    remembered, as the next retry may have either.
    """
    have = column != np.uint64(ABSENT["event_id"])
    one = column if before is None else _alike(column, before)
    distinct, first = np.unique(one[have], return_index=True)
    new = ~seen.among(distinct)
    if before is not None:
        known = seen.among(column[have]) | seen.among(before[have])
        new &= ~np.isin(distinct, one[have][known])
    keep = np.zeros(int(have.sum()), np.bool_)
    keep[first[new]] = True
    fresh = np.ones(len(column), np.bool_)
    fresh[have] = keep
    if before is None:
        return fresh, distinct[new]
    return fresh, np.union1d(column[have][first[new]], before[have][first[new]])


def _alike(column: NDArray[np.uint64], before: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """One number for each event, whichever of its two ids a row has: the smaller, where a row tells both."""
    one, other = np.minimum(column, before), np.maximum(column, before)
    both = column != before
    larger, at = np.unique(other[both], return_index=True)
    if not len(larger):
        return one
    place = np.minimum(np.searchsorted(larger, one), len(larger) - 1)
    return np.where(larger[place] == one, one[both][at][place], one)


def _move(counts: Counts, rows: pa.Table, reason: str, detail: str) -> None:
    """Counted as stored when they were accepted; refused now."""
    by = ["site", "day", "protocol", "country", "type", "ad_campaign"]
    for row in rows.select(by).group_by(by).aggregate([([], "count_all")]).to_pylist():
        where = row["site"], (row["day"] - _EPOCH).days, row["protocol"], row["country"]
        left = row["count_all"]
        for shown in counted(row["type"], row["ad_campaign"]):
            stored = Key(*where, STORED, "", "", *shown)
            n = min(left, max(counts[stored], 0)) if shown != NONE else left
            if n:
                counts[stored] -= n
                counts[stored._replace(outcome=REFUSED, reason=reason, detail=detail)] += n
                left -= n


def _sorted(events: Events, rows: NDArray[np.intp]) -> tuple[pa.Table, NDArray[np.int32]]:
    """These events by (day, person, time). Sorted before they become columns: a text is then moved once."""
    days, person, time = (events.numbers[name][rows] for name in ("day", "person", "time"))
    order = np.lexsort((time, person, days))
    return pa.Table.from_batches([events.take(rows[order]).batch()]), days[order]


def write(table: pa.Table, file: Place) -> None:
    """One new Parquet file of facts in the order of the table, durable when this returns."""
    with new(file) as out:
        pq.write_table(table, out, row_group_size=ROW_GROUP, **FORMAT)


def total(written: Iterable[Written]) -> tuple[Counts, dict[tuple[str, int], int]]:
    """Counts and rows by (site, day) of all stretches together."""
    counts, rows = Counts(), Counter[tuple[str, int]]()
    for one in written:
        for key, n in one.counts.items():
            counts[key] += n
        rows.update(one.rows)
    return counts, dict(rows)
