"""The publication job: check what the reports made, and only then swap it in."""

from __future__ import annotations

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
        versions: dict[str, Any] = {"reports": store.versions(), "settings": settings.min_group}
        if before and before["made_of"] == versions:
            return Published(standing)
        docs = snapshot.folder(data) / "validation"
        page = docs / "index.html"
        old = not page.exists() or time.time() - page.stat().st_mtime > DOCUMENT_EVERY
        outcome = checks.validate(store, settings, docs, document=old)
        if not outcome.ok:
            return Published(standing, False, outcome.failures, outcome.docs)
        made = snapshot.publish(data, settings, store)
        return Published(made["generation"] if made else standing, made is not None, [], outcome.docs)
    finally:
        store.close()
