"""Backup and restore: a whole copy while events come in, without keys that must die, and back again."""

from __future__ import annotations

import json
import shutil
import time
from contextlib import closing
from pathlib import Path

import pytest

from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from ingest.log.segment import SegmentLog
from pipelines import facts, publish, reports, stones
from tests.pipelines.comeback import OPEN, answers, collect, left, persons, whole_pass
from tests.throng.conftest import Throng
from throng import backup, restore
from warehouse import budget, followed, opened, snapshot
from warehouse.budget import Cost
from warehouse.followed import Paid
from warehouse.opened import Mark
from warehouse.release_settings import Release

SETTINGS = '[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n'
IDS = [f"person-{n}" for n in range(12)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "data"
    folder.mkdir()
    (folder / "throng.toml").write_text(SETTINGS)
    collect(folder, IDS, "collector", [0, 1], time.time())
    facts.run(folder)
    reports.run(folder, OPEN)
    publish.run(folder, OPEN)
    return folder


@pytest.fixture
def data(whole: Path, tmp_path: Path) -> Path:
    shutil.copytree(whole, tmp_path / "data", symlinks=True)
    return tmp_path / "data"


def words(folder: Path) -> Ledger:
    return Ledger.open(folder / "ledger.sqlite", Keyring.open(folder / "keys.json"), gives=False)


def erase(folder: Path, id: str) -> None:
    ledger = words(folder)
    ledger.erase("shop", "user", id, "test", time.time_ns() // 1_000_000)
    ledger.close()


def destroy_identity(folder: Path) -> None:
    """The key of pseudonyms is replaced, and the old one ends at once."""
    keys = Keyring.open(folder / "keys.json")
    keys.replace("identity")
    with closing(Ledger.open(folder / "ledger.sqlite", keys)) as ledger:
        ledger.part([keys.lives()[0].id])
        keys.destroy(ledger.unused())


def test_what_is_restored_is_the_same_to_the_last_report(data: Path, tmp_path: Path) -> None:
    collect(data, IDS[:3], "collector", [7], time.time())  # in the log, and not folded yet
    made = backup.make(data, tmp_path / "place", 30)
    facts.run(data)
    reports.run(data, OPEN)
    expected = answers(data)
    done = restore.run(made, tmp_path / "elsewhere")
    assert done["erased_since"] == done["removed"] == 0
    assert answers(tmp_path / "elsewhere") == expected
    assert expected["rows"] == 27
    assert snapshot.manifest(tmp_path / "elsewhere")
    assert persons(tmp_path / "elsewhere", IDS) == persons(data, IDS)
    # It goes on: a retry of an event that the copy holds is a retry there, too.
    collect(tmp_path / "elsewhere", IDS[:3], "collector", [7, 8], time.time())
    assert facts.run(tmp_path / "elsewhere").duplicates == 3


def test_keys_that_die_on_time_are_in_no_copy(data: Path, tmp_path: Path) -> None:
    Keyring.open(data / "keys.json", importing=True)
    held = json.loads((data / "keys.json").read_text())
    made = backup.make(data, tmp_path / "place", 30)
    whole = b"".join(file.read_bytes() for file in made.rglob("*") if file.is_file())
    assert held["chain"]["key"].encode() not in whole
    assert held["import"]["key"].encode() not in whole
    assert held["identity"][0]["key"].encode() in whole


@pytest.mark.requirement("M83")
def test_backups_end_and_a_damaged_one_is_refused(data: Path, tmp_path: Path) -> None:
    place, now = tmp_path / "place", time.time()
    old = backup.make(data, place, 30, now - 31 * 86_400)
    assert old.exists()
    first = backup.make(data, place, 30, now - 29 * 86_400)
    assert old.exists()  # for 30 days, and no longer
    last = backup.make(data, place, 30, now)
    assert [one.exists() for one in (old, first, last)] == [False, True, True]
    assert backup.prune(place, now + 2 * 86_400) == 1
    assert not first.exists()
    file = next((last / "data" / "lake").rglob("*.parquet"))
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(Broken):
        restore.run(last, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.requirement("M83", "M110", "S9")
def test_an_older_backup_brings_nobody_no_destroyed_key_and_no_spent_budget_back(
    data: Path, tmp_path: Path
) -> None:
    """Planted: a restore that leaves the copy's keys; the old one is found in the folder. One that forgets
    what was spent since; it could be spent again. One that forgets what was asked about
    since, or what was spent on funnels."""
    place = tmp_path / "place"
    made = backup.make(data, place, 30)
    budget.reserve(data, "a-draft", ["it"], {("shop", "2026-07"): Cost(0.2, 1e-9)}, Release(), 0.0)
    asked = [
        Mark("shop", "measurement", "2026-07-01", mark, at, "as it is")
        for mark, at in (("a", 1.0), ("b", 2.0))
    ]
    opened.remember(data, asked)
    cost = [Paid("a-funnel", "shop", month, 0.005) for month in ("2026-07", "2026-08")]
    followed.remember(data, cost)
    gone, others = persons(data, IDS[:2]), persons(data, IDS[3:])
    key = json.loads((data / "keys.json").read_text())["identity"][0]["key"].encode()
    destroy_identity(data)
    erase(data, IDS[0])
    erase(data, IDS[1])
    ledger = words(data)
    ledger.put("shop", "user", IDS[2], {"measurement": False}, "test", time.time_ns() // 1_000_000)
    ledger.close()
    whole_pass(data, time.time(), (str(place),))
    assert left(data, gone) == []
    restore.run(made, data)  # over the newer folder: its words hold
    assert left(data, gone) == []
    ledger = words(data)
    assert ledger.get("shop", "user", IDS[2]) is not None
    assert len(ledger.withdrawn()) == 1
    ledger.close()
    assert answers(data)["rows"] == 20
    done = restore.run(place, tmp_path / "elsewhere")  # where there is only the list beside it
    assert done["erased_since"] == 2
    assert left(tmp_path / "elsewhere", gone) == []
    for folder in (data, tmp_path / "elsewhere"):
        assert not any(key in file.read_bytes() for file in folder.rglob("*") if file.is_file())
        assert persons(folder, IDS[3:]) == others, "who is still there is found when they ask"
        (account,) = budget.accounts(folder, Release())
        assert (account.month, account.by) == ("2026-07", {"a-draft": 0.2})
        assert followed.paid(folder) == tuple(cost), "a copy of before has them to spend again"
        assert opened.marks(folder) == (asked[0],), "answers less those of before would be who has left"
    collect(tmp_path / "elsewhere", IDS[3:4], "collector", [7], time.time())
    assert len(persons(tmp_path / "elsewhere", IDS[3:4])) == 2
    ledger = words(tmp_path / "elsewhere")
    assert all(ledger.subject(ledger.key("shop", "user", id)).word.erased for id in IDS[:2])
    ledger.close()


def test_what_cannot_be_restored_is_refused(data: Path, tmp_path: Path, throng: Throng) -> None:
    with pytest.raises(Misconfigured):
        backup.make(data, data / "copies", 30)
    with pytest.raises(Refused, match="no_backup"):
        restore.run(tmp_path / "nothing", data)
    other = tmp_path / "other"
    other.mkdir()
    collect(other, ["somebody"], "collector", [0], time.time())
    made = backup.make(data, tmp_path / "place", 30)
    with pytest.raises(Refused, match="another"):
        restore.run(made, other)
    said = throng("backup", str(tmp_path / "place2"), data=data)
    assert (said.code, said.err) == (0, "")
    assert throng("backup", data=data).code == 2


def test_what_a_killed_restore_left_is_found_and_removed(data: Path, tmp_path: Path, throng: Throng) -> None:
    made = backup.make(data, tmp_path / "place", 30)
    erase(data, IDS[0])
    whole_pass(data, time.time())
    shutil.copytree(made / "data", tmp_path / ".data.restoring", symlinks=True)
    said = throng("rights", "prove", IDS[0], "--site", "shop", data=data)
    assert said.code == 1
    assert ".data.restoring/" in said.out
    shutil.move(data, tmp_path / ".data.before")  # killed between the two renames
    restore.run(made, data)
    assert not restore.leftovers(data)
    ledger = words(data)
    assert ledger.subject(ledger.key("shop", "user", IDS[0])).word.erased
    ledger.close()


def test_the_list_of_the_erased_only_grows(data: Path, tmp_path: Path) -> None:
    erase(data, IDS[0])
    assert stones.spread(data, [str(tmp_path), str(tmp_path / "missing")]) == [str(tmp_path / "missing")]
    one = stones.parse(tmp_path / stones.NAME)
    assert one is not None
    assert len(one.keys) == 1
    # A ledger put back from before, elsewhere: what is on the list stays.
    stones.write(one._replace(keys=(), tombstones=(), spent=(), opened=()), tmp_path)
    assert stones.parse(tmp_path / stones.NAME) == one
    log = SegmentLog(data / "log")
    assert log.end()
    log.close()
