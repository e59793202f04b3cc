"""A lake is moved in processes that are killed, one after another, until one gets through.

    python -m tests.lake.moving DATA FILE STEP

Each is killed STEP lines of ours after the one before (1: at every line); a FILE of "-" moves back into the
data folder. Prints one JSON line: how many were killed, and what was wrong after any of them.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from tests.warehouse.killed import apart
from throng import lake as command
from warehouse import relocation
from warehouse.lake import Lake
from warehouse.lake_settings import settings

_OURS = {command.__file__, relocation.__file__}


def state(data: Path) -> str:
    """What is in the lake, wherever it is."""
    lake = Lake.open(data)
    assert lake is not None
    try:
        rows = lake.connection.execute(
            "SELECT (SELECT sum(hash(events)) FROM lake.events),"
            " (SELECT sum(hash(received)) FROM lake.received)"
        ).fetchall()
        return json.dumps([str(rows), lake.balance(), lake.offsets(), lake.number(), lake.count()])
    finally:
        lake.close()


def look(data: Path) -> str:
    """In a process of its own: one that has used a lake can't be forked."""
    status, said = apart(lambda: state(data))
    assert status == 0, said
    return str(json.loads(said))


def move(data: Path, file: str, after: int | None) -> int:
    """Move it in a process that ends itself at that line; its status."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal after
        if event == "line" and after is not None:
            after -= 1
            if after < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename in _OURS else None

    def work() -> None:
        table = "" if file == "-" else command.table_of(Path(file))
        sys.settrace(enter)
        command.move(data, table, time.time())
        sys.settrace(None)

    status, said = apart(work)
    assert after is None or status in (0, 9, -9), said
    return status


def run(data: Path, file: str, step: int) -> dict[str, Any]:
    whole, was, after, wrong = look(data), settings(data), step - 1, list[str]()
    while True:
        status = move(data, file, after)
        told = settings(data)
        if look(data) != whole:
            wrong.append(f"after {after} lines: another lake")
        if status == 0 or told != was:
            return {"killed": after // step, "wrong": wrong, "through": status == 0}
        after += step


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))
