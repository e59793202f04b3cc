"""`throng import`: web-server logs through the same path and the same filter, as often as one likes."""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path as File

from consent_filter.errors import Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.regions import require
from ingest.enrich import Enrich
from ingest.enrich.place import APPROXIMATE, Places
from ingest.imports import Imports
from ingest.log.segment import SegmentLog
from ingest.path import Path
from ingest.protocols.pageview import ASIDE
from ingest.settings import Sites
from ingest.weblog import PARTITION, ImportResult, import_file
from throng.lock import running
from throng.settings import load

_WIDTH = 28
#: What the `detail` of a refusal means.
_DETAILS: Mapping[str, str] = ASIDE | {"empty": "no agent", "prefetch": "fetched ahead, seen by nobody"}


def main(arguments: argparse.Namespace) -> int:
    """The command line's entry."""
    if arguments.tool:
        from throng import counted  # reads tables, which logs have no need of

        return counted.run(
            arguments.data, arguments.file, arguments.site, arguments.tool, dry=arguments.dry_run
        )
    return run(arguments.data, arguments.file, arguments.site, arguments.format)


def run(data: File, files: Sequence[File], site: str, format: str) -> int:
    """Import the files, one after the other; 1 where one of them could not be read. What has been imported
    stays so when another file fails, or when this is stopped. Raises Misconfigured and Refused."""
    settings = load(data)
    sites = Sites(settings.site)
    if site not in sites:
        declared = ", ".join(sites) or "1 to 64 letters, digits, dots, hyphens, underscores"
        raise Misconfigured("--site", site, f"a site of the settings: {declared}")
    data.mkdir(parents=True, exist_ok=True)
    keys = Keyring.open(data / "keys.json")
    packs = Packs(sites)
    today = datetime.now(UTC).date()
    here = settings.folder.region
    require([packs[site]], sites[site].region or here, here, today, "an import")
    geo = Places.open(settings.ingest.geo, settings.ingest.networks)
    with (
        closing(geo),
        closing(SegmentLog(data / "log", PARTITION)) as log,
        closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger,
    ):
        log.turn(math.inf)  # holds the partition and finds its true end, or says why it can't
        enrich = Enrich(sites, geo.look, hosting=settings.ingest.hosting_is_robot)
        path = Path(sites, enrich, packs, ledger, keys, limits=settings.ingest, bounded=False)
        with closing(Imports(data / "imports.sqlite", log.end().get(PARTITION, 0))) as imports:
            results, unread = [], 0
            for file in files:
                keys.importing()
                try:
                    with _Bar(file.name) as bar:
                        results.append(import_file(file, sites[site], format, path, log, imports, bar.show))
                except Refused as error:
                    if error.status >= 500:  # not this file's doing: the others would fare no better
                        raise
                    print(f"throng: {error.message}", file=sys.stderr)
                    unread += 1
                else:
                    _say(file, results[-1])
    if sum(result.received for result in results):
        _sum(results)
        _next(data, site, packs[site].facts_days, geo.approximate)
    return 1 if unread else 0


class _Bar:
    """A bar on a terminal; elsewhere a line now and then. On standard error, so that output can be piped."""

    def __init__(self, name: str) -> None:
        self._name, self._live = name, sys.stderr.isatty()
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> _Bar:
        return self

    def show(self, read: int, size: int, lines: int) -> None:
        """Bytes read of bytes in all, and lines so far."""
        now = time.monotonic()
        if now - self._shown < (0.1 if self._live else 10) and read < size:
            return
        self._shown = now
        share = read / size if size else 1.0
        says = f"{share:4.0%}  {lines:,} lines  {lines / max(now - self._begun, 1e-3):,.0f}/s"
        if self._live:
            full = round(share * _WIDTH)
            print(
                f"\r{self._name}  {'█' * full}{'░' * (_WIDTH - full)}  {says}\033[K",
                end="",
                file=sys.stderr,
                flush=True,
            )
        else:
            print(f"{self._name}: {says.strip()}", file=sys.stderr, flush=True)

    def __exit__(self, *_: object) -> None:
        if self._live:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


def _say(file: File, result: ImportResult) -> None:
    """What became of one file."""
    if not result.lines:
        print(f"{file}: no lines")
    elif not result.received:
        print(f"{file}: nothing new; all {result.lines:,} lines are imported already")
    else:
        known = f", {result.known:,} imported already" if result.known else ""
        print(f"{file}: {result.received:,} new lines ({result.format}{known})")
    if result.cut:
        print("  the file is damaged or not complete: imported up to there; the rest, when it can be read")
    if result.unfinished:
        print("  the last line is not finished: left for the next import")
    if result.host and result.received:
        print(f"  the log names no host; {result.host} asks for its images, so it counts as the site itself")


def _sum(results: Sequence[ImportResult]) -> None:
    """Received = stored + refused, by reason."""
    refused: Counter[tuple[str, str]] = Counter()
    for result in results:
        refused.update(result.refused)
    stored, received = sum(r.stored for r in results), sum(r.received for r in results)
    days = [
        f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"
        for r in results
        for ms in (r.first, r.last)
        if ms
    ]
    print(f"\n  {received:>12,}  received" + (f", of {min(days)} to {max(days)}" if days else ""))
    print(f"  {stored:>12,}  stored")
    for (reason, detail), n in sorted(refused.items(), key=lambda one: -one[1]):
        print(f"  {n:>12,}  refused: {reason}: {_DETAILS.get(detail, detail)}")


def _next(data: File, site: str, facts_days: int, approximate: bool) -> None:
    """What holds for what was imported, and what to do now."""
    until = datetime.now(UTC) + timedelta(days=facts_days)
    print(f"\n  Events keep their own dates; retention runs from today: kept until {until:%Y-%m-%d}.")
    print(
        "  Without a consent signal the policy pack's cookieless rule holds: a visitor is a pseudonym for one"
    )
    print("  day, made with a key that is destroyed 48 hours after the first import. No address was stored.")
    if approximate:
        print(f"  {APPROXIMATE}")
    where = "" if str(data) == "throng-data" else f" --data {data}"
    if running(data):
        print("  Throng is running: its reports will have them in some seconds.")
    else:
        print(f"\n  Next: throng facts{where} && throng reports{where} && throng publish{where}")
    ask = f"SELECT day, people, views FROM traffic_day WHERE site = '{site}' ORDER BY day"
    print(f'  Then: throng query{where} "{ask}"')
