"""`throng partners`: links for partners, each to its own rows (M53)."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from throng import pages, placing
from throng.advertisers import given, say
from throng.settings import load
from warehouse import link, own_rows


def main(arguments: Namespace) -> int:
    data, name = Path(arguments.data), arguments.partner
    settings = load(data)
    known = {one.name: one for one in settings.recipient if one.sources}
    mine = own_rows.sources({each: one.sources for each, one in known.items()}, name)
    placing.held(data, settings, f"what {name} would read", to=known[name].region)
    at = arguments.at or pages.reached(data, settings)
    return say(name, mine, *given(data, name, arguments.days, at, "partner", link.PARTNER))
