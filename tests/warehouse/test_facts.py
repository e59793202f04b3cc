"""Folding in a plain loop: retries, order, files, and rows against counts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.counts import Counts
from consent_filter.errors import Broken
from consent_filter.events import join
from tests.warehouse.sample import DAY, Event, record
from warehouse import facts
from warehouse.recent import Recent

EVENTS = st.lists(
    st.builds(
        Event,
        st.none() | st.integers(0, 8),
        st.integers(0, 2**64 - 1),
        st.integers(-200_000, 200_000),
        other=st.none(),
    ),
    max_size=20,
)


@given(st.lists(EVENTS, max_size=4), st.sets(st.integers(0, 8)))
def test_first_of_an_id_stays_and_the_sum_too(batches: list[list[Event]], seen: set[int]) -> None:
    counts = Counts()
    for one in batches:
        counts.update(record(one).counts)
    known = Recent(np.array(sorted(seen), np.uint64))
    events = join([record(one).events for one in batches])
    sifted = facts.sift(events, counts, known)
    kept, had = [], set(seen)
    for event in (event for one in batches for event in one):
        if event.id is None or event.id not in had:
            kept.append(event.person)
            had.add(event.id if event.id is not None else -1)
    assert events.numbers["person"][sifted.fresh].tolist() == kept
    assert sifted.ids.tolist() == sorted(had - seen - {-1})
    by = dict.fromkeys(("received", "stored", "refused"), 0)
    for key, n in sifted.counts.items():
        by[key.outcome] += n
    assert by == {
        "received": sum(map(len, batches)),
        "stored": len(kept),
        "refused": sum(map(len, batches)) - len(kept),
    }


def fold(events: list[Event], folder: Path) -> facts.Written:
    one = record(events)
    return facts.fold(one.events, one.counts, Recent(), folder, "x")


def test_files_are_sorted_by_day_person_time(tmp_path: Path) -> None:
    chance = np.random.default_rng(1)
    events = [Event(None, int(chance.integers(0, 5)), int(chance.integers(0, 10**7))) for _ in range(500)]
    written = fold(events, tmp_path)
    for file in written.files:
        table = pq.read_table(file, columns=["day", "person", "time"])
        assert table.equals(
            table.sort_by([("day", "ascending"), ("person", "ascending"), ("time", "ascending")])
        )


@pytest.mark.parametrize(("days", "files"), [(1, 1), (3, 3), (4, 1), (40, 2)])
def test_few_days_get_a_file_each_and_many_one_a_month(tmp_path: Path, days: int, files: int) -> None:
    written = fold([Event(k, k, 86_400 * k) for k in range(days)], tmp_path)
    assert len(written.files) == files
    assert written.rows == {("market", DAY + k): 1 for k in range(days)}


def test_ids_are_compared_whole(tmp_path: Path) -> None:
    """64-bit ids that differ in the last bit only are two, also beyond what a float holds."""
    written = fold([Event(2**64 - 1, 1), Event(2**64 - 2, 1), Event(2**63, 1), Event(2**63 + 1, 1)], tmp_path)
    assert (written.read, written.duplicates) == (4, 0)


def test_rows_that_nobody_counted_are_not_written(tmp_path: Path) -> None:
    one = record([Event(1, 2)])
    with pytest.raises(Broken, match="counts 0"):
        facts.fold(one.events, Counts(), Recent(), tmp_path, "x")
    assert not list(tmp_path.iterdir())


def test_persons_are_skipped_by_statistics(tmp_path: Path) -> None:
    """A bucket of a large day reads few row groups; ranges are rounded (`warehouse/blur.py`)."""
    table = pa.Table.from_batches([record([Event(None, 0)]).batch])
    many = table.take(np.zeros(facts.ROW_GROUP * 2 + 1, np.int64))
    persons = np.sort(np.random.default_rng(1).integers(0, 2**64, len(many), np.uint64))
    many = many.set_column(many.schema.get_field_index("person"), "person", pa.array(persons))
    facts.write(many, tmp_path / "x.parquet")
    found = pq.ParquetFile(tmp_path / "x.parquet").metadata
    place = found.schema.names.index("person")
    ranges = [found.row_group(k).column(place).statistics for k in range(found.num_row_groups)]
    assert len(ranges) == 3
    assert all(a.max >> 52 <= b.min >> 52 for a, b in pairwise(ranges))
