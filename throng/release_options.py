"""The options and the manual of `throng release`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions, attack_options, packs_options

MANUAL = """\
What leaves the house: trends with noise in them (differential privacy), drafted once from one budget.

  throng release draft investors --period 2026-Q3    spends budget, once; the same again costs nothing
  throng release draft investors --period 2026-Q3 --price    what that would cost; nothing is drawn
  throng release list                                drafts, newest first
  throng release show ID                             its tables, with intervals; --table NAME: one of them
  throng release budget                              what each month may still cost, and what has spent it
"""
#: As `warehouse/trend.py` has them; a test compares.
AUDIENCES = ("investors", "advertiser", "partner", "research", "public")
Command = Callable[[str, str], argparse.ArgumentParser]
#: word after `throng release` → module that has its `main(arguments) -> exit code`
WHERE = {
    "draft": "throng.release",
    "list": "throng.release",
    "show": "throng.release",
    "budget": "throng.release",
    **packs_options.WHERE,
    **attack_options.WHERE,
}


def add(one: argparse.ArgumentParser) -> None:
    """Everything below `release`."""
    one.description = MANUAL + packs_options.MANUAL + attack_options.MANUAL
    one.formatter_class = argparse.RawDescriptionHelpFormatter
    command = actions.below(one, "what")
    _drafts(command)
    packs_options.add(command)
    attack_options.add(command)


def _drafts(command: Command) -> None:
    said = command("draft", "draw the numbers of a closed period, and write them down")
    said.add_argument("audience", choices=AUDIENCES, help="whom it is for")
    said.add_argument("--period", required=True, metavar="P", help="2026, 2026-Q3 or 2026-09")
    said.add_argument("--site", dest="sites", action="append", default=[], metavar="S",
                      help="one of the sites; repeatable (default: all)")  # fmt: skip
    said.add_argument("--price", action="store_true", help="only say what it would cost, table by table")
    said.add_argument("--again", action="store_true", help="draw anew what is drafted already: spends again")
    command("list", "drafts, newest first")
    said = command("show", "one draft: its tables and what is said of them")
    said.add_argument("draft", metavar="ID", help="as list prints it")
    said.add_argument("--table", metavar="NAME", help="the rows of one table")
    command("budget", "what each month may still cost, and what has spent it")
