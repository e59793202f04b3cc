"""Whatever runs the jobs, the same comes of them to the byte; what dies on the way takes nothing along."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consent_filter.events import Events
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from ingest.log.opening import opened
from ingest.log.record import Record
from pipelines import facts
from pipelines.settings import Pipelines
from tests.flink import cluster as clusters
from tests.flink.cluster import Cluster
from tests.flink.jars import PRISM
from tests.pipelines.comeback import collect, left, persons
from tests.warehouse.crowd import counts, events
from tests.warehouse.sample import found, left_over
from tests.warehouse.test_release_attacks import market
from tests.whole.running import until
from throng import balance
from throng.main import main
from warehouse import report as reports
from warehouse.recordkeys import RecordKeys

pytestmark = [pytest.mark.needs("flink"), pytest.mark.timeout(1200)]

#: As much in an element as makes several of each job.
_SMALL = "stretch_mib = 1e-6\nopen_files = 4\nthreads = 1\n"
#: Milliseconds.
_WEEK = 7 * 86_400_000
RUNNERS = {
    "here": "",
    "flink": clusters.SETTINGS,
    "prism": f'runner = "prism"\nprism = "{PRISM}"\n',
}


def append(data: Path, parts: int) -> None:
    """A market's two weeks on two sites, in so many stretches of the log; moved by whole weeks to the last
    ones, so that nothing of them is over when `expire` looks."""
    rows = [row for row in market(1) if row["site"] in ("site-0", "site-1")]
    late = int(time.time() * 1000 - max(row["time"] for row in rows)) // _WEEK * _WEEK
    rows = [{**row, "time": row["time"] + late} for row in rows]
    each = -(-len(rows) // parts)
    with closing(opened(data, "collector")) as log:
        for at in range(0, len(rows), each):
            some = rows[at : at + each]
            log.append(Record(Events.of(events(some)), counts(some)))
            log.turn(-1.0)


def told(data: Path, how: str) -> None:
    (data / "throng.toml").write_text(f'[[site]]\nid = "shop"\n[pipelines]\n{how}{_SMALL}')


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which every job has something to do: files to merge, a person to be taken out of them,
    records to fold, one event of which has come before, and reports to make."""
    data = tmp_path_factory.mktemp("before")
    told(data, "")
    for number in range(6):
        collect(data, ["gone", "stays"], "collector", [number], time.time())
        facts.run(data, Pipelines(open_files=100))
    append(data, 5)
    collect(data, ["stays"], "collector", [5, 6], time.time())
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys, gives=False)) as ledger:
        ledger.erase("shop", "user", "gone", "test", time.time_ns() // 1_000_000)
    RecordKeys.open(data)
    return data


def throng(cluster: Cluster, how: str, *arguments: str) -> None:
    """A command of ours, in the network of the cluster where it needs that."""
    if how == "here":
        assert main(arguments) == 0
    else:
        came = cluster.ask("throng", *arguments)
        assert came["code"] == 0, came


def made(data: Path) -> dict[str, bytes]:
    """Every released table, to the byte."""
    return {name: (data / "published/current" / f"{name}.parquet").read_bytes() for name in reports.load()}


def written_down(folder: Path, persons: list[int]) -> list[str]:
    """Files of a cluster, its copies of the jar aside, that hold one of these pseudonyms."""
    forms = [
        form for one in persons for form in (one.to_bytes(8, "little"), one.to_bytes(8, "big"), b"%d" % one)
    ]
    small = [one for one in folder.rglob("*") if one.is_file() and one.stat().st_size < 10 << 20]
    return [one.name for one in small if any(form in one.read_bytes() for form in forms)]


@pytest.mark.needs("prism")
def test_all_runners_make_the_same_to_the_byte(cluster: Cluster, before: Path, tmp_path: Path) -> None:
    tables, sums = dict[str, dict[str, bytes]](), list[object]()
    for how, settings in RUNNERS.items():
        data = tmp_path / how
        shutil.copytree(before, data)
        told(data, settings)
        for job in (["rights", "run"], ["facts"], ["expire"], ["reports"], ["publish"]):
            throng(cluster, how, *job, "--data", str(data))
        tables[how], whole = made(data), balance.whole(data)
        sums.append(whole)
        assert whole["received"] == whole["stored"] + sum(whole["refused"].values())
        assert whole["refused"]["duplicate"] == 1
        assert whole["refused"]["erased"] == 6
        assert left_over(data) == set()
        assert list((data / "lake/work").iterdir()) == []
        assert not (data / "released/making").exists()
    assert sums[0] == sums[1] == sums[2]
    assert sum(map(len, tables["here"].values())) > 40_000
    assert tables["flink"] == tables["here"]
    assert tables["prism"] == tables["here"]
    gone = persons(before, ["gone"])
    assert left(before, gone), "nothing to look for"
    assert written_down(cluster.folder, gone) == [], "the cluster has written down who"


def workers(of: int) -> Iterator[int]:
    """Processes that the pool has forked: children of its fork server."""
    parents = {}
    for one in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(one.parent.name)] = int(one.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    for pid, parent in parents.items():
        if parents.get(parent) == of:
            yield pid


def test_a_task_manager_that_is_killed_takes_nothing_along(cluster: Cluster, tmp_path: Path) -> None:
    """Nor does its worker, which is believed dead, goes on when the job has long been done by others, and
    writes what it was writing."""
    data = tmp_path / "data"
    data.mkdir()
    append(data, 60)
    shutil.copytree(data, tmp_path / "here")
    facts.run(tmp_path / "here")
    told(data, clusters.SETTINGS)
    processes = cluster.ask("processes")
    cluster.begin("throng", "facts", "--data", str(data))
    until(lambda: list((data / "lake/work").glob("*.note")), 240)
    asleep = list(workers(processes["workers"]))
    for one in asleep:
        os.kill(one, signal.SIGSTOP)
    os.kill(processes["tasks"], signal.SIGKILL)
    notes = len(list((data / "lake/work").glob("*.note")))
    came = cluster.answer()
    assert came["code"] == 0, came
    assert 0 < notes < 60, "it was killed too late"
    assert asleep, "no worker was at work"
    assert found(data) == found(tmp_path / "here"), "something is lost, or stored twice"
    for one in asleep:
        os.kill(one, signal.SIGCONT)
    until(lambda: not set(asleep) & set(workers(processes["workers"])), 240)
    assert found(data) == found(tmp_path / "here")
    collect(data, ["late"], "collector", [1], time.time())
    facts.run(data)  # which sweeps
    assert found(data).rows.total() == found(tmp_path / "here").rows.total() + 1
    assert left_over(data) == set()
    whole = balance.whole(data)
    assert whole["received"] == whole["stored"] + sum(whole["refused"].values())
