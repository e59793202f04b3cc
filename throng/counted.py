"""`throng import --from TOOL` and `throng imported`: what another tool has counted, kept apart (row 69)."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from consent_filter.errors import Misconfigured
from ingest.counted import READERS
from ingest.counted.table import cleaned
from ingest.scrub import Scrub
from ingest.settings import Sites
from throng.lock import running
from throng.settings import load
from warehouse import imported
from warehouse.imported import Import


def main(arguments: argparse.Namespace) -> int:
    """The command line's entry for `throng imported`."""
    if arguments.action == "remove":
        gone = imported.remove(arguments.data, arguments.number)
        print(f"Import {gone.number} is taken away: {gone.rows:,} rows of {gone.site}, by {gone.origin}.")
        _next(arguments.data)
        return 0
    found = imported.listed(arguments.data)
    if arguments.format == "json":
        print(json.dumps(msgspec.to_builtins(found), indent=1))
        return 0
    if not found:
        print("Nothing is imported. throng import --help says how to bring what another tool has counted.")
    for one in found:
        when = datetime.fromtimestamp(one.made, UTC)
        print(
            f"{one.number:>4}  {one.site}  {one.origin:<9}  {one.first} to {one.last}  {one.rows:>9,} rows"
            f"  {', '.join(one.reports)}  ({when:%Y-%m-%d %H:%M} UTC)"
        )
    return 0


def run(data: Path, files: Sequence[Path], site: str, tool: str, *, dry: bool = False) -> int:
    """Import exports of a tool: all of it or nothing. Raises Misconfigured and Refused."""
    settings = load(data)
    sites = Sites(settings.site)
    if site not in sites:
        raise Misconfigured("--site", site, f"a site of the settings: {', '.join(sites)}")
    if missing := next((file for file in files if not file.exists()), None):
        raise Misconfigured("FILE", missing.name, "a file or folder that is there")
    found = cleaned(READERS[tool].read(files), Scrub(sites[site]))
    about = imported.add(data, site, tool, found, settings.warehouse.min_group, time.time(), dry=dry)
    _say(about, settings.warehouse.min_group, dry)
    if not dry:
        _next(data)
    return 0


def _say(about: Import, least: int, dry: bool) -> None:
    verb = "would be kept" if dry else f"are kept as import {about.number}"
    print(f"{about.rows:,} rows of {about.first} to {about.last}, counted by {about.origin}, {verb}:")
    for name, n in about.reports.items():
        print(f"  {n:>10,}  {name}")
    print(
        f"  {about.folded:>10,}  rows of fewer than {least} people were put together as (other), day by day"
    )
    print(f"  {about.few:>10,}  were left out, as too few even together")
    print("Shown beside your own numbers, marked, on days before the first own one: `throng imported list`.")


def _next(data: Path) -> None:
    if not running(data):
        where = "" if str(data) == "throng-data" else f" --data {data}"
        print(f"Next: throng publish{where}")
