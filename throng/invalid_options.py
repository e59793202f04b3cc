"""What `throng adverts` can do about invalid traffic."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date

#: Below the manual of `throng adverts`.
MANUAL = """\
  throng adverts invalid --from 2026-09-01 --to 2026-09-30
                                                received = net + filtered + ended + refused, by reason,
                                                with the rules and lists in force
  throng adverts rejudge --rules 2 --from 2026-09-01 --to 2026-09-30 --reason "rule of clicks was wrong"
                                                judge the past by other rules: its reports are made anew
"""
#: Actions that `throng.invalid.main` does.
ACTIONS = ("invalid", "rejudge")


def add(sub: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """`sub`: makes one below `throng adverts`, of a name and a sentence."""
    one = sub("invalid", "what was received of adverts, and what became of it: gross, filtered, net, refused")
    _period(one)
    one = sub("rejudge", "judge days of the past by a version of the rules")
    _period(one)
    one.add_argument("--rules", type=int, required=True, metavar="N", help="warehouse/invalid/rules-N.toml")
    one.add_argument("--reason", required=True, metavar="WHY", help="what is wrong with the verdicts so far")
    one.add_argument("--dry-run", action="store_true", help="say which days it changes, and change nothing")


def _period(one: argparse.ArgumentParser) -> None:
    for name, says in (("from", "the first day"), ("to", "the last day")):
        one.add_argument(f"--{name}", dest=name + "_", type=date.fromisoformat, metavar="DAY", help=says)
