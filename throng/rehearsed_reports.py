"""The reports of one run of a rehearsal: facts and released tables made in a folder that is thrown away."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ingest.log.segment import SegmentLog
from pipelines import facts
from pipelines import reports as reports_job
from pipelines.settings import Pipelines
from throng.rehearsal import Run
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Numbers that are too many people's to be added up: people of one day are people of another, too.
_WHOLE = ("people", "views", "visits", "events", "requests", "impressions", "clicks")


class Reported(NamedTuple):
    """A released table: rows, and the sums of its counts. What is folded or left out is not in them, so that
    what a policy hides by making groups small shows as what is missing."""

    rows: int
    sums: dict[str, int]


def reported(data: Path, run: Run, until: int, settings: Warehouse) -> dict[str, Reported]:
    """Every report, as it would be released. `until`: the end of the stream, UTC milliseconds."""
    run.ledger.flush()
    log = SegmentLog(data / "log", "collector")
    try:
        for record in run.records:
            log.append(record)
        log.turn(0.0)
    finally:
        log.close()
    facts.run(data, Pipelines(), until / 1000)
    reports_job.run(data, settings, force=True)
    store = Store.open(data)
    try:
        return {
            name: _of(store.connection.sql(f'SELECT * FROM "{name}"').to_arrow_table())
            for name in sorted(reports.load())
            if name in store.versions()
        }
    finally:
        store.close()


def _of(table: pa.Table) -> Reported:
    names = [name for name in _WHOLE if name in table.column_names]
    return Reported(table.num_rows, {name: int(pc.sum(table[name]).as_py() or 0) for name in names})
