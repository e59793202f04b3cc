"""The options of `throng release` from a draft to what a recipient holds."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

#: A recipient's audience → what is prepared for it.
AUDIENCES = {
    "investors": "growth, activity, liquidity, geography, devices, acquisition, adverts, retention",
    "advertiser": "what advertisers may get",
    "partner": "what partners may get",
    "research": "extracts for research",
    "public": "figures for everyone",
}
#: word after `throng release` → module that has its `main(arguments) -> exit code`
WHERE = {
    **dict.fromkeys((*AUDIENCES, "approve", "deliver", "recall"), "throng.packs"),
    **dict.fromkeys(("verify", "log", "frozen", "due"), "throng.packs_log"),
}
MANUAL = """\

  throng release investors --period 2026-Q3          the draft rendered, to look at; it awaits approval
  throng release approve ID --by NAME                a person answers for it, and not who has made it
  throng release deliver ID --to RECIPIENT           a signed pack and a link that expires
  throng release recall ID --why …                   its links end; who was given it is told
  throng release log                                 versions, approvals, deliveries, recalls
  throng release frozen                              figures whose transfer has lost its ground
  throng release due                                 what the schedule asks for ([[schedule]])
  throng release verify PACK --key KEY               is it whole, and ours: without network or data folder
"""


def add(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    """Everything from a draft on. `command` makes one below `release`."""

    def by(one: argparse.ArgumentParser, *, needed: bool = False) -> None:
        one.add_argument("--by", metavar="NAME", required=needed, default="", help="the person who does it")

    for name, says in AUDIENCES.items():
        one = command(name, f"render a release, which then awaits approval: {says}")
        one.set_defaults(audience=name)
        one.add_argument("--period", required=True, metavar="P", help="2026, 2026-Q3 or 2026-09")
        one.add_argument("--site", dest="sites", action="append", default=[], metavar="S",
                         help="one of the sites; repeatable (default: all)")  # fmt: skip
        one.add_argument(
            "--draft", metavar="ID", help="this draft (default: that of the period, made if needed)"
        )
        one.add_argument("--why", default="", metavar="TEXT", help="of a second version: what it mends")
        by(one)
    one = command("approve", "a person has looked at it, and answers for it")
    one.add_argument("release", metavar="ID", help="as log prints it")
    by(one, needed=True)
    one = command("deliver", "sign a pack for a recipient, and print the link")
    one.add_argument("release", metavar="ID", help="as log prints it")
    one.add_argument("--to", required=True, metavar="RECIPIENT", help="a [[recipient]] of throng.toml")
    one.add_argument("--days", type=int, default=14, metavar="N", help="after how many days the link ends")
    one.add_argument("--times", type=int, default=3, metavar="N", help="how often it may be fetched")
    one.add_argument("--at", metavar="URL", help="the dashboards, as they reach them (default: as we do)")
    by(one)
    one = command("recall", "end its links, and tell whoever was given it")
    one.add_argument("release", metavar="ID", help="as log prints it")
    one.add_argument("--why", required=True, metavar="TEXT", help="what is wrong with it")
    by(one)
    one = command("verify", "check packs off-line: a zip or a folder")
    one.add_argument("pack", type=Path, nargs="+", metavar="PACK", help="a pack as it was delivered")
    says = "public key: a file, or its x; repeatable (default: the data folder's)"
    one.add_argument("--key", action="append", default=[], metavar="KEY", help=says)
    one = command("log", "what was released, approved, delivered, fetched, frozen, recalled")
    one.add_argument("release", metavar="ID", nargs="?", default="", help="only this one")
    command("frozen", "look now whether what was delivered still stands, and list the figures that do not")
    command("due", "prepare what the schedule asks for, and look whether what was delivered still stands")
