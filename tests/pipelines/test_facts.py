"""The facts job on its real runner: any way of cutting the log into runs and stretches gives the same."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from consent_filter.counts import Counts
from consent_filter.errors import Broken, Misconfigured
from consent_filter.events import Events
from ingest.log.record import Record
from ingest.log.segment import SegmentLog
from pipelines import facts
from pipelines.balance import balance, lag
from pipelines.beamio import stretches
from pipelines.settings import Pipelines
from tests.warehouse.sample import NOON, Event, batch, expected, found, left_over, record

#: A stretch for every segment, so that a few records make several elements.
TINY = Pipelines(stretch_mib=1e-6)

Said = list[tuple[list[Event], int]]

EVENTS = st.builds(
    Event,
    st.none() | st.integers(0, 12),
    st.integers(0, 2**64 - 1),
    st.integers(-80_000, 80_000),  # all within the time of retries when they are folded
    st.sampled_from(["market", "help"]),
    st.sampled_from(["/", "/a\x00b", "\U0010a862"]),
    other=st.none(),  # both sides of an event: tests/warehouse/test_two_people.py
)
SAID = st.lists(st.tuples(st.lists(EVENTS, max_size=5), st.integers(0, 2)), min_size=4, max_size=10)


def append(data: Path, said: Sequence[tuple[list[Event], int]], segment: int = 6000) -> None:
    log = SegmentLog(data / "log", "collector", segment=segment)
    for events, refused in said:
        log.append(record(events, refused))
    log.close()


def fold(data: Path, at: float = 90_000, how: Pipelines = TINY) -> facts.Folded:
    return facts.run(data, how, NOON + at)


@settings(
    max_examples=8,  # making a lake costs more than all that is put into it
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(SAID, st.sets(st.integers(1, 9)), st.sampled_from([3000, 9000, 1 << 20]))
def test_runs_and_stretches_do_not_show(said: Said, ends: set[int], segment: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        data, begun = Path(name), 0
        for end in [*sorted(end for end in ends if end < len(said)), len(said)]:
            append(data, said[begun:end], segment)
            begun = end
            fold(data)
        assert fold(data).commit == 0, "a second run has nothing to do"
        assert found(data) == expected(said)
        assert left_over(data) == set()


def test_a_retry_in_another_stretch_of_the_run_is_found(tmp_path: Path) -> None:
    said: Said = [([Event(k, k)], 0) for k in range(30)] + [
        ([Event(k, 99), Event(100 + k, 1)], 0) for k in range(30)
    ]
    append(tmp_path, said, segment=2000)
    log = SegmentLog(tmp_path / "log")
    assert len(list(stretches(tmp_path, log, {}, log.end(), 1))) > 10
    done = fold(tmp_path)
    assert (done.stored, done.duplicates) == (60, 30)
    assert found(tmp_path) == expected(said)


def test_a_retry_is_found_in_another_run_and_another_process(tmp_path: Path) -> None:
    """Whoever the retry is said to be of, and on whatever day it says it happened."""
    first: Said = [([Event(k, k) for k in range(50)], 0)]
    append(tmp_path, first)
    fold(tmp_path)
    again: Said = [([Event(k, 1000 + k, 86_400) for k in range(0, 50, 7)], 0)]
    append(tmp_path, again)
    facts._memory.key = None  # as in a new process
    assert fold(tmp_path, 100_000).duplicates == 8
    append(tmp_path, again)
    assert fold(tmp_path, 100_000).duplicates == 8
    assert found(tmp_path) == expected(first + again + again)


def test_a_retry_is_found_for_two_days_and_not_for_ever(tmp_path: Path) -> None:
    append(tmp_path, [([Event(1, 1)], 0)])
    fold(tmp_path, 60)
    append(tmp_path, [([Event(1, 2, 48 * 3600)], 0)])
    assert fold(tmp_path, 48 * 3600 + 60).duplicates == 1
    append(tmp_path, [([Event(1, 3, 60 * 3600)], 0)])
    facts._memory.key = None
    assert fold(tmp_path, 60 * 3600).stored == 1


def test_a_clock_that_steps_back_does_no_harm(tmp_path: Path) -> None:
    said: Said = [([Event(k, k, 7200)], 0) for k in range(3)]
    append(tmp_path, said)
    fold(tmp_path, 7200)
    back: Said = [([Event(k, k, 0), Event(10 + k, k, 0)], 1) for k in range(3)]
    append(tmp_path, back)
    assert fold(tmp_path, 10).duplicates == 3
    append(tmp_path, back)
    assert fold(tmp_path, -90_000).duplicates == 6
    assert found(tmp_path) == expected(said + back + back)


@pytest.mark.requirement("S15")
def test_the_balance_holds_before_and_after_folding(tmp_path: Path) -> None:
    """Also to the last event that is not folded yet, retries of folded ones among them."""
    import time

    now = round(time.time() - NOON)
    said: Said = [([Event(k % 6, k, now) for k in range(9)], 2)]
    append(tmp_path, said)
    assert balance(tmp_path) == expected(said).balance
    assert lag(tmp_path)["bytes"] > 0
    facts.run(tmp_path)
    said.append(([Event(5, 1, now), Event(77, 1, now)], 0))
    append(tmp_path, said[1:])
    assert balance(tmp_path) == expected(said).balance
    facts.run(tmp_path)
    assert balance(tmp_path) == expected(said).balance == found(tmp_path).balance
    assert lag(tmp_path) == {"bytes": 0}


def test_what_is_folded_is_trimmed(tmp_path: Path) -> None:
    append(tmp_path, [([Event(k, k)], 0) for k in range(20)], segment=1500)
    assert len(list((tmp_path / "log" / "collector").glob("*.log"))) > 3
    fold(tmp_path)
    assert len(list((tmp_path / "log" / "collector").glob("*.log"))) == 1


def test_several_partitions_are_folded_together(tmp_path: Path) -> None:
    append(tmp_path, [([Event(1, 1)], 0)])
    log = SegmentLog(tmp_path / "log", "import")
    log.append(record([Event(1, 5), Event(None, 6, -86_400 * 400)]))
    log.close()
    done = fold(tmp_path)
    assert (done.stored, done.duplicates) == (2, 1)
    assert fold(tmp_path).commit == 0


def test_rows_and_counts_that_disagree_stop_the_job(tmp_path: Path) -> None:
    append(tmp_path, [([Event(1, 1)], 0)])
    fold(tmp_path)
    before = found(tmp_path)
    log = SegmentLog(tmp_path / "log", "collector")
    log.append(Record(Events.of(batch([Event(2, 2)])), Counts()))
    log.close()
    with pytest.raises(Broken, match="counts 0 events as stored and holds 1"):
        fold(tmp_path)
    assert found(tmp_path) == before
    assert left_over(tmp_path) == set()


def test_it_starts_where_nothing_has_been_collected(tmp_path: Path) -> None:
    assert fold(tmp_path) == facts.Folded()
    assert balance(tmp_path) == {"received": 0, "stored": 0, "refused": {}}


def test_another_lake_at_the_same_place_is_another(tmp_path: Path) -> None:
    """What a process remembers of ids is of one catalog only."""
    for _ in range(2):
        append(tmp_path, [([Event(1, 1)], 0)])
        assert fold(tmp_path).stored == 1
        shutil.rmtree(tmp_path / "log")
        shutil.rmtree(tmp_path / "lake")


@pytest.mark.parametrize(
    "wrong",
    [
        {"runner": "DirectRunner"},
        {"options": ("--direct_running_mode=multi_threading",)},
        {"threads": 0},
        {"stretch_mib": 0},
        {"open_files": 3},
    ],
)
def test_settings_that_lose_rows_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Misconfigured):
        Pipelines(**wrong)  # type: ignore[arg-type]


def test_workers_that_share_no_memory_find_the_same(tmp_path: Path) -> None:
    """As on a remote runner: the ids seen go through a file."""
    said: Said = [([Event(k % 5, k)], 0) for k in range(12)]
    for one in said:
        append(tmp_path, [one])
        fold(tmp_path, how=Pipelines(stretch_mib=1e-6, options=("--direct_running_mode=in_memory",)))
    assert found(tmp_path) == expected(said)
    assert left_over(tmp_path) == set()
