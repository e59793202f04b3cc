"""Publishes again and again in processes that end themselves at a line of the publication, one after another.

    python -m tests.warehouse.killed DATA

At every line before which something has changed on the disk (any other leaves what its forerunner leaves),
and at every sixth of the others. Prints one JSON line: where it was killed, and what was wrong after any of
the kills.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any

# Each fork would import these anew, for longer than it takes to publish.
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401

from tests.warehouse.generations import change, whole
from warehouse import report, snapshot
from warehouse.released import Store
from warehouse.settings import Warehouse

_FILE = snapshot.__file__
_SETTINGS = Warehouse(keep_generations=2)


def at_line(
    last: int | None, seen: list[int], look: Callable[[], object] | None = None, left: list[int] | None = None
) -> Callable[[FrameType, str, Any], Any]:
    """A trace that ends the process at the nth line of snapshot.py that runs; None counts lines only, and
    collects in `left` those before which what `look` sees has changed."""
    stood: list[object] = [None]

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            if look is not None and left is not None:
                now = look()
                if now != stood[0]:
                    left.append(len(seen))
                stood[0] = now
            seen.append(frame.f_lineno)
            if last is not None and len(seen) > last:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        return local if frame.f_code.co_filename == _FILE else None

    return enter


def lying(data: Path) -> list[tuple[str, int, int, int]]:
    """What is on the disk of publications: each name, and what tells a file from a newer one."""
    found = sorted(snapshot.folder(data).rglob("*")) if snapshot.folder(data).is_dir() else []
    return [(str(one), (at := one.lstat()).st_ino, at.st_size, at.st_mtime_ns) for one in found]


def publish(data: Path, last: int | None, look: bool = False) -> tuple[list[int], list[int]]:
    """Publish, and be killed after so many lines; returns the lines that ran, and where one is to `look`, the
    places in them before which the disk had changed."""
    store, seen, left = Store.open(data), list[int](), list[int]()
    sys.settrace(at_line(last, seen, (lambda: lying(data)) if look else None, left))
    try:
        snapshot.publish(data, _SETTINGS, store)
    finally:
        sys.settrace(None)
    store.close()
    return seen, left


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


def ended(
    work: Callable[[], object], ours: Collection[str | None], after: int | None = None, at: str = ""
) -> tuple[int, str]:
    """`apart`, in a process that ends itself when so many lines of these files have run (None: never), or
    where a function of that name begins, in whichever thread; its status, its answer."""

    def local(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal after
        if event == "line" and after is not None:
            after -= 1
            if after < 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return local

    def enter(frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in ours:
            return None
        if frame.f_code.co_name == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return local

    def traced() -> None:
        threading.settrace(enter)
        sys.settrace(enter)
        work()
        sys.settrace(None)

    return apart(traced)


def points(lines: list[int], left: list[int]) -> list[int]:
    """Where to kill: how many lines run before. Loops over tables are the same thing three times."""
    once = [n for n in range(len(lines)) if lines[n] not in lines[:n]]
    return sorted({*left, *once[::6], len(lines) - 1})


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
    report.load()  # once, and not in each process
    for step in (1, 2, 3):  # by the third a generation is removed, as it will be ever after
        apart(lambda step=step: change(data, step))  # type: ignore[misc]
        _, said = apart(lambda: publish(data, None, look=True))
    stand, chosen = 3, points(*json.loads(said))
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
