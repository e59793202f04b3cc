"""The options of `throng partners`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """`command` makes one command of a name and a sentence."""
    one = command("partners", "what partners are given: rows of who came by links that name them")
    below = one.add_subparsers(dest="action", required=True)
    given = below.add_parser("link", help="an address at which a partner reads its own rows")
    given.add_argument("partner", help="a [[recipient]] of the kind partner, with sources")
    given.add_argument("--days", type=int, default=30, help="for how long it is good (default 30)")
    given.add_argument("--at", default="http://localhost:8090", help="where the dashboards are reached")
    given.add_argument("--data", type=Path, default=argparse.SUPPRESS, help="data folder")
