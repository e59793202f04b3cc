"""The options of `throng partners`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions
from throng.advertisers_options import of_a_link


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """`command` makes one command of a name and a sentence."""
    one = command("partners", "what partners are given: rows of who came by links that name them")
    given = actions.below(one, "action")("link", "an address at which a partner reads its own rows")
    given.add_argument("partner", metavar="PARTNER", help="a [[recipient]] of the kind partner, with sources")
    of_a_link(given)
