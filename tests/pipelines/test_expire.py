"""Looking after facts: nothing changes but what is over, and of that no byte is left."""

from __future__ import annotations

import time
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_filter.events import Events
from consent_filter.fields import EVENT, RETRY
from ingest.imports import Imports
from ingest.log.segment import SegmentLog
from pipelines import expire, facts
from pipelines.settings import Pipelines
from tests.warehouse import sample
from tests.warehouse.sample import NOON, Event, expected, found, left_over, record
from warehouse import compact
from warehouse.lake import Lake

FEW = Pipelines(open_files=4)
DAYS = 86_400.0


def append(data: Path, events: list[Event], policy: str = "workallies-2024/1") -> None:
    one = record(events)
    place = EVENT.get_field_index("policy")
    rows = one.batch.set_column(place, "policy", pa.array([policy] * len(events), pa.string()))
    log = SegmentLog(data / "log", "collector")
    log.append(one._replace(events=Events.of(rows)))
    log.close()


def held(data: Path) -> list[compact.File]:
    lake = Lake.open(data)
    assert lake is not None
    try:
        return compact.files(lake)
    finally:
        lake.close()


def test_the_catalog_says_what_is_in_each_file(tmp_path: Path) -> None:
    append(tmp_path, [Event(1, 1, 0), Event(None, 2, 10), Event(None, 3, 86_400)])
    facts.run(tmp_path, FEW, NOON)
    one, other = sorted(held(tmp_path), key=lambda file: file.days)
    assert (one.rows, one.days, one.received, one.ids) == (2, ("2026-09-01",) * 2, (NOON, NOON + 10), True)
    assert (other.rows, other.days, other.received, other.ids) == (
        1,
        ("2026-09-02",) * 2,
        (NOON + DAYS,) * 2,
        False,
    )
    assert all(pq.read_metadata(file.path).num_rows == file.rows for file in (one, other))


def test_many_refreshes_leave_few_files_and_the_same_facts(tmp_path: Path) -> None:
    said = []
    for k in range(30):
        events = [Event(10 * k + i, i, k * 60) for i in range(3)]
        said.append((events, 0))
        append(tmp_path, events)
        facts.run(tmp_path, FEW, NOON + k * 60)
        assert len(held(tmp_path)) <= 8
    assert found(tmp_path) == expected(said)
    assert left_over(tmp_path) == set()
    assert found(tmp_path) == expected(said)


def test_ids_end_with_the_time_of_retries(tmp_path: Path) -> None:
    append(tmp_path, [Event(12345678901234567, 1), Event(None, 2)])
    facts.run(tmp_path, FEW, NOON)
    late = NOON + RETRY.total_seconds()
    expire.run(tmp_path, FEW, late)
    assert held(tmp_path)[0].ids, "a retry may still come"
    expire.run(tmp_path, FEW, late + 2 * 3600)
    assert not held(tmp_path)[0].ids
    assert found(tmp_path).rows == sample.expected([([Event(None, 1), Event(None, 2)], 0)]).rows
    assert expire.run(tmp_path, FEW, late + 3 * 3600) == expire.Expired(), "once is enough"


@pytest.mark.requirement("M79")
def test_what_is_over_is_gone_from_the_disk(tmp_path: Path) -> None:
    """760 days after receipt, whatever the day of the event; of a shorter policy after its own days."""
    append(tmp_path, [Event(1, 1, path="/planted-old"), Event(2, 2, 40 * 86_400, path="/younger")])
    append(tmp_path, [Event(3, 3, path="/planted-short")], "worktasker-2014/1")
    facts.run(tmp_path, FEW, NOON)
    balance = found(tmp_path).balance

    for days, gone in ((393, set()), (395, {"/planted-short"}), (760, {"/planted-short", "/planted-old"})):
        now = NOON + days * DAYS
        expire.run(tmp_path, FEW, now)
        paths = {row[-1] for row in found(tmp_path).rows}
        assert paths == {"/planted-old", "/younger", "/planted-short"} - gone
        assert left_over(tmp_path) == set()
        text = b"".join(p.read_bytes() for p in (tmp_path / "lake" / "files").rglob("*") if p.is_file())
        assert {path for path in ("/planted-old", "/planted-short") if path.encode() in text} == {
            "/planted-old",
            "/planted-short",
        } - gone
    assert found(tmp_path).balance == balance, "what was received has been received"


def test_a_policy_that_is_gone_keeps_facts_the_longest_time(tmp_path: Path) -> None:
    append(tmp_path, [Event(1, 1)], "nobody-knows/3")
    facts.run(tmp_path, FEW, NOON)
    expire.run(tmp_path, FEW, NOON + 758 * DAYS)
    assert found(tmp_path).rows.total() == 1
    expire.run(tmp_path, FEW, NOON + 760 * DAYS)
    assert found(tmp_path).rows.total() == 0
    append(tmp_path, [Event(1, 1)])
    assert facts.run(tmp_path, FEW, NOON + 760 * DAYS).stored == 1


def test_a_sites_own_pack_says_how_long(tmp_path: Path) -> None:
    """A pack of the operator's, and a shipped one that the operator has shortened; in every version."""
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    for name, days in (("own", 9), ("workallies-2024", 5)):
        said = text.replace('"workallies-2024"', f'"{name}"').replace("= 760", f"= {days}")
        (tmp_path / f"{name}.toml").write_text(said)
    packs = {str(tmp_path / "own.toml"), str(tmp_path / "workallies-2024.toml"), "worktasker-2014"}
    append(tmp_path, [Event(1, 1, path="/own")], "own/0")
    append(tmp_path, [Event(2, 2, path="/shortened")])
    append(tmp_path, [Event(3, 3, path="/shipped")], "worktasker-2014/1")
    facts.run(tmp_path, FEW, NOON, packs)
    for days, left in ((3, {"/own", "/shortened", "/shipped"}), (5, {"/own", "/shipped"}), (9, {"/shipped"})):
        expire.run(tmp_path, FEW, NOON + days * DAYS, packs)
        assert {row[-1] for row in found(tmp_path).rows} == left


def test_lines_are_remembered_for_as_long_as_their_facts_may_last(tmp_path: Path) -> None:
    file, prints, time = tmp_path / "imports.sqlite", np.arange(9, dtype=np.uint64), np.full(9, 5, np.int64)
    lines = Imports(file, 0)
    lines.intend("shop", prints, time, round(NOON * 1000), 0)
    lines.confirm(1)
    append(tmp_path, [Event(1, 1)])
    facts.run(tmp_path, FEW, NOON)
    facts.run(tmp_path, FEW, NOON + 760 * DAYS)
    assert found(tmp_path).rows.total() == 0
    assert not lines.unseen("shop", prints, time).any()
    facts.run(tmp_path, FEW, NOON + 760 * DAYS + 3601)
    assert lines.unseen("shop", prints, time).all()
    lines.close()


def test_readers_keep_their_files_for_a_while(tmp_path: Path) -> None:
    for k in range(3):
        append(tmp_path, [Event(k, k, k)])
        facts.run(tmp_path, FEW, NOON + k)
    reader = Lake.open(tmp_path)
    assert reader is not None
    append(tmp_path, [Event(9, 9)])
    facts.run(tmp_path, FEW, NOON + 3)
    assert expire.run(tmp_path, FEW, NOON + 2 * 86_400 * 2).merged
    assert expire.forget(tmp_path, FEW, time.time()) == 0, "within the time of grace"
    assert reader.connection.execute("SELECT count(*), count(event_id) FROM lake.events").fetchall() == [
        (3, 3)
    ]
    reader.close()
    assert expire.forget(tmp_path, FEW, time.time() + 3600) == 4
    assert left_over(tmp_path) == set()


def test_large_merges_are_cut_and_sorted(tmp_path: Path, monkeypatch: object) -> None:
    compact._MOST, before = 20, compact._MOST
    try:
        events = [Event(k, k * 7 % 50, k) for k in range(50)]
        for part in (events[:25], events[25:]):
            append(tmp_path, part)
            facts.run(tmp_path, FEW, NOON)
        expire.run(tmp_path, FEW, NOON + 5 * DAYS)
    finally:
        compact._MOST = before
    rows = [pq.read_table(file.path, columns=["day", "person", "time"]) for file in held(tmp_path)]
    assert sum(len(one) for one in rows) == 50
    for one in rows:
        assert one.equals(one.sort_by([("day", "ascending"), ("person", "ascending"), ("time", "ascending")]))


def test_a_day_of_commits_is_summed_up(tmp_path: Path) -> None:
    before, expire.SETTLE = expire.SETTLE, 3
    try:
        said = []
        for k in range(8):
            said.append(([Event(k, k, k)], 1))
            log = SegmentLog(tmp_path / "log", "collector")
            log.append(record(*said[-1]))
            log.close()
            facts.run(tmp_path, FEW, NOON + k)
    finally:
        expire.SETTLE = before
    lake = Lake.open(tmp_path)
    assert lake is not None
    assert lake.connection.execute("SELECT count(*) FROM lake.commits").fetchone() == (2,)
    assert lake.number() == 8
    lake.close()
    assert found(tmp_path) == expected(said)
