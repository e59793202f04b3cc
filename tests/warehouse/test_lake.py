"""The lake: derived columns, whole commits, readers with a snapshot of their own, and a folder that moves."""

from __future__ import annotations

import resource
import shutil
from pathlib import Path

import pytest

from consent_filter.counts import Counts
from consent_filter.errors import Broken
from consent_filter.fields import BY_NAME, EVENT
from tests.warehouse.sample import DAY, Event, batch, expected, found, record
from warehouse import compact, facts
from warehouse.lake import Lake
from warehouse.recent import Recent


def commit(data: Path, events: list[Event], position: int, refused: int = 0) -> int:
    """Fold one record by hand."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    folder, prefix = lake.room()
    one = record(events, refused)
    written = facts.fold(one.events, one.counts, Recent(), folder, prefix)
    number = lake.commit(
        [Path(f) for f in written.files], {"collector": position}, written.counts, written.rows
    )
    lake.close()
    return number


def test_its_columns_are_those_of_event(tmp_path: Path) -> None:
    commit(tmp_path, [Event(1, 2)], 10)
    lake = Lake.open(tmp_path)
    assert lake is not None
    held = lake.connection.execute("FROM lake.events").to_arrow_table()
    assert held.schema == EVENT
    assert held.to_batches()[0] == batch([Event(1, 2)])
    lake.close()
    assert all(BY_NAME[name].keep for name in held.column_names)


def test_there_is_none_before_the_first_write(tmp_path: Path) -> None:
    assert Lake.open(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_a_lake_that_was_begun_and_not_finished_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "catalog.sqlite.new").write_bytes(b"half")
    assert Lake.open(tmp_path) is None
    commit(tmp_path, [Event(1, 2)], 10)
    assert found(tmp_path) == expected([([Event(1, 2)], 0)])


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    """Not as something that should not happen."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(OSError, match="its disk is full, or fails"):
            Lake.open(tmp_path, write=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_commit_is_all_of_it(tmp_path: Path) -> None:
    assert commit(tmp_path, [Event(1, 2), Event(None, 3, 86_400, "help")], 10, refused=4) == 1
    assert commit(tmp_path, [Event(5, 2)], 20) == 2
    lake = Lake.open(tmp_path)
    assert lake is not None
    assert lake.offsets() == {"collector": 20}
    assert lake.number() == 2
    assert [(site, day.isoformat()) for site, day in lake.touched(0)] == [
        ("help", "2026-09-02"),
        ("market", "2026-09-01"),
    ]
    assert [site for site, _ in lake.touched(1)] == ["market"]
    assert lake.balance() == {"received": 7, "stored": 3, "refused": {"consent": 4}}
    lake.close()


@pytest.mark.parametrize("wrong", ["rows", "counts"])
def test_counts_and_rows_that_disagree_change_nothing(tmp_path: Path, wrong: str) -> None:
    commit(tmp_path, [Event(1, 2)], 10)
    before = found(tmp_path)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    counts = record([Event(3, 4)]).counts
    if wrong == "counts":
        counts = Counts({key: n for key, n in counts.items() if key.outcome == "stored"})
    with pytest.raises(Broken):
        lake.commit([], {"collector": 20}, counts, {("market", DAY): 2 if wrong == "rows" else 1})
    lake.close()
    assert found(tmp_path) == before


def test_a_file_that_is_none_changes_nothing(tmp_path: Path) -> None:
    commit(tmp_path, [Event(1, 2)], 10)
    before = found(tmp_path)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    folder, prefix = lake.room()
    (folder / f"{prefix}-x.parquet").write_bytes(b"not a file of facts")
    with pytest.raises(Exception, match=r"parquet|Parquet"):
        lake.commit(
            [folder / f"{prefix}-x.parquet"],
            {"collector": 20},
            record([Event(3, 4)]).counts,
            {("market", DAY): 1},
        )
    assert lake.number() == 1
    lake.close()
    assert found(tmp_path) == before


def test_readers_keep_the_snapshot_they_opened(tmp_path: Path) -> None:
    commit(tmp_path, [Event(1, 2)], 10)
    reader = Lake.open(tmp_path)
    assert reader is not None
    commit(tmp_path, [Event(5, 2)], 20)
    assert reader.offsets() == {"collector": 10}
    assert reader.balance()["stored"] == 1
    assert reader.connection.execute("SELECT count(*) FROM lake.events").fetchall() == [(1,)]
    reader.close()
    assert found(tmp_path).balance["stored"] == 2


def test_readers_can_not_write(tmp_path: Path) -> None:
    commit(tmp_path, [Event(1, 2)], 10)
    reader = Lake.open(tmp_path)
    assert reader is not None
    with pytest.raises(Exception, match="read-only"):
        reader.connection.execute("DELETE FROM lake.events")
    reader.close()


def test_a_folder_may_be_moved(tmp_path: Path) -> None:
    commit(tmp_path / "here", [Event(1, 2)], 10)
    shutil.move(tmp_path / "here", tmp_path / "it's there")
    assert commit(tmp_path / "it's there", [Event(5, 2)], 20) == 2
    assert found(tmp_path / "it's there") == expected([([Event(1, 2), Event(5, 2)], 0)])


def test_a_column_that_event_has_got_since_is_added(tmp_path: Path) -> None:
    commit(tmp_path, [Event(1, 2, path="/a")], 10)
    lake = Lake.open(tmp_path, write=True)
    assert lake is not None
    lake.connection.execute("ALTER TABLE lake.events DROP COLUMN path")
    lake.close()
    commit(tmp_path, [Event(5, 2, path="/b")], 20)
    lake = Lake.open(tmp_path)
    assert lake is not None
    rows = lake.connection.execute("SELECT path FROM lake.events ORDER BY path").fetchall()
    assert rows == [("/b",), (None,)]
    lake.close()


def test_small_tables_are_summed_up_without_a_change(tmp_path: Path) -> None:
    for k in range(7):
        commit(tmp_path, [Event(k, 2, 86_400 * (k % 2))], 10 * (k + 1), refused=1)
    lake = Lake.open(tmp_path)
    assert lake is not None
    before = lake.balance(), lake.offsets(), lake.number(), [lake.touched(k) for k in range(8)]
    lake.close()
    for _ in range(2):
        lake = Lake.open(tmp_path, write=True, inline=False)
        assert lake is not None
        compact.settle(lake)
        assert (lake.balance(), lake.offsets(), lake.number(), [lake.touched(k) for k in range(8)]) == before
        rows = [
            lake.connection.execute(f"SELECT count(*) FROM lake.{t}").fetchall()
            for t in ("received", "commits")
        ]
        assert rows == [[(5,)], [(2,)]]
        lake.close()
    commit(tmp_path, [Event(99, 2)], 100)
    assert found(tmp_path).balance == {"received": 15, "stored": 8, "refused": {"consent": 7}}


@pytest.mark.parametrize("damage", ["no database", "cut", "holes", "empty"])
def test_a_damaged_catalog_says_so_and_no_file_is_touched(tmp_path: Path, damage: str) -> None:
    """Planted: an empty catalog that is taken for a new one; its files were nobody's, and swept away."""
    commit(tmp_path, [Event(1, 2)], 10)
    file = tmp_path / "lake/catalog.sqlite"
    whole = file.read_bytes()
    for one in tmp_path.glob("lake/catalog.sqlite-*"):
        one.unlink()
    file.write_bytes(
        {
            "no database": b"x" * 5000,
            "cut": whole[:5000],
            "holes": whole[:4096] + bytes(len(whole) - 4096),
            "empty": b"",
        }[damage]
    )
    held = {one.name for one in tmp_path.rglob("*.parquet")}
    for write in (False, True):
        with pytest.raises(Broken, match="throng restore"):
            Lake.open(tmp_path, write=write)
    assert {one.name for one in tmp_path.rglob("*.parquet")} == held
