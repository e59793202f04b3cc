"""What every log promises, run on each of them: whoever adds a log adds a line to LOGS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.log import Log
from ingest.log.memory import MemoryLog
from ingest.log.segment import SegmentLog
from tests.ingest.log.records import number, record

LOGS: dict[str, Callable[[Path], Log]] = {
    "memory": lambda _: MemoryLog("a"),
    "segment": lambda folder: SegmentLog(folder, "a"),
    "segment, small": lambda folder: SegmentLog(folder, "a", segment=1),
}


@pytest.fixture(params=LOGS)
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    made = LOGS[request.param](tmp_path)
    yield made
    made.close()


def name(log: Log) -> str:
    """Its one partition."""
    found: str = log.partition  # type: ignore[attr-defined]
    return found


def numbers(log: Log, start: int = 0, stop: int | None = None) -> list[int]:
    until = None if stop is None else {name(log): stop}
    return [number(found) for _, found in log.read({name(log): start}, until)]


def test_an_empty_log_has_nothing_to_read(log: Log) -> None:
    assert numbers(log) == []
    assert log.end().get(name(log), 0) == 0


def test_what_is_appended_is_read_in_order_and_whole(log: Log) -> None:
    made = [record(n, size=n * 100, rows=n + 1) for n in range(20)]
    for each in made:
        log.append(each)
    found = [r for _, r in log.read({})]
    assert [r.batch for r in found] == [r.batch for r in made]
    assert [r.counts for r in found] == [r.counts for r in made]


def test_positions_grow_and_are_those_that_reading_gives(log: Log) -> None:
    appended = [log.append(record(n)) for n in range(5)]
    assert appended == [offset for offset, _ in log.read({})]
    assert [o.position for o in appended] == sorted({o.position for o in appended})
    assert log.end() == {name(log): appended[-1].position}


def test_reading_goes_on_from_any_position_and_stops_at_any(log: Log) -> None:
    ends = [0] + [log.append(record(n)).position for n in range(6)]
    for i, start in enumerate(ends):
        assert numbers(log, start) == list(range(i, 6))
        for j, stop in enumerate(ends):
            assert numbers(log, start, stop) == list(range(i, max(i, j)))


def test_a_partition_missing_in_stop_stands_at_zero(log: Log) -> None:
    log.append(record(1))
    assert list(log.read({}, {})) == []
    assert list(log.read({}, {"b": 10})) == []


def test_a_start_behind_the_end_reads_nothing(log: Log) -> None:
    end = log.append(record(1)).position
    assert numbers(log, end + 10_000) == []


def test_trimming_keeps_all_that_comes_after(log: Log) -> None:
    ends = [log.append(record(n)).position for n in range(6)]
    for i, end in enumerate(ends):
        log.trim({name(log): end, "no such partition": 7})
        assert numbers(log, end) == list(range(i + 1, 6))
    assert log.end() == {name(log): ends[-1]}
    assert log.append(record(6)).position > ends[-1]
    assert numbers(log, ends[-1]) == [6]


def test_a_record_without_events_carries_its_counts(log: Log) -> None:
    empty = record(0, rows=0)
    log.append(empty)
    ((_, found),) = log.read({})
    assert found.batch.num_rows == 0
    assert found.counts == empty.counts


def test_threads_may_append_and_read_at_once(log: Log) -> None:
    def write(first: int) -> None:
        for n in range(first, first + 50):
            log.append(record(n))

    threads = [threading.Thread(target=write, args=(k * 50,)) for k in range(3)]
    for thread in threads:
        thread.start()
    while any(t.is_alive() for t in threads):
        seen = numbers(log)
        assert len(seen) == len(set(seen))
    for thread in threads:
        thread.join()
    assert sorted(numbers(log)) == list(range(150))
