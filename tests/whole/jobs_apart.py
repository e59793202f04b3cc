"""Runs commands of `throng`, each in a process of its own that is started in no time.

    python -m tests.whole.jobs_apart

A JSON line `[arguments, seconds]` on standard input starts a command, kills it after the seconds with SIGKILL
(null: never) and is answered with the status of the process. The libraries are imported once, before any
fork: a kill then meets the command at its work and not at its imports.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading

from pipelines import facts, publish, reports  # noqa: F401
from throng.main import main as throng
from warehouse.checks import expectations


def command(arguments: list[str], seconds: float | None) -> int:
    """Run it, kill it; the status as `os.waitpid` gives it."""
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)  # our standard output is for statuses
        os._exit(throng(arguments))
    timer = threading.Timer(seconds or 0.0, os.kill, (child, signal.SIGKILL))
    if seconds is not None:
        timer.start()
    _, status, _ = os.wait4(child, 0)
    timer.cancel()
    return status


def main() -> None:
    expectations.warm()
    for line in sys.stdin:
        print(json.dumps(command(*json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
