"""The options and the manual of `throng security`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions

MANUAL = """\
What is kept to protect the site, for the role `security` alone: networks that sent so many advert events in
minutes that it is a spike, by the hour, as a hash of the day. Kept for [security] keep_days.

  throng security admit "Ann Lee"        a token for 90 days, printed once; it is the role
  throng security dismiss "Ann Lee"      takes the role back
  throng security networks < token.txt   what spiked; who looked is written down
  throng security networks --network 203.0.113.0/24 < token.txt
                                         only that one's hours of today, whose key still lives
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name and a sentence."""
    one = command("security", "which networks spiked: for the security officer alone")
    one.description, one.formatter_class = MANUAL, argparse.RawDescriptionHelpFormatter
    action = actions.below(one, "action")
    for name, says in (
        ("admit", "give an officer the role"),
        ("dismiss", "take the role from an officer"),
        ("networks", "what spiked; the token comes by standard input"),
    ):
        said = action(name, says)
        if name == "networks":
            said.add_argument("--network", metavar="A", help="an address, or the first one of its /24 or /48")
        else:
            said.add_argument("officer", metavar="NAME", help="the officer")
