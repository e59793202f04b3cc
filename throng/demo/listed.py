"""The demo's list of adverts: who pays for what its pages show, from this month on."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from throng.demo.market import ADVERTS
from warehouse import catalogue_file
from warehouse.catalogue import Catalogue
from warehouse.catalogue_rows import Advertiser, Campaign, Creative, Flight, Goal, Placement

_NAMES = {"autumn-tools": "Toolbox Ltd", "ledger": "Friday Ledgers", "coworking": "Desk & Plant"}


def write(file: Path, site: str, today: date) -> None:
    """Lists them, unless there is a list already."""
    if file.exists():
        return
    starts = today.replace(day=1)
    ends = starts + timedelta(days=89)
    found = Catalogue(
        advertiser=tuple(Advertiser(id=id, name=name) for id, name in _NAMES.items()),
        campaign=tuple(
            Campaign(id=one.campaign, advertiser=one.campaign, name=one.line.partition(".")[0])
            for one in ADVERTS
        ),
        creative=tuple(Creative(id=one.creative, campaign=one.campaign) for one in ADVERTS),
        placement=tuple(Placement(id=one.slot, site=site, slot=one.slot) for one in ADVERTS),
        flight=tuple(
            Flight(campaign=one.campaign, placement=one.slot, starts=starts, ends=ends, impressions=200_000,
                   clicks=400)
            for one in ADVERTS
        ),
        goal=(Goal(id="signup", window_click_days=7), Goal(id="project")),
    )  # fmt: skip
    catalogue_file.write(file, found, "throng demo", "the demo's adverts")
