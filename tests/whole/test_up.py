"""`throng up` as its user lives with it: it shows events soon, mends itself, ends cleanly and goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_ports
from tests.whole.running import ENVIRON, Up, throng, until, up
from warehouse import snapshot
from warehouse.query import tables, unlock
from warehouse.settings import Warehouse

SETTINGS = '[warehouse]\nmin_group = 1\n[[site]]\nid = "shop"\ntimezone = "UTC"\n'
#: What the README promises: seconds from the answer to an event until reports have it.
PROMISED = 10.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One `throng up` for the tests that only live with it; ready."""
    with up(tmp_path_factory.mktemp("up") / "data", settings=SETTINGS) as one:
        until(lambda: "ready after" in one.output.read_text(), 60)
        yield one


def path(number: int) -> str:
    """A page of its own, by letters: numbers in a path become their kind."""
    return "/page-" + chr(ord("a") + number % 26) * (1 + number // 26)


def promised() -> float:
    """The promise is of a machine that does nothing else: its share of a busy one is smaller."""
    return PROMISED * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def event(number: int, **more: object) -> dict[str, object]:
    return {
        "site": "shop",
        "type": "page_view",
        "url": f"https://shop.example{path(number)}",
        "id": f"e{number}",
        **more,
    }


def views(data: Path, path: str = "%") -> int:
    """Views of such pages in what is published now."""
    file = snapshot.latest(data)
    if file is None:
        return 0
    con = unlock(file, Warehouse())
    try:
        if "pages" not in tables(con):  # what is made of all days can be there before any day
            return 0
        found = con.execute("SELECT coalesce(sum(views), 0) FROM pages WHERE path LIKE ?", [path]).fetchone()
    finally:
        con.close()
    return int(found[0]) if found else 0


def children(pid: int) -> dict[str, int]:
    """The parts of a running `up` by name."""
    found = {}
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0")
        if "part" in words:
            found[words[words.index("part") + 1]] = int(child)
    return found


def of(data: Path) -> list[str]:
    """Command lines of all processes that name this folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(data) in words.split("\0"):
            found.append(words.replace("\0", " "))
    return found


def test_every_event_is_in_the_reports_in_time(running: Up) -> None:
    """A visit is seen ten seconds after it is acknowledged, whenever in the pipeline's round it comes."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice, waited = random.Random(seed), []
    for number in range(6):
        time.sleep(dice.uniform(0, 3))
        assert running.post(event(number)) == 202
        answered = time.monotonic()
        until(lambda number=number: views(running.data, path(number)) == 1, promised())
        waited.append(time.monotonic() - answered)
    print("seconds", [round(one, 1) for one in waited])
    page = running.get("/csv/pages.csv?period=7", running.port + 1)[1].decode()
    assert path(0) in page
    assert path(5) in page


def test_status_says_that_it_runs(running: Up) -> None:
    found = json.loads(throng(running.data, "status", "--format", "json"))
    assert found["running"] is True
    assert found["last_pass"]["failure"] is None
    assert set(children(running.process.pid)) == {"collector", "pipeline", "dashboards"}


def second(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "throng.main", "up", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=ENVIRON,
    )


def test_a_second_one_on_the_same_folder_says_so(running: Up) -> None:
    done = second("--data", str(running.data), "--port", str(free_ports()))
    assert done.returncode == 2
    assert "another `throng up`, or a part of it, runs in this folder; stop it first" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("nth", [0, 1])
def test_a_port_in_use_is_said_before_anything_is_started(nth: int, tmp_path: Path) -> None:
    port = free_ports()
    with socket.create_server(("127.0.0.1", port + nth)):
        done = second("--data", str(tmp_path / "data"), "--port", str(port))
    assert done.returncode == 2
    assert f"--port = {port + nth}: can't be had at 127.0.0.1 (Address already in use)" in done.stderr
    assert done.stdout == ""


def test_parts_that_are_killed_are_started_again(running: Up) -> None:
    before = children(running.process.pid)
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: len(set(children(running.process.pid).items()) - set(before.items())) == 3)
    said = running.output.read_text()
    for name in before:
        assert f"{name} ended with -9; starting it again" in said
    until(running.answers)
    assert running.post(event(99)) == 202
    until(lambda: views(running.data, path(99)) == 1, 60)
    until(lambda: _answers(running, "/about", running.port + 1))


def _answers(running: Up, path: str, port: int) -> Any:
    try:
        return running.get(path, port)[0] == 200
    except OSError:
        return False


def test_it_ends_with_0_and_nothing_stays_and_goes_on_where_it_was(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, settings=SETTINGS) as one:
        for number in range(5):
            assert one.post(event(number)) == 202
        assert one.stop(signal.SIGINT) == 0
        assert "what was acknowledged is stored" in one.output.read_text()
    assert of(data) == []
    kept = {"received": 5, "stored": 5, "refused": {}}
    assert json.loads(throng(data, "balance", "--format", "json")) == kept
    with up(data) as one:
        assert one.post([event(number) for number in range(7)]) == 202, "five of them are retries"
        until(lambda: views(data) == 7, 60)
        found = json.loads(throng(data, "balance", "--format", "json"))
        assert found == {"received": 12, "stored": 7, "refused": {"duplicate": 5}}
        assert one.stop(signal.SIGTERM) == 0
    assert of(data) == []


def test_parts_end_when_the_command_is_killed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data, settings=SETTINGS) as one:
        assert one.post(event(1)) == 202
        assert len(of(data)) == 4
        one.stop(signal.SIGKILL)
        until(lambda: of(data) == [])
    assert json.loads(throng(data, "balance", "--format", "json"))["stored"] == 1
