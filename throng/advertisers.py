"""`throng advertisers`: links for advertisers, and totals of two parties compared by reason."""

from __future__ import annotations

import time
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from consent_filter import signing
from consent_filter.errors import Misconfigured
from consent_filter.signing import Signer
from throng import pages, reconciling
from throng.settings import load
from warehouse import link, own_rows

_DAY = 86_400_000


def main(arguments: Namespace) -> int:
    if arguments.action == "reconcile":
        return reconciling.reconcile(arguments.ours, arguments.theirs)
    data = Path(arguments.data)
    settings = load(data)
    mine = own_rows.campaigns(own_rows.owners(data / settings.adverts.catalogue), arguments.advertiser)
    if arguments.action == "totals":
        return reconciling.write(data, mine, arguments.file)
    at = arguments.at or pages.reached(data, settings)
    return say(arguments.advertiser, mine, *given(data, arguments.advertiser, arguments.days, at))


def say(name: str, mine: list[str], address: str, expires: int) -> int:
    """Print whose pages, of what, where, and until when (UTC milliseconds); the exit code."""
    print(f"{name}: {', '.join(mine)}")
    print(f"{address}\ngood until {datetime.fromtimestamp(expires / 1000, UTC):%Y-%m-%d %H:%M} UTC")
    return 0


def given(
    data: Path, name: str, days: int, at: str, room: str = "advertiser", kind: bytes = link.ADVERTISER
) -> tuple[str, int]:
    """The address of somebody's own pages, and when it ends (UTC milliseconds). Raises Misconfigured."""
    if not 1 <= days <= 400:
        raise Misconfigured("--days", days, "1 to 400")
    if urlsplit(at).scheme not in ("http", "https"):
        raise Misconfigured("--at", at, "https://… of the dashboards, by a name of [dashboards] outside")
    expires = round(time.time() * 1000) + days * _DAY
    word = link.make(Signer(data / signing.FILE).key(), name, expires, kind)
    return f"{at.rstrip('/')}/{room}/{word}", expires
