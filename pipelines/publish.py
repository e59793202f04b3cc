"""The publication job: check what the reports made, and only then swap it in."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from msgspec import Struct

from warehouse import checks, snapshot
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Seconds between data docs of runs that passed.
DOCUMENT_EVERY = 3600.0


class Published(Struct):
    """What a run did. `failures` is why the last good generation stays."""

    generation: int | None = None
    changed: bool = False
    failures: list[str] = []
    docs: str | None = None


def run(data: Path, settings: Warehouse) -> Published:
    """Validate and publish. The caller holds pipeline.lock."""
    before = snapshot.manifest(data)
    standing = before["generation"] if before else None
    if not (data / "released" / "work.duckdb").exists():
        return Published(standing)
    store = Store.open(data)
    try:
        if before and before["made_of"] == snapshot.made_of(store, settings):
            _hold(data, None)
            return Published(standing)
        docs = snapshot.folder(data) / "validation"
        page = docs / "index.html"
        old = not page.exists() or time.time() - page.stat().st_mtime > DOCUMENT_EVERY
        outcome = checks.validate(store, settings, docs, document=old)
        if not outcome.ok:
            _hold(data, {"since": time.time(), "failures": outcome.failures, "docs": outcome.docs})
            return Published(standing, False, outcome.failures, outcome.docs)
        made = snapshot.publish(data, settings, store)
        _hold(data, None)
        return Published(made["generation"] if made else standing, made is not None, [], outcome.docs)
    finally:
        store.close()


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
