"""A publication is whole or not there, whoever reads and whatever is killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.warehouse.generations import NAMES, change, whole
from tests.warehouse.tables import fill
from warehouse import report, snapshot
from warehouse.reader import Reader, Reading
from warehouse.released import Store
from warehouse.settings import Warehouse


def publish(data: Path, settings: Warehouse | None = None) -> dict[str, object] | None:
    store = Store.open(data)
    made = snapshot.publish(data, settings or Warehouse(), store)
    store.close()
    return made


def test_a_generation_holds_every_report_twice_and_says_what_it_is(market: Path) -> None:
    made = snapshot.manifest(market)
    assert made is not None
    assert made["generation"] == 1
    assert set(made["tables"]) == set(report.load())
    folder = market / "published" / "1"
    assert {file.name for file in folder.iterdir()} == {
        "manifest.json", "reports.duckdb", *(f"{name}.parquet" for name in report.load()),
    }  # fmt: skip
    con = duckdb.connect(str(market / "published" / "reports.duckdb"), read_only=True)
    for name, one in report.load().items():
        found = con.execute(f"FROM {name} ORDER BY ALL").to_arrow_table()
        assert found.column_names == [*one.keys, *one.groups, *one.sums]
        assert found.to_pylist() == pq.read_table(folder / f"{name}.parquet").to_pylist()
        assert found.num_rows == made["tables"][name]["rows"]
    about = con.execute("FROM reports WHERE name = 'pages'").to_arrow_table().to_pylist()[0]
    assert about["owner"] == report.load()["pages"].owner
    assert about["released"]
    comment = con.execute("SELECT comment FROM duckdb_tables() WHERE table_name = 'pages'").fetchone()
    assert comment is not None
    assert comment[0].startswith("Pages: ")
    assert con.execute("SELECT min_group, versions->>'duckdb' FROM published").fetchall() == [
        (10, duckdb.__version__)
    ]
    con.close()


def test_nothing_is_published_where_nothing_has_changed(tmp_path: Path) -> None:
    fill(tmp_path, days=2)
    assert publish(tmp_path) is not None
    before = sorted(path for path in tmp_path.rglob("*"))
    assert publish(tmp_path) is None
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert publish(tmp_path, Warehouse(min_group=11)) is not None


def test_files_of_unchanged_reports_are_the_same_files(tmp_path: Path) -> None:
    fill(tmp_path, days=2)
    publish(tmp_path)
    store = Store.open(tmp_path)
    store.connection.execute("UPDATE pages SET views = views + 1")
    store.connection.execute("UPDATE done_to SET version = version + 1 WHERE report = 'pages'")
    store.close()
    publish(tmp_path)
    one, two = tmp_path / "published" / "1", tmp_path / "published" / "2"
    changed = {f.name for f in two.glob("*.parquet") if not os.path.samefile(f, one / f.name)}
    assert changed == {"pages.parquet"}
    assert pq.read_table(two / "pages.parquet") != pq.read_table(one / "pages.parquet")


def test_old_generations_stay_for_those_who_have_them_and_then_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Warehouse(keep_generations=2)
    for step in range(1, 6):
        change(tmp_path, step)
        publish(tmp_path, settings)
    assert generations(tmp_path) == [1, 2, 3, 4, 5]  # none was replaced long ago
    kept = duckdb.connect(str(tmp_path / "published" / "1" / "reports.duckdb"), read_only=True)
    monkeypatch.setattr(snapshot, "GRACE", -1.0)
    change(tmp_path, 6)
    publish(tmp_path, settings)
    assert generations(tmp_path) == [5, 6]
    assert kept.execute("SELECT DISTINCT views FROM pages").fetchall() == [(1,)]
    kept.close()


def generations(data: Path) -> list[int]:
    return sorted(int(path.name) for path in (data / "published").iterdir() if path.name.isdigit())


def test_a_report_that_went_is_not_published_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, days=2)
    publish(tmp_path)
    known = {name: one for name, one in report.load().items() if name != "pages"}
    monkeypatch.setattr(report, "load", lambda: known)
    made = publish(tmp_path)
    assert made is not None
    assert not (tmp_path / "published" / "2" / "pages.parquet").exists()


def test_killed_at_any_line_a_reader_sees_a_whole_generation_and_the_next_run_mends(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.warehouse.killed", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["wrong"] == []
    assert said["points"] > 25
    assert said["left"] == ["current", "reports.duckdb"]


def test_a_reader_in_a_loop_sees_whole_generations_only_and_is_never_blocked(tmp_path: Path) -> None:
    change(tmp_path, 1)
    publish(tmp_path)
    command = [sys.executable, "-m", "tests.warehouse.test_snapshot", str(tmp_path), "12"]
    seen, reader = [], Reader(tmp_path, Warehouse())
    with subprocess.Popen(command) as writer:
        while writer.poll() is None:
            seen.append(whole(tmp_path))
            with reader.reading() as reading:
                begun = steps(reading)
                time.sleep(0.01)
                assert steps(reading) == begun
                assert len(begun) == 1
    reader.close()
    assert writer.returncode == 0
    assert whole(tmp_path) == 12
    assert seen == sorted(seen)
    assert len(set(seen)) > 2


def steps(reading: Reading) -> set[int]:
    """The steps that the tables of one page are of."""
    first = {name: report.load()[name].sums[0] for name in NAMES}
    return {
        row["n"]
        for name, number in first.items()
        for row in reading.rows(f"SELECT DISTINCT {number} AS n FROM {name}")
    }


def test_readers_are_pointed_at_what_is_on_the_disk_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the power fails, a name without its file would be worse than yesterday's numbers."""
    done: list[tuple[str, str]] = []
    sync, replace = os.fsync, os.replace

    def synced(fd: int) -> None:
        sync(fd)
        done.append(("synced", os.readlink(f"/proc/self/fd/{fd}")))

    def replaced(old: Path, new: Path) -> None:
        replace(old, new)
        done.append(("named", str(new)))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    change(tmp_path, 1)
    publish(tmp_path)
    published = tmp_path / "published"
    named = done.index(("named", str(published / "current")))
    for file in (published / "1").iterdir():
        assert ("synced", str(published / "draft" / file.name)) in done[:named], file.name
    assert ("synced", str(published / "draft")) in done[:named]
    assert ("synced", str(published)) in done[named:]


def test_any_client_opens_the_published_name_and_sees_the_newest_each_time(tmp_path: Path) -> None:
    name = str(tmp_path / "published" / "reports.duckdb")
    change(tmp_path, 1)
    publish(tmp_path)
    old = duckdb.connect(name, read_only=True)
    change(tmp_path, 2)
    publish(tmp_path)
    new = duckdb.connect(name, read_only=True)
    assert old.execute("SELECT DISTINCT views FROM pages").fetchall() == [(1,)]
    assert new.execute("SELECT DISTINCT views FROM pages").fetchall() == [(2,)]
    old.close()
    new.close()
    attached = duckdb.connect()
    attached.execute(f"ATTACH '{name}' AS r (READ_ONLY)")
    assert attached.execute("SELECT DISTINCT views FROM r.pages").fetchall() == [(2,)]
    attached.close()
    assert isinstance(pq.read_table(tmp_path / "published" / "current" / "pages.parquet"), pa.Table)


if __name__ == "__main__":
    for number in range(2, int(sys.argv[2]) + 1):
        change(Path(sys.argv[1]), number)
        publish(Path(sys.argv[1]))
