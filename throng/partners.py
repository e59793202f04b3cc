"""`throng partners`: links for partners, each to its own rows (M53)."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from throng import placing
from throng.advertisers import given
from throng.settings import load
from warehouse import link, own_rows


def main(arguments: Namespace) -> int:
    data, name = Path(arguments.data), arguments.partner
    settings = load(data)
    known = {one.name: one for one in settings.recipient if one.sources}
    mine = own_rows.sources({each: one.sources for each, one in known.items()}, name)
    placing.held(data, settings, f"what {name} would read", to=known[name].region)
    address, expires = given(data, name, arguments.days, arguments.at, "partner", link.PARTNER)
    print(f"{name}: {', '.join(mine)}")
    print(f"{address}\ngood until {datetime.fromtimestamp(expires / 1000, UTC):%Y-%m-%d %H:%M} UTC")
    return 0
