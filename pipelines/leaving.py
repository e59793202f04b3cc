"""What people leave behind when their facts change: counted before it happens, into the store of reports.

Only under pipeline.lock: the reports job counts first, erasure and correction before they touch a fact.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from consent_filter.read import linked, unlinked
from pipelines.element import over_all
from pipelines.keeping import left_out
from warehouse import departures, moves
from warehouse.lake import Lake
from warehouse.relations import Bucket
from warehouse.released import Store
from warehouse.settings import Warehouse


def note(data: Path, settings: Warehouse, now: float | None = None, *, child: bool = False) -> None:
    """Count who has left, as a run does first: before their facts are erased. Only under pipeline.lock.
    `child`: a child is among them."""
    lake = Lake.open(data, threads=settings.threads)
    if lake is None:
        return
    store = Store.open(data)
    try:
        of = over_all(sum(lake.rows().values()))
        noted(store, lake, data, settings, time.time() if now is None else now, of, child=child)
    finally:
        store.close()
        lake.close()


def noted(
    store: Store, lake: Lake, data: Path, settings: Warehouse, now: float, of: int, *, child: bool = False
) -> None:
    """The same, where the store and the lake are open. `of`: buckets."""
    con, ledger = lake.connection.cursor(), data / "ledger.sqlite"
    try:
        buckets, logins = [Bucket(number, of) for number in range(of)], linked(ledger)
        departures.note(store, con, left_out(data), settings, now, logins, buckets, child=child)
        moves.relink(store, con, logins, unlinked(ledger), settings, now, buckets)
    finally:
        con.close()


@contextmanager
def correcting(
    data: Path, settings: Warehouse, persons: NDArray[np.uint64], sets: Mapping[str, str], now: float
) -> Iterator[None]:
    """Count what these persons leave by a correction (column → SQL) that is made inside. Only under
    pipeline.lock."""
    with ExitStack() as until:
        lake = Lake.open(data, threads=settings.threads)
        if lake is None:
            yield
            return
        until.callback(lake.close)
        store = until.enter_context(closing(Store.open(data)))
        of = over_all(sum(lake.rows().values()))
        buckets, logins = [Bucket(number, of) for number in range(of)], linked(data / "ledger.sqlite")
        with moves.correcting(store, lake.connection, persons, sets, settings, now, logins, buckets):
            yield
