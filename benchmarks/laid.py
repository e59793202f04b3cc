"""A lake with events in it, as the facts job lays them, a commit a batch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from benchmarks.facts import counts
from consent_filter.counts import Counts
from consent_filter.events import Events
from warehouse import facts
from warehouse.lake import Lake
from warehouse.recent import Recent


def lay(data: Path, batches: Iterable[pa.RecordBatch], first: int = 0) -> int:
    """Lay them; how many events. first: how many batches are there already."""
    lake, total = Lake.open(data, write=True), 0
    assert lake is not None
    for number, batch in enumerate(batches, first):
        folder, prefix = lake.room()
        written = facts.fold(Events.of(batch), counts(batch), Recent(), folder, f"{prefix}-{number}")
        files = [lake.depot.at(file) for file in written.files]
        lake.commit(files, {"bench": number + 1}, Counts(written.counts), written.rows)
        total += batch.num_rows
    lake.close()
    return total
