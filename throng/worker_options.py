"""The options of `throng worker`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

#: command → module that has its `main(arguments) -> exit code`
WHERE = {"worker": "throng.worker"}


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """One command; it needs no data folder: what it works on says where that is."""
    one = command("worker", "run jobs for a Flink task manager of this machine, until Ctrl-C")
    says = "host:port where it listens, as [pipelines] workers says it (default 127.0.0.1:50000)"
    one.add_argument("--at", default="127.0.0.1:50000", metavar="HOST:PORT", help=says)
