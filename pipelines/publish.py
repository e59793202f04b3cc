"""The publication job: check what the reports made, and of what, attack it, and only then swap it in."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from warehouse import snapshot
from warehouse.advert_settings import Adverts
from warehouse.attack import publication
from warehouse.checks import facts, pressure, runs, tables, weekdays
from warehouse.checks.expectations import Outcome, validate
from warehouse.lake import Lake
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Seconds between data docs of runs that passed, and between looks at the weekday.
DOCUMENT_EVERY = 3600.0
#: The day is over in every time zone when it is over twelve hours west of Greenwich.
_WEST = timedelta(hours=12)


class Published(Struct):
    """What a run did. `failures` is why the last good generation stays; `warnings` stops nothing. `attacked`:
    seconds of the attack (S19)."""

    generation: int | None = None
    changed: bool = False
    failures: list[str] = []
    warnings: list[str] = []
    docs: str | None = None
    attacked: float = 0.0


def run(data: Path, settings: Warehouse, adverts: Adverts = Adverts()) -> Published:  # noqa: B008
    """Validate, attack (S19) and publish. The caller holds pipeline.lock. `adverts`: what contact pressure is
    compared with."""
    before = snapshot.manifest(data)
    standing = before["generation"] if before else None
    if not (data / "released" / "work.duckdb").exists():
        return Published(standing)
    store = Store.open(data)
    try:
        now = time.time()
        if before and before["made_of"] == snapshot.made_of(data, store, settings):
            _hold(data, None)
            return Published(standing, warnings=_usual(data, store, now, adverts))
        outcomes = check(data, store, settings, now)
        failures = [said for one in outcomes if not one.ok for said in one.failures]
        warnings = _usual(data, store, now, adverts)
        docs = next((one.docs for one in outcomes if not one.ok), outcomes[0].docs)
        begun = time.monotonic()
        failures = failures or publication.before_publication(data, settings, store)
        took = round(time.monotonic() - begun, 3)
        if failures:
            _hold(data, {"since": time.time(), "failures": failures, "docs": docs})
            return Published(standing, False, failures, warnings, docs, took)
        made = snapshot.publish(data, settings, store)
        _hold(data, None)
        number = made["generation"] if made else standing
        return Published(number, made is not None, [], warnings, docs, took)
    finally:
        store.close()


def check(data: Path, store: Store, settings: Warehouse, now: float) -> list[Outcome]:
    """Each suite that can stop a publication and has something to look at; what it found is written down."""
    docs = snapshot.folder(data) / "validation"
    page = docs / "released-tables.html"
    due = not page.exists() or now - page.stat().st_mtime > DOCUMENT_EVERY
    found = [
        validate(tables.SUITE, tables.control(store, settings), docs, document=due, where=tables.where(store))
    ]
    if (lake := Lake.open(data)) is not None:
        try:
            rows = facts.control(lake, runs.seen(docs))
            found.append(validate(facts.SUITE, rows, docs, document=due))
            good = [row["file"] for row in rows if not any(row[name] for name in facts.EXPECTED)]
            if rows:
                runs.saw(docs, good, facts.files(lake))
        finally:
            lake.close()
    for one in found:
        if one.looked:
            runs.note(docs, one, now)
    return found


def _usual(data: Path, store: Store, now: float, adverts: Adverts) -> list[str]:
    """What is unusual about yesterday, once an hour: also where nothing comes any more (freshness). And of
    the last week, whether people were shown too much."""
    docs = snapshot.folder(data) / "validation"
    if now - runs.last(docs, weekdays.SUITE.name) < DOCUMENT_EVERY:
        return []
    day = (datetime.fromtimestamp(now, UTC) - _WEST).date() - timedelta(days=1)
    found = [
        validate(weekdays.SUITE, weekdays.control(store, day), docs),
        validate(pressure.SUITE, pressure.control(store, adverts, day), docs, where=pressure.where(adverts)),
    ]
    for one in found:
        runs.note(docs, one, now)
    return [failure for one in found for failure in one.failures]


def _hold(data: Path, why: dict[str, Any] | None) -> None:
    """Say beside the publication that a newer one is held back, since when and why; or that none is."""
    file = snapshot.folder(data) / snapshot.HELD
    if why is None:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    known = snapshot.held(data)
    draft = file.with_suffix(".new")
    draft.write_text(json.dumps(why | {"since": known["since"] if known else why["since"]}, indent=1))
    os.replace(draft, file)
