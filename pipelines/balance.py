"""Received = stored + refused, to the last acknowledged event: facts, and what still stands in the log (S15)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter.counts import REFUSED, Counts
from ingest.log.segment import SegmentLog
from warehouse import facts
from warehouse.lake import Lake

#: A retry may come for 48 hours, and a clock may be a little off.
RETRY_HOURS = 49.0


def open_log(data: Path) -> SegmentLog:
    """The log of a data folder, to read."""
    return SegmentLog(data / "log")


def balance(data: Path) -> dict[str, Any]:
    """The balance to the last acknowledged event: what is folded, and what still stands in the log (S15)."""
    lake = Lake.open(data)
    found: dict[str, Any] = {"received": 0, "stored": 0, "refused": {}}
    done: dict[str, int] = {}
    seen: NDArray[np.uint64] = np.zeros(0, np.uint64)
    if lake is not None:
        found, done = lake.balance(), lake.offsets()
        seen = np.sort(lake.recent_ids(RETRY_HOURS, time.time()).to_numpy())
        lake.close()
    log = open_log(data)
    counts, batches = Counts(), []
    for _, record in log.read(done):
        counts.update(record.counts)
        batches.append(record.batch)
    log.close()
    for key, n in facts.sift(batches, counts, seen).counts.items():
        if key.outcome == REFUSED:
            found["refused"][key.reason] = found["refused"].get(key.reason, 0) + n
        else:
            found[key.outcome] += n
    return found


def lag(data: Path) -> dict[str, int]:
    """Bytes of the log that are not facts yet."""
    lake, log = Lake.open(data), open_log(data)
    done = lake.offsets() if lake is not None else {}
    if lake is not None:
        lake.close()
    waiting = sum(max(position - done.get(name, 0), 0) for name, position in log.end().items())
    log.close()
    return {"bytes": waiting}
