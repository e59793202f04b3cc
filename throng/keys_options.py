"""The options and the manual of `throng keys`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions

#: As `consent_filter/rotation.py` has them; a test compares.
TURNING = ("identity", "advertising", "event_id")
MANUAL = """\
  throng keys                    every key: what for, when it was made, replaced, ends, was destroyed
  throng keys rotate identity    another key for whoever is new, now; at other times by [keys] in throng.toml

Nobody becomes somebody else by it: who came before keeps the key they came under, which is destroyed when the
last of them is gone. The collector goes on with the new key at its next batch. No key is ever printed.
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("keys", "lasting keys: when each was made, is replaced and ends", MANUAL)
    actions.form(one)
    rotate = one.add_subparsers(dest="action", metavar="WHAT").add_parser(
        "rotate", help="replace a key now", description="replace a key now"
    )
    rotate.add_argument("name", choices=TURNING, metavar="NAME", help=", ".join(TURNING))
    actions.folder(rotate)
