"""Jobs on a runner that is not this process: elements worked on twice, what is carried, what failures say."""

from __future__ import annotations

import errno
import shutil
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from pipelines import attempts, beamio, expire, facts, reports, rights, shelf, workers
from pipelines.balance import lag
from pipelines.settings import Backup, Pipelines
from tests.pipelines.comeback import collect, left, persons
from tests.pipelines.test_reports import tables
from tests.warehouse.sample import found, left_over
from throng import jobs
from warehouse.settings import Warehouse

#: In this process, and yet as on a cluster: whoever has options of their own is not told what is in memory.
ELSEWHERE = Pipelines(stretch_mib=1e-6, open_files=4, options=("--direct_running_mode=in_memory",))
OPEN = Warehouse(min_group=1, perturb=False)


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that gives each element to two workers, at the same time where it has threads for that."""

    def doubled(elements: Iterable[Any], settings: Pipelines, name: str = "elements") -> Any:
        return made([one for one in elements for _ in range(2)], settings, name)

    made = beamio.made
    monkeypatch.setattr(beamio, "made", doubled)
    monkeypatch.setattr(reports, "made", doubled)


@pytest.mark.timeout(300)
def test_what_is_worked_on_twice_counts_once(twice: None, tmp_path: Path) -> None:
    """In each job: rights, facts, expire, reports."""
    data, now = tmp_path / "twice", time.time()
    for number in range(6):
        collect(data, ["gone", *"abcdefghijk"], "collector", [number, number + 1], now)
        facts.run(data, ELSEWHERE)
    assert found(data).rows.total() == 12 * 7, "each event but the first comes twice"
    with closing(
        Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)
    ) as ledger:
        ledger.erase("shop", "user", "gone", "test", time.time_ns() // 1_000_000)
    once = tmp_path / "once"
    shutil.copytree(data, once)
    for folder, how in ((data, ELSEWHERE), (once, Pipelines(open_files=4))):
        rights.run(folder, how, Backup(), now, at_once=True)
        expire.run(folder, how, now)
        reports.run(folder, OPEN, how)
    assert found(data) == found(once)
    assert found(data).rows.total() == 11 * 7
    assert tables(data) == tables(once)
    assert left_over(data) == set()
    assert list((data / "lake/work").iterdir()) == []
    assert left(data / "lake/files", persons(data, ["gone"])) == []


def test_of_two_attempts_the_first_that_is_whole_stands(tmp_path: Path) -> None:
    room = tmp_path / "room"
    room.mkdir()
    with attempts.whole(room / "all.made") as slow:
        (slow / "a").write_text("half of")
        with attempts.whole(room / "all.made") as other:
            (other / "a").write_text("second")
            (other / "b").write_text("second")
        (slow / "b").write_text("late")
    assert [(one.name, one.read_text()) for one in sorted((room / "all.made").iterdir())] == [
        ("a", "second"), ("b", "second"),
    ]  # fmt: skip
    with pytest.raises(ZeroDivisionError), attempts.whole(room / "2026.made"):
        raise ZeroDivisionError
    assert [one.name for one in room.iterdir()] == ["all.made"]
    shutil.rmtree(room)
    with pytest.raises(FileNotFoundError), attempts.whole(room / "all.made"):
        pass
    with pytest.raises(FileNotFoundError):
        attempts.say(room / "1.note", b"of a run that is over")


def test_what_no_job_may_carry_is_the_owners_alone_and_goes(tmp_path: Path) -> None:
    with shelf.laid(tmp_path, "here", {"person": 7}, Pipelines()) as place:
        assert not place.exists()
        assert shelf.taken(place) == {"person": 7}
    with shelf.laid(tmp_path, "there", {"person": 7}, ELSEWHERE) as place:
        assert place.stat().st_mode & 0o777 == 0o600
        assert shelf.taken(place) == {"person": 7}
    assert not place.exists()
    place.write_bytes(b"of a run that was killed")
    shelf.clear(tmp_path)
    assert not place.exists()


def _fails(kind: type[Exception], *said: Any) -> Callable[[int], None]:
    def work(element: int) -> None:
        raise kind(*said)

    return work


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (ValueError("canary-7"), Broken, "a worker failed: ValueError at "),
        (Broken("a record is damaged"), Broken, "a record is damaged"),
        (Misconfigured("log.topic", "x", "another"), Misconfigured, "log.topic = 'x': another"),
        (Refused(409, "held", "it waits"), Refused, "held: it waits"),
        (OSError(errno.ENOSPC, "No space left", "canary-7"), OSError, "No space left"),
    ],
)
def test_a_failure_elsewhere_is_the_same_here_and_names_nobody(
    error: Exception, kind: type[Exception], said: str
) -> None:
    """What a runner gets of it, it may write down."""
    args = {Misconfigured: ("log.topic", "x", "another"), Refused: (409, "held", "it waits")}
    with pytest.raises(kind) as caught:
        beamio.each([1], _fails(type(error), *args.get(type(error), error.args)), ELSEWHERE)
    assert said in str(caught.value)
    told = "".join(traceback.format_exception(caught.value.__context__))
    assert "[throng:" in told
    assert "canary-7" not in told + str(caught.value)


def test_where_the_cluster_is_away_nothing_is_lost(tmp_path: Path) -> None:
    collect(tmp_path, ["a"], "collector", [0], time.time())
    waits = lag(tmp_path)
    # Port 1 is nobody's; and a program that is not there.
    for how, key in (
        ('runner = "flink"\njob_server = "127.0.0.1:1"', "pipelines.job_server"),
        ('runner = "prism"\nprism = "/nowhere/prism"', "pipelines.prism"),
    ):
        (tmp_path / "throng.toml").write_text(f"[pipelines]\n{how}\n")
        with pytest.raises(Misconfigured, match=key):
            jobs.facts(tmp_path)
        assert lag(tmp_path) == waits
    (tmp_path / "throng.toml").write_text("")
    assert jobs.facts(tmp_path)["stored"] == 1


@pytest.mark.parametrize(
    "wrong", [{"job_server": "8099"}, {"workers": "host:"}, {"parallelism": 0}, {"runner": "prism"}]
)
def test_settings_of_a_cluster_that_can_not_be_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Pipelines(**wrong)


def test_workers_serve_task_managers_of_their_own_machine() -> None:
    assert all(map(workers.here, ("localhost:4711", "127.0.0.1:1", "[::1]:50000")))
    assert not any(map(workers.here, ("10.0.0.9:4711", "localhost.evil.example:1", "[2001:db8::1]:1", "")))
