"""`throng rights preview|prove|certificate|access`: what the officer sees of an erasure, before and after."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from consent_filter import certificate
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.receipt import canonical
from consent_filter.signing import FILE, SigningKey, to_text
from pipelines import facts
from tests.pipelines.comeback import OPEN, collect, persons, whole_pass
from tests.throng.conftest import Throng
from throng import backup
from warehouse import snapshot
from warehouse.released import Store

IDS = [f"person-{n:04}" for n in range(8)]
WHO = ("person-0001", "--site", "shop")


@pytest.fixture(scope="module")
def erased(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder in which somebody was erased, with a backup of before beside it; and who they were."""
    data = tmp_path_factory.mktemp("erased") / "data"
    data.mkdir()
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n')
    collect(data, IDS, "collector", [0, 1], time.time())
    facts.run(data)
    backup.make(data, data.parent / "place", 30)
    (whose,) = persons(data, [WHO[0]])
    ledger = Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)
    ledger.erase("shop", "user", WHO[0], "test", time.time_ns() // 1_000_000)
    ledger.close()
    whole_pass(data, time.time())
    return data, whose


@pytest.fixture
def folder(erased: tuple[Path, int], tmp_path: Path) -> tuple[Path, int]:
    """A copy, to plant faults in."""
    shutil.copytree(erased[0], tmp_path / "data", symlinks=True)
    return tmp_path / "data", erased[1]


def places(said: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for line in said.splitlines():
        one = json.loads(line)
        if one["allowed"] is None:
            found.setdefault(one["file"], set()).add(one["found"])
    return found


def test_of_who_is_there_every_place_is_found(erased: tuple[Path, int], throng: Throng) -> None:
    said = throng("rights", "prove", IDS[3], "--site", "shop", "--format", "json", data=erased[0])
    assert said.code == 1
    found = places(said.out)
    assert "the keyed hash" in found["ledger.sqlite"]
    assert any(file.endswith(".parquet") and "in the column person" in what for file, what in found.items())


@pytest.mark.requirement("S2")
def test_of_who_was_erased_only_the_keyed_hash_is_left(erased: tuple[Path, int], throng: Throng) -> None:
    said = throng("rights", "prove", *WHO, data=erased[0])
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("ledger.sqlite: the keyed hash: it refuses what comes late")
    said = throng("rights", "prove", *WHO, "--backup", str(erased[0].parent / "place"), data=erased[0])
    assert said.code == 0
    assert "a copy, which is deleted after" in said.out
    assert throng("rights", "prove", "-", *WHO[1:], given=b"person-0001\n", data=erased[0]).code == 0


def test_whatever_is_planted_is_found(folder: tuple[Path, int], throng: Throng) -> None:
    data, whose = folder
    (data / "status.json").write_text(json.dumps({"at": "person-0001"}))
    (data / "notes.bin").write_bytes("xx person-0001".encode("utf-16-le"))
    rows = {"person": pa.array([whose], pa.uint64()), "path": ["/u/person-0001"] * 1}
    pq.write_table(pa.table(rows), data / "lake" / "files" / "old.parquet", compression="zstd")
    with duckdb.connect(str(data / "cache.duckdb")) as con:
        con.execute("CREATE TABLE t AS SELECT 'person-' || '0001' AS who FROM range(5000)")
    with sqlite3.connect(data / "more.sqlite") as one:
        one.execute("CREATE TABLE t (x)")
        one.execute("INSERT INTO t VALUES (?)", ("z" * 3000 + "person-0001" + "z" * 9000,))
    one.close()
    said = throng("rights", "prove", *WHO, "--format", "json", data=data)
    assert said.code == 1
    found = places(said.out)
    assert set(found) == {"status.json", "notes.bin", "lake/files/old.parquet", "cache.duckdb", "more.sqlite"}
    assert found["lake/files/old.parquet"] >= {"in the column path", "in the column person"}


@pytest.mark.requirement("S3", "M85")
def test_a_certificate_is_held_against_the_folder(folder: tuple[Path, int], throng: Throng) -> None:
    data, _ = folder
    (file,) = (data / "erasures").glob("E-*.json")
    said = throng("rights", "certificate", str(file), "--against", str(data), data=data)
    assert said.code == 0, said.out
    assert json.loads(said.out)["certificate"] == "valid"
    key = SigningKey.read(data / FILE)
    true = json.loads(file.read_bytes())

    def lied(**change: object) -> str:
        """As it would look, signed with the true key, had the software left something out."""
        whole = true | change
        before = msgspec.convert(whole["before"], list[certificate.FactFile])
        rewritten = msgspec.convert(whole["rewritten"], list[certificate.Rewritten])
        signed = certificate.draw(key, **{k: v for k, v in whole.items() if k not in _MADE} | {
            "before": before, "rewritten": rewritten, "rows_before": sum(one.rows for one in before),
            "rows_after": sum(one.rows for one in before) - sum(
                one.old.rows - sum(new.rows for new in one.new) for one in rewritten)})  # fmt: skip
        file.write_bytes(signed)
        answer = throng("rights", "certificate", str(file), "--against", str(data), data=data)
        assert answer.code == 1
        return str(json.loads(answer.out)["why"])

    assert lied(before=[], rewritten=[]) == "left_out"
    assert lied(rewritten=[]) in ("left_out", "differs")
    file.write_bytes(canonical(true | {"people": 9}))
    said = throng("rights", "certificate", str(file), data=data)
    assert json.loads(said.out)["why"] == "signature"
    other = to_text(SigningKey.of(bytes(32)).public.raw)
    assert throng("rights", "certificate", str(file), "--key", other, data=data).code == 1


_MADE = ("schema", "root_before", "root_after", "key", "signature")


@pytest.mark.requirement("M87")
def test_a_preview_says_what_would_go_and_changes_nothing(erased: tuple[Path, int], throng: Throng) -> None:
    data, _ = erased
    before = {file: file.stat().st_mtime_ns for file in (data / "lake").rglob("*.parquet")}
    with closing(Store.open(data)) as store:
        snapshot.publish(data, OPEN, store)
    said = json.loads(throng("rights", "preview", IDS[3], "--site", "shop", "--minor", data=data).out)
    figures = {one["report"]: one for one in said["figures"]}
    assert figures["traffic_day"]["published"]["people"] == 7
    assert figures["traffic_day"]["own"]["views"] == 2
    assert "countries" in figures
    assert said["stores"]["facts"]["found"] == 2
    assert len(said["releases"]["days"]) == 1
    assert "traffic_day" in said["releases"]["reports"]
    assert {file: file.stat().st_mtime_ns for file in (data / "lake").rglob("*.parquet")} == before


def test_a_preview_waits_for_the_pass_that_is_under_way(erased: tuple[Path, int], throng: Throng) -> None:
    """Planted: a look into released tables before the lock, which ended with "this should not happen"."""
    data, _ = erased
    passing = """if True:
        import sys, time
        from pathlib import Path
        from throng import lock
        from warehouse.released import Store
        with lock.pipeline(Path(sys.argv[1])):
            store = Store.open(Path(sys.argv[1]))
            print("under way", flush=True)
            time.sleep(2)
            store.close()"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", passing, str(data)], stdout=pipe) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == b"under way\n"
        said = throng("rights", "preview", IDS[3], "--site", "shop", data=data)
    assert (said.code, "waiting for it" in said.err) == (0, True), said.err


@pytest.mark.requirement("M108")
def test_access_writes_one_file(erased: tuple[Path, int], throng: Throng, tmp_path: Path) -> None:
    out = tmp_path / "person.zip"
    said = throng("rights", "access", IDS[3], "--site", "shop", "--out", str(out), data=erased[0])
    assert (said.code, said.out.strip()) == (0, f"{out}: 2 rows, 0 records")
