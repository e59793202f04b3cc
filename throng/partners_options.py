"""The options of `throng partners`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng.advertisers_options import of_a_link


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """`command` makes one command of a name and a sentence."""
    one = command("partners", "what partners are given: rows of who came by links that name them")
    below = one.add_subparsers(dest="action", required=True)
    given = below.add_parser("link", help="an address at which a partner reads its own rows")
    given.add_argument("partner", help="a [[recipient]] of the kind partner, with sources")
    of_a_link(given)
