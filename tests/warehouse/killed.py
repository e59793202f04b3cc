"""Publishes again and again in processes that end themselves at a line of the publication, one after another.

    python -m tests.warehouse.killed DATA

At every line from the first sync to the last removal, and at every third of the others. Prints one JSON line:
where it was killed, and what was wrong after any of the kills.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

# Each fork would import these anew, for longer than it takes to publish.
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401

from tests.warehouse.generations import change, whole
from warehouse import snapshot
from warehouse.released import Store
from warehouse.settings import Warehouse

_FILE = snapshot.__file__
_SETTINGS = Warehouse(keep_generations=2)


def at_line(last: int | None, seen: list[int]) -> Callable[[FrameType, str, Any], Any]:
    """A trace that ends the process at the nth line of snapshot.py that runs; None counts lines only."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            seen.append(frame.f_lineno)
            if last is not None and len(seen) > last:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename == _FILE else None

    return enter


def publish(data: Path, last: int | None) -> list[int]:
    """Publish, and be killed after so many lines; returns the lines that ran."""
    store, seen = Store.open(data), list[int]()
    sys.settrace(at_line(last, seen))
    try:
        snapshot.publish(data, _SETTINGS, store)
    finally:
        sys.settrace(None)
    store.close()
    return seen


def apart(work: Callable[[], object]) -> tuple[int, str]:
    """Do it in a process of its own: DuckDB's threads do not live through a fork. Its status, its answer."""
    come, go = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(go, json.dumps(work()).encode())
        except BaseException as error:
            os.write(go, repr(error).encode())
            os._exit(1)
        os._exit(0)
    os.close(go)
    with os.fdopen(come) as pipe:
        said = pipe.read()
    return os.waitpid(child, 0)[1], said


def points(lines: list[int]) -> list[int]:
    """Where to kill: how many lines run before. Loops over tables are the same thing three times."""
    text, begin = inspect.getsourcelines(snapshot.publish)
    syncing = begin + next(n for n, line in enumerate(text) if "for path in (draft / MANIFEST" in line)
    swap = lines.index(syncing)
    once = [n for n in range(swap) if lines[n] not in lines[:n]]
    return [*once[::3], *(n for n in range(swap, len(lines)) if lines[n] != lines[n - 1])]


def killed(data: Path, step: int, last: int) -> None:
    """A step that never ends."""
    change(data, step)
    publish(data, last)


def afterwards(data: Path) -> list[object]:
    """What a reader sees, and what one sees once somebody has published again."""
    found: list[object] = []
    for again in (False, True):
        try:
            if again:
                publish(data, None)
            found.append(whole(data))
        except Exception as error:
            found.append(repr(error))
    return found


def main(data: Path) -> None:
    wrong: list[str] = []
    for step in (1, 2, 3):  # by the third a generation is removed, as it will be ever after
        apart(lambda step=step: change(data, step))  # type: ignore[misc]
        _, said = apart(lambda: publish(data, None))
    stand, chosen = 3, points(json.loads(said))
    for point in chosen:
        step = stand + 1
        status, said = apart(lambda step=step, point=point: killed(data, step, point))  # type: ignore[misc]
        if status != signal.SIGKILL:
            wrong.append(f"line {point}: not killed but {status}, {said}")
        _, said = apart(lambda: afterwards(data))
        if json.loads(said) not in ([stand, step], [step, step]):
            wrong.append(f"line {point}: readers saw {said}, not {stand} or {step} and then {step}")
        stand = step
    left = sorted(path.name for path in snapshot.folder(data).iterdir() if not path.name.isdigit())
    print(json.dumps({"points": len(chosen), "wrong": wrong, "left": left}))


if __name__ == "__main__":
    snapshot.GRACE = -1.0
    main(Path(sys.argv[1]))
