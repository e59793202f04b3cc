"""The options and the manual of `throng import` and `throng imported`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from throng import actions

#: As `ingest/counted` has them; a test compares.
TOOLS = ("plausible", "matomo", "ga4", "bigquery")
MANUAL = """\
Web-server logs go through the same filter as everything else, line by line; again adds nothing.

What another tool has counted is taken as it is, in sums by day, and is kept apart (docs/imports.md):

  throng import export.zip --site shop --from plausible       Site settings, Imports & exports
  throng import matomo/ --site shop --from matomo             <method>.json of its reporting API, by day
  throng import pages.csv days.csv --site shop --from ga4     explorations with the dimension Date
  throng import events_20240101.json.gz --site shop --from bigquery

Words that could name somebody are taken out, and rows of too few people are put together or left out, before
anything is written.
"""


def add(command: Callable[..., argparse.ArgumentParser]) -> None:
    """`command`: makes one, of a name, a sentence and what stands at its end."""
    one = command("import", "the past: web-server logs, or what another tool has counted; again adds nothing")
    one.description = MANUAL
    one.add_argument(
        "file", type=Path, nargs="+", metavar="FILE", help="a log (plain, gzip, bzip2 or xz); an export"
    )
    one.add_argument("--site", required=True, metavar="S", help="the site it belongs to")
    one.add_argument("--from", dest="tool", choices=TOOLS, help="the tool that has counted; without it: logs")
    one.add_argument(
        "--dry-run", action="store_true", help="with --from: say what would be kept, and keep nothing"
    )
    one.add_argument(
        "--format",
        choices=("auto", "combined", "common", "json"),
        default="auto",
        help="of a log (default: auto)",
    )
    one = command("imported", "what other tools have counted: the imports, and taking one away")
    sub = actions.below(one, "action")
    sub("list", "the imports, oldest first")
    sub("remove", "take an import away").add_argument(
        "number", type=int, metavar="NUMBER", help="as list prints it"
    )
