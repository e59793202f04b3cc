"""The options of `throng advertisers`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from throng import actions


def of_a_link(given: argparse.ArgumentParser) -> None:
    """What is said of an address at which somebody reads their own rows, besides whose it is."""
    given.add_argument(
        "--days", type=int, default=30, metavar="N", help="for how long it is good (default 30)"
    )
    given.add_argument("--at", metavar="URL", help="the dashboards, as they reach them (default: as we do)")


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """`command` makes one command of a name and a sentence."""
    one = command("advertisers", "what advertisers are given: their own rows, and totals to compare")
    action = actions.below(one, "action")
    given = action("link", "an address at which an advertiser reads its own rows")
    given.add_argument(
        "advertiser", metavar="ADVERTISER", help="as the catalogue, DATA/adverts.toml, calls it"
    )
    of_a_link(given)
    totals = action("totals", "write released hourly totals of an advertiser's campaigns")
    totals.add_argument("advertiser", metavar="ADVERTISER", help="as the catalogue calls it")
    totals.add_argument("file", type=Path, metavar="FILE", help="a new file, to be given to the advertiser")
    both = action("reconcile", "explain the difference of two files of totals by reason")
    both.add_argument(
        "ours", type=Path, metavar="OURS", help="as `totals` writes it: with what we left out, by reason"
    )
    both.add_argument(
        "theirs", type=Path, metavar="THEIRS", help="campaign,hour,what,n as CSV, or such a file too"
    )
