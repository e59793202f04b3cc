"""The options and the manual of `throng adverts`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from throng import actions, invalid_options

#: As `warehouse/catalogue_rows.py` has them; a test compares.
KINDS = ("advertiser", "campaign", "creative", "placement", "flight", "goal")
MANUAL = """\
Advertisers, campaigns, creatives, placements, flights and goals: the list in DATA/adverts.toml, which gives
what is measured names, days and goals. Nothing in it decides what is measured. docs/adverts.md says it whole.

  throng adverts list                           campaigns, with their days and goals
  throng adverts show spring                    all that is listed of one campaign
  throng adverts check                          is the list right; what was measured that is not in it
  throng adverts import campaigns.csv --kind campaign
                                                rows from a CSV file, all of them or none
  throng adverts history                        who changed it, when, what
  throng adverts tags spring --at https://collect.shop.example --to https://acme.example/offer
                                                addresses to paste, signed: pixel, click, VAST, notices
  throng adverts elsewhere totals.csv           what others say of campaigns, in sums; beside visits here
  throng adverts token ssp-north --for servers  a token for a server that sends for visitors
  throng adverts tokens                         which were made, by id
  throng adverts revoke 5f3a9c01b2d4            takes one back, from the next request on
"""
IMPORT = """\
The first line names keys, as the list has them; a line is a row. A row with the id of one that is listed
takes its place (a flight: the same campaign, placement and first day). A file of several kinds has a column
`kind`.

  id,advertiser,name,starts,ends,impressions
  spring,acme,Spring sale,2026-03-01,2026-03-31,500000
"""
ELSEWHERE = """\
A CSV file with the columns day, source, campaign, impressions, clicks, cost: one line for each day, source
and campaign. A file with any other column, or with two such lines, is refused whole: sums are taken in, and
nothing of anybody. Campaigns are called as utm_campaign of the visits that come from there.

  day,source,campaign,impressions,clicks,cost
  2026-03-01,google,spring,120000,840,312.50
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("adverts", "the list of campaigns, and the addresses that measure them")
    one.description = MANUAL + invalid_options.MANUAL
    sub = actions.below(one, "action")
    invalid_options.add(sub)
    sub("list", "campaigns, with their days and goals")
    sub("history", "every edition of the list: who, when, what")
    show = sub("show", "all that is listed of one campaign")
    show.add_argument("campaign", metavar="CAMPAIGN", help="its id in the list")
    check = sub("check", "is the list right, and what was measured that is not in it")
    check.add_argument("file", type=Path, nargs="?", metavar="FILE", help="another list than the one in use")
    load = sub("import", "add rows from a CSV file", IMPORT)
    load.add_argument("file", metavar="FILE", help="- is standard input")
    load.add_argument("--kind", choices=KINDS, default="", help="what its rows are")
    load.add_argument("--by", default="", metavar="NAME", help="who does it (default: who is logged in here)")
    load.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    tags = sub("tags", "addresses to paste, signed")
    tags.add_argument("campaign", metavar="CAMPAIGN", help="its id in the list")
    tags.add_argument("--at", required=True, metavar="URL", help="the collector, as visitors reach it")
    tags.add_argument("--site", default="", metavar="S", help="needed where no placement says it")
    tags.add_argument("--creative", default="", metavar="C", help="only this one")
    tags.add_argument("--placement", default="", metavar="P", help="only this one")
    tags.add_argument("--to", default="", metavar="URL", help="where a click leads")
    tags.add_argument("--days", type=int, default=400, metavar="N", help="how long they are good")
    tags.add_argument(
        "--signal", choices=("tcf", "gpp", "none"), default="tcf",
        help="the consent string that players fill in; one that they do not is a refusal",
    )  # fmt: skip
    other = sub("elsewhere", "campaigns that others show: their totals, beside the visits here", ELSEWHERE)
    other.add_argument("file", nargs="?", metavar="FILE", help="totals to take in; - is standard input")
    other.add_argument("--since", default="", metavar="DAY", help="from that day on")
    other.add_argument("--until", default="", metavar="DAY", help="up to that day")
    token = sub("token", "a token for a server: to send for visitors, or to change the list")
    token.add_argument("name", metavar="NAME", help="whose it is")
    token.add_argument(
        "--for", dest="use", choices=("servers", "catalogue"), required=True, help="what it lets do"
    )
    token.add_argument("--days", type=int, default=365, metavar="N", help="how long it is good")
    sub("tokens", "the tokens that were made, by id; none is kept")
    back = sub("revoke", "take one token back: it is refused from the next request on")
    back.add_argument("token", metavar="ID", help="its id; - reads the token itself from standard input")
