"""Purges in processes that end themselves at lines of the work, and then again in one that does not.

    python -m tests.pipelines.killed PUBLISHED ROOM

Prints one JSON line: how many were killed, and what was wrong afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import apache_beam  # noqa: F401  each fork would import it anew
import pandas  # noqa: F401

from pipelines import expire, keeping
from pipelines.settings import Pipelines
from tests.warehouse.killed import apart
from tests.warehouse.sample import found, left_over
from warehouse import compact, cuts, purges
from warehouse.lake import Lake

NOW = 1_788_739_200.0 + 182 * 86_400
_FILES = {module.__file__ for module in (expire, keeping, compact, cuts, purges)}


def purge(data: Path, last: int | None) -> int:
    """Purge, and be killed after so many lines; how many ran."""
    lines = 0

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if last is not None and lines > last:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        return local if frame.f_code.co_filename in _FILES else None

    sys.settrace(enter)
    try:
        expire.run(data, Pipelines(open_files=4), NOW)
    finally:
        sys.settrace(None)
    return lines


def state(data: Path) -> list[object]:
    """What is there: facts but for the values of pseudonyms, the balance, what was said to be taken away."""
    purge(data, None)
    lake = Lake.open(data, write=True)
    assert lake is not None
    lake.sweep()
    rows = lake.connection.execute(
        "SELECT * EXCLUDE (person), dense_rank() OVER (PARTITION BY day ORDER BY props) FROM lake.events"
        " ORDER BY ALL"
    ).fetchall()
    people = lake.connection.execute("SELECT count(DISTINCT (person, day)) FROM lake.events").fetchone()
    notes = {str(file) for file in (data / "lake" / "work").iterdir()}  # the next refresh removes them
    taken = [one | {"bytes": 0} for one in purges.purges(lake.connection)]
    lake.close()
    return [repr(rows), repr(people), repr(taken), repr(found(data).balance), sorted(left_over(data) - notes)]


def main(published: Path, room: Path) -> None:
    wrong, killed = list[str](), 0

    def fresh(name: str) -> Path:
        shutil.copytree(published, room / name)
        return room / name

    whole = fresh("whole")
    _, said = apart(lambda: purge(whole, None))
    lines = int(said)
    _, expected = apart(lambda: state(whole))
    for k, share in enumerate((0.3, 0.75, 0.94)):
        data, last = fresh(str(k)), int(lines * share)
        status, said = apart(lambda data=data, last=last: purge(data, last))  # type: ignore[misc]
        killed += status == signal.SIGKILL
        _, after = apart(lambda data=data: state(data))  # type: ignore[misc]
        if after != expected:
            wrong.append(f"after {last} of {lines} lines ({said})")
        shutil.rmtree(data)
    print(json.dumps({"killed": killed, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
