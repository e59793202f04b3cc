"""The options and the manual of `throng lake`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from throng.actions import below

MANUAL = """\
  throng lake show                 where facts are, how many, and what a move has left
  throng lake move servers.toml    to where the [lake] table of that file says
  throng lake move --here          back into the data folder
  throng lake drop                 delete what a move has left at the old place

Everything is copied, compared to the last value, and only then [lake] in throng.toml is replaced. Collectors
go on; jobs wait. Killed anywhere, the lake is where it was, or where it goes: give the command again.
"""
WHERE = {"lake": "throng.lake"}


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    action = below(command("lake", "where facts are; move them to servers and back", MANUAL), "action")
    action("show", "where facts are, how many, and what a move has left")
    one = action("move", "copy facts to another place, compare, and use that one from then on")
    to = one.add_mutually_exclusive_group(required=True)
    to.add_argument("to", type=Path, nargs="?", metavar="FILE", help="TOML whose [lake] says where")
    to.add_argument("--here", action="store_true", help="back into the data folder")
    action("drop", "delete what a move has left at the old place")
