"""Throng over a database and a bucket: events become pages, and who is erased is gone from both servers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from consent_filter.certificate import check
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.signing import FILE, SigningKey
from pipelines import expire, facts, rights
from pipelines.settings import Backup, Pipelines
from tests.lake import servers
from tests.lake.conftest import Servers
from tests.pipelines.comeback import AFTER, collect, left, persons
from tests.warehouse.sample import found
from throng import main, prove
from throng.erasure import against
from warehouse.lake import Lake
from warehouse.lake_settings import settings
from warehouse.snapshot import manifest

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.needs("s3"), pytest.mark.timeout(400)]
PEOPLE = [f"visitor-{n:03}" for n in range(24)]


def there(folder: Path, gone: list[int]) -> list[str]:
    """Files of a server in which one of these pseudonyms is: eight bytes in either order, or digits."""
    ways = [way for one in gone for way in (one.to_bytes(8, "little"), one.to_bytes(8, "big"), b"%d" % one)]
    found = []
    for file in folder.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            found += [str(file)] if any(way in data for way in ways) else []
    return found


def held(both: Servers, data: Path, gone: list[int]) -> list[str]:
    """The same of both servers, and of the data folder."""
    return [*there(both.postgres.folder, gone), *there(both.storage.folder, gone), *left(data, gone)]


@pytest.mark.requirement("M110")
def test_from_beacon_to_page_and_away_again(
    tmp_path: Path, both: Servers, made: Callable[..., Path], capfd: pytest.CaptureFixture[str]
) -> None:
    data, now = made(tmp_path / "data"), time.time() - 2 * 86_400
    assert Lake.open(data) is None
    collect(data, PEOPLE, "collector", [1, 2], now)
    for command in ("facts", "reports", "publish"):
        assert main.main([command, "--data", str(data)]) == 0
    first = manifest(data)
    assert first is not None
    assert first["tables"]["traffic_day"]["rows"]
    assert found(data).balance["stored"] == 48
    assert not list((data / "lake").rglob("*.parquet"))
    assert not (data / "lake" / "catalog.sqlite").exists()

    collect(data, PEOPLE, "collector", [3], now)
    facts.run(data, now=now)
    merged = expire.run(data, Pipelines(), now + 43_200)
    assert merged.merged == 2
    assert expire.forget(data, Pipelines(grace_minutes=0), time.time() + 1) == 2
    assert found(data).balance["stored"] == 72

    name = settings(data).database
    older = both.postgres.dump(name)
    shutil.copytree(both.storage.data / name, tmp_path / "older")
    gone = persons(data, PEOPLE[:2])
    bucket = {one.file for one in prove.run(data, prove.whom(data, "shop", "user", PEOPLE[0]), [])}
    assert [one for one in bucket if one.startswith("s3://")], "what is in the bucket is not found there"
    assert held(both, data, gone)
    assert not there(both.postgres.folder, persons(data, PEOPLE)), "the database has never known a pseudonym"
    with closing(Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))) as ledger:
        for id in PEOPLE[:2]:
            ledger.erase("shop", "user", id, "test", round(now * 1000))
        ledger.flush()
    certified: list[str] = []
    for ahead in (0.0, AFTER, 2 * AFTER):
        certified += rights.run(data, Pipelines(), Backup(), time.time() + ahead, at_once=True).certified
        facts.run(data, Pipelines(), time.time() + ahead)
    assert held(both, data, gone) == []
    whom = prove.whom(data, "shop", "user", PEOPLE[0])
    assert not [one for one in prove.run(data, whom, []) if one.file.startswith("s3://")]
    after = found(data).balance
    assert (after["received"], after["stored"], after["refused"]) == (72, 66, {"erased": 6})
    assert len(certified) == 1
    line = (data / "erasures" / f"{certified[0]}.json").read_bytes()
    key = SigningKey.read(data / FILE).public
    against(check(line, [key]), data)

    # The operator puts an older copy of both back: whoever was erased does not stay.
    both.postgres.load(name, older)
    shutil.copytree(tmp_path / "older", both.storage.data / name, dirs_exist_ok=True)
    older.unlink()
    shutil.rmtree(tmp_path / "older")
    assert found(data).balance["stored"] == 72
    assert held(both, data, gone)
    for ahead in (0.0, AFTER, 2 * AFTER):
        rights.run(data, Pipelines(), Backup(), time.time() + 3 * AFTER + ahead, at_once=True)
    assert held(both, data, gone) == []
    assert found(data).balance["stored"] == 66

    said = capfd.readouterr()
    for canary in (servers.PASSWORD, servers.SECRET):
        assert canary not in said.out + said.err
        for folder in (data, both.storage.folder, both.postgres.data):
            files = (one for one in folder.rglob("*") if one.is_file() and one.name not in ("pg", "s3"))
            assert not any(canary.encode() in one.read_bytes() for one in files)
