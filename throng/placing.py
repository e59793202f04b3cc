"""Whether a job may read its rows where it runs: each row's region, and the policy in force (M100).

What a row says of its own region counts, not only what the settings say now: a folder that was moved, or a
site that was given another region, does not make rows lawful.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from consent_filter.errors import Misconfigured, Refused
from consent_filter.one_table import FILE
from consent_filter.policy import Packs
from consent_filter.regions import require
from throng.settings import Settings, load
from warehouse.catalog import Catalog
from warehouse.homes import homes
from warehouse.lake import Lake

#: What is known of the rows of one folder, by the lake and the settings that it was found with.
_known: dict[tuple[object, ...], list[tuple[str, str]]] = {}
_REGION = re.compile(r'(?ms)^(\[folder\]\s*?\n(?:(?!\[).*?\n)??region\s*=\s*)"[A-Z]*"')


def held(data: Path, settings: Settings, what: str, to: str | None = None, day: date | None = None) -> None:
    """Raises Refused (403, `region`) where rows of a site would be read in another region than their own, and
    no mechanism of its policy allows that on that day, by default today. `to`: where, if not here."""
    where = settings.folder.region if to is None else to
    today = day or datetime.fromtimestamp(time.time(), UTC).date()
    sites = {site.id: site for site in settings.site}
    away = [(site, home) for site, home in _homes(data, settings) if home != where]
    packs = Packs({site: sites[site] for site, _ in away if site in sites})
    for site, home in away:
        if site not in sites:
            raise Refused(
                403,
                "region",
                f"{what} would take rows of region {home} elsewhere, and no policy allows it: "
                "their site is none of the settings",
            )
        require([packs[site]], home, where, today, what)


def _homes(data: Path, settings: Settings) -> Iterator[tuple[str, str]]:
    """Of which region each site is, and each row that there is. The rows are looked through once: what comes
    later has the site's region, by the same settings."""
    said = tuple((site.id, site.region) for site in settings.site)
    yield from said
    place = Catalog.of(data).place()
    key = (data.resolve(), place, said)
    if place is None:
        return
    if key not in _known:
        lake = Lake.open(data)
        if lake is None:
            return
        try:
            _known[key] = homes(lake)
        finally:
            lake.close()
    yield from _known[key]


def move(data: Path, region: str) -> None:
    """Let the settings of a folder say that it lies there from now on. Raises Misconfigured where they say it
    in a way that is not understood."""
    file = data / FILE
    if load(data).folder.region == region:
        return
    text = file.read_text() if file.exists() else ""
    if "[folder]" in text:
        text = _REGION.sub(rf'\g<1>"{region}"', text, count=1)
    else:
        text = f'{text.rstrip()}\n\n[folder]\nregion = "{region}"\n'
    file.write_text(text)
    if load(data).folder.region != region:
        raise Misconfigured("folder.region", load(data).folder.region, f"{region}: write it so in {FILE}")
