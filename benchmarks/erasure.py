"""Erasure: from a word about 1,000 of 500,000 people to facts without them, and to the last byte.

Measured is what a pass does: finding the files, writing them anew, one commit; then, as if readers had had
their grace, deletion, the catalog, the last look and the certificate. Beside it a plain loop that writes the
same files anew without the rows and knows nothing of a catalog, counts or hashes.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.crowd import events
from benchmarks.facts import counts
from benchmarks.line import emit
from consent_filter.events import Events
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from pipelines import rights
from pipelines.settings import Backup, Pipelines
from warehouse import erase, facts
from warehouse.lake import Lake
from warehouse.recent import Recent

EVENTS, PEOPLE, GONE = 10_000_000, 500_000, 1_000
_FILE = 1_000_000


def fill(data: Path, n: int, people: int) -> None:
    """A lake of that many facts, in files of a million rows."""
    lake = Lake.open(data, write=True)
    assert lake is not None
    waiting: list[pa.RecordBatch] = []

    def fold() -> None:
        table = pa.Table.from_batches(waiting).combine_chunks()
        whole = table.to_batches(max_chunksize=len(table))[0]
        folder, prefix = lake.room()
        written = facts.fold(Events.of(whole), counts(whole), Recent(), folder, prefix)
        lake.commit([Path(file) for file in written.files], {}, written.counts, written.rows)
        waiting.clear()

    for batch in events(n, people, 30):
        waiting.append(batch)
        if sum(one.num_rows for one in waiting) >= _FILE:
            fold()
    if waiting:
        fold()
    lake.close()


def word(data: Path, persons: erase.Persons) -> None:
    """As the ledger has them whose rows must go."""
    with closing(Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"))) as ledger:
        ledger._database.execute("BEGIN")
        ledger._database.executemany(
            "INSERT INTO withdrawn VALUES (?, 0, ?, 1, 1)",
            [(person, b"\0" * 16) for person in persons.view(np.int64).tolist()],
        )
        ledger._database.execute("COMMIT")


def plain(files: list[str], persons: erase.Persons, out: Path) -> None:
    out.mkdir()
    for number, file in enumerate(files):
        table = pq.read_table(file)
        stays = ~np.isin(table["person"].to_numpy(), persons)
        facts.write(table.filter(pa.array(stays)), out / f"{number}.parquet")


def main(n: int) -> None:
    data = Path(tempfile.mkdtemp(prefix="throng-erasure-"))
    try:
        fill(data, n, PEOPLE * n // EVENTS)
        lake = Lake.open(data)
        assert lake is not None
        everybody = np.sort(lake.connection.execute(
            "SELECT DISTINCT person FROM lake.events").fetchnumpy()["person"].astype(np.uint64))  # fmt: skip
        gone = np.sort(np.random.default_rng(1).choice(everybody, min(GONE, len(everybody) // 10), False))
        files = list(erase.held(lake, gone))
        rows = sum(erase.held(lake, gone).values())
        lake.close()
        word(data, gone)
        begun = time.perf_counter()
        plain(files, gone, data / "plain")
        loop = time.perf_counter() - begun
        shutil.rmtree(data / "plain")
        now, begun = time.time(), time.perf_counter()
        rights.run(data, Pipelines(), Backup(), now, at_once=True)
        rewritten = time.perf_counter() - begun
        begun = time.perf_counter()
        done = rights.run(data, Pipelines(), Backup(), now + 700, at_once=True)
        gone_for_good = time.perf_counter() - begun
        assert len(done.certified) == 1
        what = f"{len(gone):,} of {len(everybody):,} people, {rows:,} of {n:,} facts, {len(files)} files"
        emit(
            f"erasure: out of the facts ({what})",
            rewritten,
            "s",
            against="plain loop",
            ratio=rewritten / loop,
        )
        emit("erasure: the last byte and the certificate, when the grace is over", gone_for_good, "s")
    finally:
        shutil.rmtree(data, ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
