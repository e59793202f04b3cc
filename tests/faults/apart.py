"""Starts commands of `throng`, each in a process of its own that is there in no time.

    python -m tests.faults.apart

A JSON line on standard input is answered with one: `["start", arguments]` with a process id, `["run",
arguments, seconds]` (killed with SIGKILL after them; null: never) and `["end", id, signal]` with a status.
Libraries are imported once, before any fork. When the input ends, so does every process that was started.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from contextlib import suppress

# Each fork would import these anew.
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401

import ingest.conferring
import ingest.log.kafka
import ingest.server  # noqa: F401
import throng.parts  # noqa: F401
from pipelines import facts, reports  # noqa: F401
from throng.main import main as throng_main

#: Whose end means that of who waits for it (`throng/child.py`).
_PARENT = os.pipe()


def start(arguments: list[str]) -> int:
    """A process that runs it."""
    child = os.fork()
    if child == 0:
        os.dup2(_PARENT[0], 0)  # it ends when we do, and not before
        os.close(_PARENT[1])
        os.dup2(2, 1)  # our standard output is for answers
        os._exit(throng_main(arguments))
    return child


def end(child: int, how: int, seconds: float | None = None) -> int:
    """Its status, as `os.waitpid` gives it."""
    timer = threading.Timer(seconds or 0.0, os.kill, (child, signal.SIGKILL))
    if seconds is not None:
        timer.start()
    elif how:
        os.kill(child, how)
    _, status = os.waitpid(child, 0)
    timer.cancel()
    return status


def main() -> None:
    """Until the input ends."""
    running: set[int] = set()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        what, *rest = json.loads(line)
        if what == "start":
            answer = start(*rest)
            running.add(answer)
        elif what == "run":
            answer = end(start(rest[0]), 0, rest[1])
        else:
            answer = end(*rest)
            running.discard(rest[0])
        print(json.dumps(answer), flush=True)
    for child in running:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
