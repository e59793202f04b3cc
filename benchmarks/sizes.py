"""Bytes: of the beacon, as browsers fetch it, and of a publication."""

from __future__ import annotations

import gzip
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import brotli

from benchmarks.facts import fill
from benchmarks.line import emit
from pipelines import facts, reports
from warehouse import snapshot
from warehouse.released import Store
from warehouse.settings import Warehouse

EVENTS = 200_000


def main(n: int = EVENTS) -> None:
    """The beacon in brotli against gzip; one generation of reports of a crowd's two days."""
    script = (files("ingest") / "beacon" / "t.js").read_bytes()
    packed, peer = len(brotli.compress(script, quality=11)), len(gzip.compress(script, 9))
    emit("beacon", packed, "bytes", against="gzip", ratio=packed / peer)
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        data, settings = Path(temporary), Warehouse()
        fill(data / "log", n)
        facts.run(data)
        reports.run(data, settings)
        store = Store.open(data)
        snapshot.publish(data, settings, store)
        store.close()
        size = sum(file.stat().st_size for file in (data / "published" / "1").iterdir() if file.is_file())
        emit("generation", size, "bytes")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS)
