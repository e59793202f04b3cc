"""The options and the manual of `throng release attack` and `throng release explain`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

MANUAL = """
  throng release attack ID                           what an attacker finds in a draft
  throng release explain ID --to NAME                what would follow from it with all that NAME has already;
                                                     --with OTHER: and with what OTHER has, if they may talk
"""
WHERE = {"attack": "throng.attack", "explain": "throng.attack"}


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Both commands."""
    said = command("attack", "try on a draft what an attacker would; 1 if anything succeeds")
    said.add_argument("draft", metavar="ID", help="a draft, as list prints it")
    said = command("explain", "what would follow from a draft for who has other figures; 1 if anything")
    said.add_argument("draft", metavar="ID", help="a draft, as list prints it")
    said.add_argument("--to", required=True, metavar="NAME", help="the recipient")
    said.add_argument("--with", dest="others", action="append", default=[], metavar="OTHER",
                      help="a recipient whom they may talk to; repeatable")  # fmt: skip
