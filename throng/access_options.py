"""The options and the manual of `throng access`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from throng import actions

#: As `dashboards/who.py` has them; a test compares.
ROLES = ("analyst", "advertiser", "investor", "privacy_officer", "administrator", "security")
MANUAL = """\
Who may sign in to the dashboards, and as what (docs/accounts.md). The accounts of the site's own members are
another thing: throng account.

  throng access add ann@shop.example --name "Ann Lee" --role analyst --only shop
                                            a new account; prints a link by which they choose a password
  throng access link                        a link that makes the first account, if there is none
  throng access link ann@shop.example       a link by which they choose another password
  throng access roles ann@shop.example --role analyst --role administrator
                                            other roles and sites than before
  throng access end ann@shop.example        nobody signs in to it again
  throng access sessions ann@shop.example   ends what is signed in
  throng access factors ann@shop.example    takes away second factors, where they are lost
  throng access list                        who there is
  throng access log --kind read             who read what, the newest first; whether the log is whole
"""

#: Said of `--role`.
_ROLES = "what they may do; may be repeated"


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name and a sentence."""
    one = command("access", "who may sign in to the dashboards, and who read what")
    one.description, one.formatter_class = MANUAL, argparse.RawDescriptionHelpFormatter
    action = actions.below(one, "what")
    for name, says in (("add", "a new account"), ("roles", "other roles and sites than before")):
        said = action(name, says)
        said.add_argument("login", metavar="NAME", help="what is typed at the door")
        said.add_argument("--role", action="append", required=True, choices=ROLES, help=_ROLES)
        said.add_argument("--only", action="append", metavar="SITE", help="a site (default: all)")
        said.add_argument("--advertiser", action="append", default=[], metavar="A", help="whose adverts")
        said.add_argument("--recipient", action="append", default=[], metavar="R", help="whose packs")
        if name == "add":
            said.add_argument("--name", default="", metavar="TEXT", help="what others call them")
    action("link", "a link that signs in once").add_argument(
        "login", nargs="?", metavar="NAME", help="of which account (default: the first, if there is none)"
    )
    for name, says in (
        ("end", "nobody signs in to it again"),
        ("sessions", "end what is signed in"),
        ("factors", "take away second factors"),
    ):
        action(name, says).add_argument("login", metavar="NAME", help="what is typed at the door")
    action("list", "who there is")
    said = action("log", "who read what")
    said.add_argument("--who", metavar="NAME", help="only of that account")
    said.add_argument("--kind", default="", metavar="WHAT", help="only read, signed in, …")
    said.add_argument("--most", type=int, default=200, metavar="N", help="entries (default: 200)")
