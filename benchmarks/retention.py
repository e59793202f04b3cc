"""Making facts coarser: an hourly look that finds files due, against rewriting the same files as they are.

The plain rewrite reads and writes the same rows in the same order and format, and judges none of them.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.facts import fill
from benchmarks.line import emit
from pipelines import expire, facts
from pipelines.settings import Pipelines
from warehouse.compact import files
from warehouse.facts import write
from warehouse.lake import Lake

EVENTS = 1_000_000
_ROUNDS = 3
_DAY = 86_400
HOW = Pipelines(open_files=4, grace_minutes=0)


def plain(data: Path, out: Path) -> None:
    """Every file of facts again, as it is."""
    out.mkdir()
    lake = Lake.open(data)
    assert lake is not None
    for k, file in enumerate(files(lake)):
        table = pq.read_table(file.path)
        write(
            table.sort_by([(name, "ascending") for name in ("day", "person", "time")]), out / f"{k}.parquet"
        )
    lake.close()


def main(n: int = EVENTS) -> None:
    """In turn, the median of three: a plain rewrite; one at 91 days; a look that finds nothing to do."""
    ours, theirs, idle, smaller = [], [], [], []
    for _ in range(_ROUNDS):
        with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
            data = Path(temporary)
            total = fill(data / "log", n)
            facts.run(data)
            expire.run(data, HOW, time.time() + 5 * _DAY)
            before = sum(file.stat().st_size for file in (data / "lake" / "files").rglob("*.parquet"))
            expire.forget(data, HOW, time.time() + 10)
            begun = time.perf_counter()
            plain(data, data / "plain")
            theirs.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            expire.run(data, HOW, time.time() + 91 * _DAY)
            ours.append(time.perf_counter() - begun)
            expire.forget(data, HOW, time.time() + 10)
            after = sum(file.stat().st_size for file in (data / "lake" / "files").rglob("*.parquet"))
            smaller.append(after / before)
            begun = time.perf_counter()
            expire.run(data, HOW, time.time() + 91 * _DAY)
            idle.append(time.perf_counter() - begun)
    mine, other = statistics.median(ours), statistics.median(theirs)
    peer = "a plain pyarrow rewrite of the same files"
    emit("retention", total / mine, "events/s", against=peer, ratio=other / mine, n=_ROUNDS)
    emit("retention_look", statistics.median(idle), "s", n=_ROUNDS)
    emit("retention_size", statistics.median(smaller), "of the bytes", n=_ROUNDS)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
