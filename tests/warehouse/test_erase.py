"""Facts of persons who must be gone: the others stay as they are, the balance holds, no byte is left."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from consent_filter.errors import Broken
from ingest.log.segment import SegmentLog
from pipelines import facts
from pipelines.settings import Pipelines
from tests.warehouse import sample
from tests.warehouse.sample import NOON, Event, found, left_over, record
from warehouse import compact, erase
from warehouse.catalog import Catalog
from warehouse.lake import Lake

#: The largest and smallest person of the lake, and one in between: the catalog remembers extremes.
GONE = np.array([3, 10**17 + 7, 2**64 - 5], np.uint64)
EVENTS = [
    Event(number, person, at=number * 40_000, path=f"/{number}")
    for number, person in enumerate([3, 50, 10**17 + 7, 10**17 + 8, 2**64 - 5, 2**64 - 9, 3])
]


def fill(data: Path, events: list[Event]) -> None:
    log = SegmentLog(data / "log", "collector")
    log.append(record(events, refused=2))
    log.turn(0)
    log.close()
    facts.run(data, Pipelines(), NOON)


def remove(data: Path, persons: erase.Persons = GONE) -> list[erase.Anew]:
    lake = Lake.open(data, write=True)
    assert lake is not None
    folder, prefix = lake.room()
    made = [
        erase.write(lake, path, persons, folder, f"{prefix}-{k}")
        for k, path in enumerate(erase.held(lake, persons))
    ]
    erase.replace(lake, made, persons)
    lake.close()
    return made


def everywhere(data: Path, persons: erase.Persons) -> set[str]:
    """Files whose bytes hold one of them, as text or number; and Parquet files whose rows do."""
    there = {str(f.relative_to(data / "lake")) for f in data.rglob("*") if f.is_file()
             for p in persons.tolist() for needle in (b"%d" % p, p.to_bytes(8, "little"))
             if p > 1000 and needle in f.read_bytes()}  # fmt: skip
    return there | set(erase.left(data, lambda some: np.isin(some, persons)))


def test_rows_leave_with_their_counts_and_the_rest_stays(tmp_path: Path) -> None:
    fill(tmp_path, EVENTS)
    before = found(tmp_path)
    made = remove(tmp_path)
    after = found(tmp_path)
    assert after.rows == {row: n for row, n in before.rows.items() if row[2] not in GONE.tolist()}
    assert after.balance["received"] == before.balance["received"] == 9
    assert after.balance["stored"] == 3
    assert after.balance["refused"] == {"consent": 2, "erased": 4}
    assert sum(one.gone for one in made) == 4
    lake = Lake.open(tmp_path)
    assert lake is not None
    assert {day for _, day in lake.touched(1)} == {sample.date(2026, 9, d) for d in (1, 2, 3, 4)}
    rows = lake.connection.execute("SELECT sum(rows)::BIGINT FROM lake.commits").fetchone()
    lake.close()
    assert rows == (3,)


@pytest.mark.requirement("M110")
def test_no_byte_is_left_once_readers_have_had_their_grace(tmp_path: Path) -> None:
    fill(tmp_path, EVENTS)
    assert everywhere(tmp_path, GONE)
    remove(tmp_path)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    assert erase.held(lake, GONE) == {}
    assert erase.left(tmp_path, lambda some: np.isin(some, GONE))  # old snapshots name them still
    compact.forget(lake, time.time() + 1)
    lake.close()
    assert everywhere(tmp_path, GONE) == set()  # the catalog has only known ranges of them
    assert Catalog.of(tmp_path).wipe()
    assert everywhere(tmp_path, GONE) == set()
    assert left_over(tmp_path) == set()
    # The catalog still finds who is there, and takes new ones.
    fill(tmp_path, [Event(99, 2**64 - 6, 300_000)])
    assert sum(found(tmp_path).rows.values()) == 4


def test_a_file_that_lost_a_row_too_many_is_not_taken(tmp_path: Path) -> None:
    fill(tmp_path, EVENTS)
    before = found(tmp_path)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    folder, prefix = lake.room()
    path = next(iter(erase.held(lake, GONE)))
    made = erase.write(lake, path, np.append(GONE, np.uint64(50)), folder, f"{prefix}-0")
    with pytest.raises(Broken):
        erase.replace(lake, [made], GONE)
    lake.close()
    assert found(tmp_path) == before


def test_values_are_put_right_in_their_rows_only(tmp_path: Path) -> None:
    fill(tmp_path, EVENTS)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    who = np.array([3], np.uint64)
    folder, prefix = lake.room()
    made = [
        erase.write(lake, path, who, folder, f"{prefix}-{k}", {"country": "'FR'"})
        for k, path in enumerate(erase.held(lake, who))
    ]
    erase.replace(lake, made, who, corrected=True)
    rows = lake.connection.execute("SELECT person, country FROM lake.events WHERE country <> 'DE'").fetchall()
    lake.close()
    assert rows == [(3, "FR"), (3, "FR")]
    assert found(tmp_path).balance["stored"] == 7
