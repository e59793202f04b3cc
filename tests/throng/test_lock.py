"""Whoever runs in a folder is seen by who must be alone there: `throng up`, and its parts by themselves."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from consent_filter.errors import Misconfigured, Refused
from consent_filter.pseudonym import Keyring
from throng import lock, restore
from throng.backup import make


def running(data: Path) -> subprocess.Popen[bytes]:
    """A part as a container or a unit runs it: nobody holds its standard input."""
    asked = [sys.executable, "-m", "throng.main", "part", "pipeline", "--data", str(data), "--port", "1"]
    return subprocess.Popen(asked, stdin=subprocess.DEVNULL)


def seen(data: Path, part: subprocess.Popen[bytes]) -> None:
    """Wait until something is known to run there."""
    deadline = time.monotonic() + 60
    while not lock.running(data):
        assert part.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_nothing_is_restored_over_a_part_that_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    Keyring.open(data / "keys.json")
    made = make(data, tmp_path / "copies", 30)
    first, second = running(data), running(data)
    try:
        seen(data, first)
        with pytest.raises(Refused) as caught:
            restore.run(made, data)
        assert caught.value.code == "running"
        with pytest.raises(Misconfigured, match="or a part of it"), lock.alone(data):
            pass
        first.kill()
        first.wait()
        seen(data, second)
    finally:
        first.kill()
        second.kill()
        second.wait()
    assert not lock.running(data)


def test_to_be_asked_about_keeps_no_part_from_being_seen(tmp_path: Path) -> None:
    held = threading.Event()

    def ask() -> None:
        with lock.alone(tmp_path):
            held.set()
            time.sleep(0.2)

    one = threading.Thread(target=ask)
    one.start()
    held.wait()
    with lock.together(tmp_path):
        one.join()
        assert lock.running(tmp_path)
    assert not lock.running(tmp_path)


def test_a_part_by_itself_may_run_beside_throng_up(tmp_path: Path) -> None:
    with lock.alone(tmp_path), lock.together(tmp_path):
        assert lock.running(tmp_path)
