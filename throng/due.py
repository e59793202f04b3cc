"""What is due with releases: those of the schedule are prepared, and what lost its ground freezes (S20).

`throng up` does it in every pass of the pipeline, so that a mechanism that lapses, or is taken out of a pack,
stops each export that stands on it within one pass.
"""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from consent_filter.errors import Refused
from consent_filter.policy import Packs
from ingest.settings import Sites
from throng.settings import Settings
from warehouse import deliveries, grounds, period
from warehouse.deliveries import Delivery, Ledger, Release
from warehouse.grounds import Affected

#: Seconds between two looks at the schedule.
EVERY = 3600.0


def freeze(data: Path, settings: Settings, today: date | None = None) -> list[Affected]:
    """Look at everything that was delivered; freeze what has no ground on that day, thaw what has one again.
    Returns the figures that are frozen now."""
    if not deliveries.file(data).exists():
        return []
    day, sites = today or datetime.now(UTC).date(), Sites(settings.site)
    histories = Packs(sites).history
    found: list[Affected] = []
    with deliveries.ledger(data) as book, book.changing():
        known = {one.id: one for one in book.releases()}
        tables = {one: [table["name"] for table in book.tables(one)] for one in known}
        for delivery in book.deliveries():
            of = known[delivery.release]
            span = period.read(of.period)
            why = grounds.lapsed(histories, book.homes(of.id), delivery, of.sites, span, day)
            _note(book, of, delivery, "; ".join(dict.fromkeys(why.values())))
            found += grounds.affected(delivery, tables[of.id], of.sites, why)
    return found


def turn(data: Path, settings: Settings, now: float | None = None) -> dict[str, Any]:
    """What a pass of the pipeline does, which has pipeline.lock: the schedule at most once an hour, as what
    can't be drafted yet may take long to find out."""
    found = {"frozen": len(freeze(data, settings)), "prepared": 0}
    looked, moment = data / "releases" / "looked", time.time() if now is None else now
    if settings.schedule and (not looked.exists() or moment - looked.stat().st_mtime >= EVERY):
        looked.parent.mkdir(parents=True, exist_ok=True)
        looked.touch()
        found["prepared"] = sum(bool(one["release"]) for one in prepare(data, settings, held=True))
    return found


def _note(book: Ledger, of: Release, delivery: Delivery, why: str) -> None:
    """A line where it changes."""
    if why and not book.frozen(delivery.id):
        book.take(of.id, "frozen", delivery=delivery.id, why=why)
    elif not why and book.frozen(delivery.id):
        book.take(of.id, "thawed", delivery=delivery.id, why="its ground holds again")


def prepare(
    data: Path, settings: Settings, today: date | None = None, *, held: bool = False
) -> list[dict[str, Any]]:
    """Prepare what the schedule asks for and is not there yet; a line for each period that is due, the oldest
    first: those that went by while nothing ran are made up, once. held: the caller has pipeline.lock."""
    from throng import packs

    day, said = today or datetime.now(UTC).date(), []
    for one in settings.schedule:
        sites = tuple(sorted(one.sites or (site.id for site in settings.site)))
        with deliveries.ledger(data) as book:
            known = _done(book, one.audience, sites)
            states = {of: book.state(id) for of, id in known.items()}
        for of in one.due(day, known):
            line = {"audience": one.audience, "period": of, "release": known.get(of, ""), "state": ""}
            if of in known:
                line |= {"state": states[of]}
            else:
                try:
                    made = packs.drafted(data, settings, one.audience, of, one.sites, held=held)
                    line |= {"release": packs.prepare(data, made).id, "state": deliveries.AWAITS}
                except Refused as error:
                    line |= {"state": f"not drafted: {error.message}"}
            said.append(line)
    return said


def _done(book: Ledger, audience: str, sites: tuple[str, ...]) -> dict[str, str]:
    """Period → its newest release, of those for that audience and of these sites."""
    return {one.period: one.id for one in book.releases() if (one.audience, one.sites) == (audience, sites)}
