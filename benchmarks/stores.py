"""Where facts lie: the data folder, the catalog in PostgreSQL, the files in S3-compatible storage as well.

    python -m benchmarks.stores [events]

The same events in the same files, one lake after the other in one run, both servers on this machine: a commit
of new facts, one bucket of persons of all days, every row. Ratios are to the data folder. Nothing is far away
here; what a network adds is its round trip, of which a commit takes about forty and a file's read three.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import pyarrow as pa

from benchmarks.crowd import events
from benchmarks.facts import counts
from benchmarks.line import emit
from consent_filter.events import Events
from tests.lake import servers
from tests.ports import free_ports
from warehouse import facts
from warehouse.lake import Lake
from warehouse.recent import Recent
from warehouse.relations import Bucket

EVENTS, PEOPLE, FILE, ROUNDS = 3_000_000, 150_000, 150_000, 5
#: Commits of one file of a day's few facts, one after another.
GROWN = 64


def lay(data: Path, batches: list[pa.RecordBatch]) -> float:
    """Write and commit, a file a day; the median seconds of a commit with its files."""
    lake, took = Lake.open(data, write=True), []
    assert lake is not None
    for batch in batches:
        begun = time.perf_counter()
        folder, prefix = lake.room()
        written = facts.fold(Events.of(batch), counts(batch), Recent(), folder, prefix)
        lake.commit([lake.depot.at(file) for file in written.files], {}, written.counts, written.rows)
        took.append(time.perf_counter() - begun)
    lake.close()
    return median(took)


def read(data: Path, where: str) -> float:
    """The median seconds of opening the lake and adding up what is there, after a first time."""
    took = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        lake = Lake.open(data)
        assert lake is not None
        lake.connection.execute("SET enable_external_file_cache = false")
        lake.connection.execute(
            "SELECT path, count(*), count(DISTINCT person), sum(duration_ms) FROM lake.events"
            f" WHERE {where} GROUP BY 1"
        ).fetchall()
        lake.close()
        took.append(time.perf_counter() - begun)
    return median(took[1:])


def growing(
    data: Path, batch: pa.RecordBatch, storage: servers.Storage
) -> tuple[float, float, dict[str, float]]:
    """Seconds of this processor that one small commit takes at first and after GROWN of them; the requests of
    each kind that one made. The database's own seconds are not in it: a third of these."""
    lake, took, before = Lake.open(data, write=True), list[float](), storage.requests()
    assert lake is not None
    for _ in range(GROWN):
        folder, prefix = lake.room()
        written = facts.fold(Events.of(batch), counts(batch), Recent(), folder, prefix)
        begun = time.process_time()
        lake.commit([lake.depot.at(file) for file in written.files], {}, written.counts, written.rows)
        took.append(time.process_time() - begun)
    lake.close()
    made = storage.requests() - before
    return median(took[:8]), median(took[-8:]), {name: n / GROWN for name, n in made.items()}


def opened(data: Path) -> float:
    took = []
    for _ in range(ROUNDS + 1):
        begun = time.perf_counter()
        lake = Lake.open(data)
        assert lake is not None
        lake.close()
        took.append(time.perf_counter() - begun)
    return median(took[1:])


def main(n: int) -> None:
    servers.fetch()
    base, ports = Path(tempfile.mkdtemp(prefix="throng-stores-")), free_ports(2)
    postgres, storage = servers.Postgres(ports), servers.Storage(base / "s3", ports + 1, counts=True)
    postgres.start()
    storage.start()
    try:
        waiting = pa.Table.from_batches(list(events(n, PEOPLE * n // EVENTS, 30))).combine_chunks()
        batches = waiting.to_batches(max_chunksize=FILE)
        kinds = {
            "the data folder": {},
            "PostgreSQL": {"files": "folder"},
            "PostgreSQL and S3": {},
        }
        first: dict[str, float] = {}
        for number, (kind, more) in enumerate(kinds.items()):
            data = base / f"data{number}"
            data.mkdir()
            (data / "pg").write_text(servers.PASSWORD)
            (data / "s3").write_text(servers.SECRET)
            if number:
                postgres.database(f"lake{number}")
                (storage.data / f"lake{number}").mkdir()
                name = f"lake{number}"
                (data / "throng.toml").write_text(servers.lake(postgres, storage, name, name, **more))
            tries: dict[str, Callable[[Path], float]] = {
                f"a commit of {FILE:,} facts": lambda at: lay(at, batches),
                "opening": opened,
                "one bucket of 16": lambda at: read(at, Bucket(5, 16).where),
                "every row": lambda at: read(at, "true"),
            }
            for what, run in tries.items():
                took = run(data)
                ratio = took / first.setdefault(what, took)
                name = f"stores: {what}, {n:,} facts, {kind}"
                emit(name, took, "s", against="the data folder", ratio=ratio)
            first_ones, last_ones, made = growing(data, batches[0].slice(0, 1), storage)
            for what, took in (("first", first_ones), (f"after {GROWN}", last_ones)):
                ratio = last_ones / first_ones
                emit(
                    f"stores: a small commit, {what}, {kind}",
                    took,
                    "s of processor",
                    against="first",
                    ratio=ratio,
                )
            for what, each in made.items():
                emit(f"stores: {what} a commit of one file, {kind}", each, "requests", n=GROWN)
    finally:
        storage.stop()
        postgres.stop()
        postgres.remove()
        shutil.rmtree(base)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
