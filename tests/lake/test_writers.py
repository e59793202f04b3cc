"""Several machines work on one lake: whoever is second looks anew, and nothing is stored twice or lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.log.segment import SegmentLog
from pipelines import facts
from tests.conftest import ROOT
from tests.lake.conftest import Servers
from tests.warehouse.sample import NOON, Event, found, record

pytestmark = [pytest.mark.needs("postgresql"), pytest.mark.needs("s3"), pytest.mark.timeout(400)]
ROUNDS, EACH, RETRIES = 4, 40, 5
#: What one machine does: fold what comes into its own log, or look after the files, again and again.
WORK = """
import json, sys, time
from pathlib import Path
from consent_filter.errors import Refused
from ingest.log.segment import SegmentLog
from pipelines import expire, facts
from pipelines.settings import Pipelines
from tests.warehouse.sample import NOON, Event, record
what, data, go, rounds = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), json.loads(sys.argv[4])
print("ready", flush=True)
while not go.exists():
    time.sleep(0.01)
again = 0
for number, events in enumerate(rounds):
    if what == "fold":
        log = SegmentLog(data / "log", sys.argv[5])
        log.append(record([Event(*one) for one in events]))
        log.close()
        facts.run(data, Pipelines(), NOON + 60)
    else:
        try:
            again += expire.run(data, Pipelines(open_files=4), NOON + 7 * 3600).merged
        except Refused as error:
            assert error.code == "overtaken", error
print(json.dumps(again))
"""


def test_two_machines_fold_and_a_third_compacts_at_once(
    tmp_path: Path, both: Servers, made: Callable[..., Path]
) -> None:
    first = made(tmp_path / "first", "market")
    facts.Lake.open(first, write=True).close()  # type: ignore[union-attr]
    folders = {"fold": first, "other": tmp_path / "other", "merge": tmp_path / "merge"}
    for folder in (folders["other"], folders["merge"]):
        folder.mkdir()
        for name in ("pg", "s3", "throng.toml"):
            (folder / name).write_bytes((first / name).read_bytes())
    mine, theirs = [], []
    for n in range(ROUNDS):
        mine.append([(1000 * n + k, k + 1, k) for k in range(EACH)])
        # Retries of the other machine's events, beside its own: whoever folds second must notice.
        theirs.append(
            [(500_000 + 1000 * n + k, k + 1, k) for k in range(EACH)]
            + [(1000 * n + k, k + 1, k) for k in range(RETRIES)]
        )
    go, running = tmp_path / "go", []
    for what, folder, rounds, name in (
        ("fold", first, mine, "left"), ("fold", folders["other"], theirs, "right"),
        ("merge", folders["merge"], [[]] * 5, ""),
    ):  # fmt: skip
        asked = [sys.executable, "-c", WORK, what, str(folder), str(go), json.dumps(rounds), name]
        running.append(
            subprocess.Popen(asked, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             env=os.environ | {"PYTHONPATH": str(ROOT)})
        )  # fmt: skip
    for one in running:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n", one.communicate()[1]
    go.touch()
    said = [one.communicate(timeout=200) for one in running]
    assert [one.returncode for one in running] == [0, 0, 0], said
    whole = found(first)
    wanted = {id for rounds in (mine, theirs) for events in rounds for id, _, _ in events}
    assert {row[1] for row in whole.rows if row[1] is not None} <= wanted
    assert sum(whole.rows.values()) == len(wanted) == 2 * ROUNDS * EACH
    assert whole.balance["received"] == 2 * ROUNDS * EACH + ROUNDS * RETRIES
    assert whole.balance["stored"] == len(wanted)
    assert whole.balance["refused"] == {"duplicate": ROUNDS * RETRIES}


def test_two_drivers_at_one_log_store_it_once(
    tmp_path: Path, made: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second pipeline beside the first, as one that was thought to be lost: its commit comes in between."""
    data = made(tmp_path / "data", "market")
    log = SegmentLog(data / "log", "collector")
    for n in range(3):
        log.append(record([Event(10 * n + k, k + 1, k) for k in range(5)]))
    log.close()
    folded, calls = facts._map, list[int]()

    def overtaken(*arguments: object) -> object:
        written = folded(*arguments)  # type: ignore[arg-type]
        calls.append(len(calls))
        if len(calls) == 1:
            assert facts.run(data, now=NOON + 60).stored == 15
        return written

    monkeypatch.setattr(facts, "_map", overtaken)
    assert facts.run(data, now=NOON + 60).stored == 0
    assert len(calls) == 2, "what was overtaken was not looked at anew"
    whole = found(data)
    assert set(whole.rows.values()) == {1}
    assert whole.balance == {"received": 15, "stored": 15, "refused": {}}
