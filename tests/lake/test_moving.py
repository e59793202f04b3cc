"""A lake is moved to servers and back: the same to the last value, also where it is killed; nobody stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent_filter.errors import Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from pipelines import expire, facts, rights
from pipelines.settings import Backup, Pipelines
from tests.conftest import ROOT
from tests.lake.conftest import Servers
from tests.lake.planted import PLANTS
from tests.lake.test_whole import PEOPLE, held, there
from tests.pipelines.comeback import AFTER, collect, left, persons
from tests.warehouse.sample import found
from throng import lake as command
from throng import prove
from warehouse import depot, relocation
from warehouse.lake_settings import settings

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.needs("s3"), pytest.mark.timeout(400)]


def moved(data: Path, file: str, step: int) -> dict[str, Any]:
    """As `tests.lake.moving` does it."""
    return said("tests.lake.moving", str(data), file, str(step))


def said(*command: str) -> dict[str, Any]:
    """What a module prints, in a process of its own."""
    asked = [sys.executable, "-m", *command]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_move_that_is_wrong_is_noticed(tmp_path: Path, made: Callable[..., Path]) -> None:
    """Each fault in a lake of its own, and one lake that is moved as it should be."""
    asked, first = [], tmp_path / "data"
    for n, name in enumerate(["", *PLANTS]):
        servers = made(tmp_path / f"servers{n}")
        asked.append(
            (name, str(first) if not n else str(tmp_path / f"data{n}"), str(servers / "throng.toml"))
        )
    first.mkdir()
    for secret in ("pg", "s3"):
        (first / secret).write_bytes((servers / secret).read_bytes())
    (first / "throng.toml").write_text('[[site]]\nid = "shop"\n')
    for number in (1, 2):
        collect(first, PEOPLE, "collector", [number], time.time())
        facts.run(first)
    found = said("tests.lake.planted", json.dumps(asked))
    assert found.pop("") == []
    missed = {name: found[name] for name, plant in PLANTS.items() if plant.says not in "; ".join(found[name])}
    assert missed == {}


@pytest.mark.requirement("M110")
def test_to_servers_and_back(
    tmp_path: Path, both: Servers, made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = made(tmp_path / "servers")
    data, file, now = tmp_path / "data", str(servers / "throng.toml"), time.time() - 2 * 86_400
    data.mkdir()
    for name in ("pg", "s3"):
        (data / name).write_bytes((servers / name).read_bytes())
    (data / "throng.toml").write_text('[[site]]\nid = "shop"\n# of pages\n[warehouse]\nmin_group = 1\n')
    with monkeypatch.context() as early:
        early.setattr(depot, "blur", lambda file: None)  # as files were before their ends said less
        collect(data, PEOPLE, "collector", [1, 2], now)
        facts.run(data, now=now)
    collect(data, PEOPLE, "collector", [3], now)
    facts.run(data, now=now)
    whole = found(data)

    done = moved(data, file, 125)
    assert (done["wrong"], done["killed"] > 0) == ([], True), done
    name = settings(data).database
    assert found(data) == whole
    assert settings(data) == settings(servers)
    assert "# of pages\n[warehouse]" in (data / "throng.toml").read_text()
    assert not there(both.postgres.folder, persons(data, PEOPLE)), "the database knows a pseudonym"
    with pytest.raises(Refused, match="lake drop"):
        command.move(data, "", now)

    # What is left at the old place is no place to stay for who is erased.
    gone = persons(data, PEOPLE[:1])
    assert [one for one in left(data, gone) if one.startswith("lake/files/")]
    with closing(Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))) as ledger:
        ledger.erase("shop", "user", PEOPLE[0], "test", round(now * 1000))
        ledger.flush()
    certified: list[str] = []
    for ahead in (0.0, AFTER, 2 * AFTER):
        certified += rights.run(data, Pipelines(), Backup(), time.time() + ahead, at_once=True).certified
        facts.run(data, Pipelines(), time.time() + ahead)
    assert len(certified) == 1
    assert held(both, data, gone) == []
    assert relocation.noted(data) is None
    assert not (data / "lake" / "catalog.sqlite").exists()

    # Something is at the new place already; and what an attempt leaves there goes with the next job.
    (data / "lake" / "catalog.sqlite").write_bytes(b"another's")
    with pytest.raises(Refused) as caught:
        command.move(data, "", now)
    assert (caught.value.code, relocation.noted(data)) == ("not_empty", None)
    (data / "lake" / "catalog.sqlite").unlink()
    whole = found(data)
    assert moved(data, "-", 200)["wrong"] == []
    assert settings(data).local
    assert found(data) == whole
    after = {one.file for one in prove.run(data, prove.whom(data, "shop", "user", PEOPLE[1]), [])}
    assert [one for one in after if one.startswith("s3://")], "what is left there is not looked at"
    expire.run(data, Pipelines(), time.time() + 8 * 86_400)
    assert [one for one in (both.storage.data / name).rglob("*") if one.is_file()] == []
    assert relocation.noted(data) is None
    assert found(data).balance == whole.balance  # rows lose the ids by which retries are found, in time
