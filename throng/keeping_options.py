"""The options and the manual of `throng expire`, `throng hold` and `throng account`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import date

from throng import actions

#: As `consent_filter/holds.py` and `retention.py` have them; a test compares.
REASONS = ("complaint", "dispute", "investigation", "law", "enforcement")
CLASSES = ("law", "fraud", "fees", "disputes", "troubleshooting", "investigations", "terms", "other")
HOLD = """\
While a hold stands, nothing of those persons (and days, where --from and --to are said) is purged, made
coarser or erased from the disk, and no report counts them. It ends when it is released, or by itself.

  throng hold add --site shop --user-id 4711 --owner legal \\
      --reason dispute --reference case/7 --expires 2027-06-30
  throng hold release 5f3a9c01 --owner legal
"""
ACCOUNT = """\
The policy pack says how long each class lasts and which columns it keeps ([retention.closed]):

  throng account close --site shop --user-id 4711 --class law --class fees
  throng account close --site shop --user-id - < closed-today.txt
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """The three of them. `command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("expire", "delete and coarsen what is due, once, and say what was taken away")
    one.add_argument("--past", action="store_true", help="what earlier runs took away; nothing is done")
    actions.form(one)
    _hold(command("hold", "legal holds: rows that stay and leave every report", HOLD))
    _account(command("account", "accounts that were closed: what is kept of them, and why", ACCOUNT))


def _whose(one: argparse.ArgumentParser) -> None:
    actions.site(one)
    whose = one.add_mutually_exclusive_group(required=True)
    whose.add_argument("--user-id", metavar="ID", help="as PUT /consent has it; - is standard input")
    whose.add_argument("--device-id", metavar="ID", help="the same for a browser's id")


def _hold(one: argparse.ArgumentParser) -> None:
    """The commands below `hold`."""
    action = actions.below(one, "action")
    add = action("add", "place a hold; prints its id")
    _whose(add)
    add.add_argument("--owner", required=True, metavar="NAME", help="who answers for it")
    add.add_argument("--reason", required=True, choices=REASONS, help="what it is for")
    add.add_argument("--reference", required=True, metavar="R", help="the file that says more, e.g. case/7")
    add.add_argument(
        "--expires", required=True, type=date.fromisoformat, metavar="DAY", help="when it ends by itself"
    )
    for name, where, says in (("--from", "since", "first"), ("--to", "to", "last")):
        add.add_argument(
            name, dest=where, type=date.fromisoformat, metavar="DAY", help=f"{says} day that is held"
        )
    release = action("release", "end a hold; what waited for it is done at once")
    release.add_argument("id", metavar="HOLD", help="its id, as add and list print it")
    release.add_argument("--owner", required=True, metavar="NAME", help="who ends it")
    action("list", "every hold that was ever placed")


def _account(one: argparse.ArgumentParser) -> None:
    """The commands below `account`."""
    action = actions.below(one, "action")
    close = action("close", "an account is closed: purge, and end optional purposes")
    _whose(close)
    close.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        choices=CLASSES,
        help="why anything of it is kept; may be repeated; without it nothing is",
    )
    action("list", "how many are closed, since when and for what")
