"""Received = stored + refused, to the last acknowledged event: facts, and what stands in the log (S15)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from consent_filter.counts import RECEIVED, REFUSED, STORED, Counts
from consent_filter.events import join
from ingest.log.opening import opened
from pipelines.absent import absent
from warehouse import facts
from warehouse.lake import Lake
from warehouse.recent import WINDOW, Recent


def balance(data: Path) -> dict[str, Any]:
    """The balance to the last acknowledged event: what is folded, and what still stands in the log (S15).

    Needs no lock: should the log be folded and trimmed while it is read, it is read again.
    """
    while True:
        number, found = _balance(data)
        if _number(data) == number:
            return found


def _balance(data: Path) -> tuple[int, dict[str, Any]]:
    found: dict[str, Any] = {"received": 0, "stored": 0, "refused": {}}
    number, done, seen = 0, dict[str, int](), Recent()
    lake = Lake.open(data)
    if lake is not None:
        number, found, done = lake.number(), lake.balance(), lake.offsets()
        seen = Recent(lake.recent_ids(time.time() - WINDOW.total_seconds()))
        lake.close()
    log = opened(data)
    counts, parts = Counts(), []
    for _, record in log.read(done):
        for key, n in record.counts.items():
            counts[key] += n
        parts.append(record.events)
    log.close()
    for key, n in facts.sift(join(parts), counts, seen, absent(data)).counts.items():
        if key.outcome in (RECEIVED, STORED):
            found[key.outcome] += n
        elif key.outcome == REFUSED and n:
            found[REFUSED][key.reason] = found[REFUSED].get(key.reason, 0) + n
    return number, found


def _number(data: Path) -> int:
    lake = Lake.open(data)
    if lake is None:
        return 0
    number = lake.number()
    lake.close()
    return number


def lag(data: Path) -> dict[str, int]:
    """How much of the log is not facts yet: `bytes` of segments, `records` of a topic."""
    lake, log = Lake.open(data), opened(data)
    done = lake.offsets() if lake is not None else {}
    if lake is not None:
        lake.close()
    waiting = log.behind(done)
    log.close()
    return {"bytes": 0} | waiting
