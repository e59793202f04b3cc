"""Starts commands of `throng`, each in a process of its own that is there in no time.

    python -m tests.faults.apart

A JSON line on standard input is answered with one: `["start", arguments, environment, planted]` with an id
of a process (`planted`: a fault of `planted.py`, or ""), `["end", id, signal, seconds]` with a status (killed
with SIGKILL after them; null: never), and `["limit", id, bytes]` with null: how large a file of it may grow
from now on (null: as before). Libraries are imported once, before any fork. When the input ends, so does
every process that was started.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

# Each fork would import these anew.
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401
import pytest

import throng.jobs
import throng.parts  # noqa: F401
from ingest.enrich.agent import Agents
from pipelines import facts, reports  # noqa: F401
from tests.faults import planted
from tests.few import few
from throng.main import main as throng_main

#: Whose end means that of who waits for it (`throng/child.py`).
_PARENT = os.pipe()


def start(arguments: list[str], environment: dict[str, str], fault: str = "") -> int:
    """A process that runs it."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.dup2(_PARENT[0], 0)  # it ends when we do, and not before
            os.close(_PARENT[1])
            os.dup2(2, 1)  # our standard output is for answers
            os.environ.update(environment)
            if fault:
                planted.plant(fault)
            code = throng_main(arguments)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def end(child: int, how: int, seconds: float | None = None) -> int:
    """Its status, as `os.waitpid` gives it."""
    timer = threading.Timer(seconds or 0.0, os.kill, (child, signal.SIGKILL))
    if how:
        os.kill(child, how)
    if seconds is not None:
        timer.start()
    _, status = os.waitpid(child, 0)
    timer.cancel()
    return status


def warm() -> None:
    """Import whatever is imported only when it is needed: for a job by one that runs, in a fork, as threads
    end there."""
    Agents()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "throng.toml").write_text('[[site]]\nid = "shop"\n')
        names, said = os.pipe()
        if os.fork() == 0:
            with suppress(BaseException):
                os.dup2(2, 1)
                from ingest.log.segment import SegmentLog
                from tests.warehouse.sample import Event, record

                log = SegmentLog(Path(folder) / "log", "collector")
                log.append(record([Event(1, 1, 0, "shop")]))
                log.close()
                for job in ("facts", "reports"):
                    throng_main([job, "--data", folder])
                with open(said, "w") as file:
                    json.dump(list(sys.modules), file)
            os._exit(0)
        os.close(said)
        with open(names) as file:
            found = json.loads(file.read() or "[]")
        os.wait()
    for name in found:
        if name not in sys.modules and name != "__mp_main__":
            with suppress(Exception):
                importlib.import_module(name)


class Starting:
    """What was started, and what became of it."""

    def __init__(self) -> None:
        self.running: set[int] = set()
        self._limits: dict[int, tuple[int, int]] = {}

    def answer(self, what: str, rest: Sequence[Any]) -> int | None:
        """One request."""
        if what == "start":
            child = start(*rest)
            self.running.add(child)
            return child
        child = rest[0]
        if what == "limit":
            with suppress(ProcessLookupError):
                before = self._limits.setdefault(child, resource.prlimit(child, resource.RLIMIT_FSIZE))
                now = before if rest[1] is None else (rest[1], before[1])
                resource.prlimit(child, resource.RLIMIT_FSIZE, now)
            return None
        self.running.discard(child)
        return end(*rest)


def main() -> None:
    """Until the input ends."""
    few(pytest.MonkeyPatch())
    warm()
    starting = Starting()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        print(json.dumps(starting.answer(what, rest)), flush=True)
    for child in starting.running:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
