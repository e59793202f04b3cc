"""The consent filter on one core: decide and apply, from understood columns to the EVENT batch."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator

import numpy as np

from benchmarks.line import emit
from benchmarks.path import look, requests, sites
from consent_filter.apply import apply
from consent_filter.decide import Laws, decide
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Raw
from ingest.enrich import Enrich
from ingest.protocols import Parsing, parse
from ingest.protocols.columns import take
from ingest.settings import Ingest

EVENTS = 65_536


def batches(size: int, now: int) -> Iterator[Raw]:
    """The same events, understood, `size` at a time, as the path would hand them over."""
    measured = sites()
    enrich, parsing = Enrich(measured, look), Parsing(measured, Ingest(), True)
    # Eight thousand visitors are enough to have every kind of event; larger batches hold them several times.
    waiting = requests(8192, 1, now)
    for start in range(0, len(waiting), size):
        raw = enrich.fill(parse(waiting[start : start + size], parsing).raw)
        yield raw if size <= raw.n else take(raw, np.arange(size) % raw.n)


def main() -> None:
    """Events a second, the median of seven rounds; the whole path is in `benchmarks.path`."""
    now = int(time.time() * 1000)
    measured, keys = sites(), Keyring.memory()
    ledger, laws = Ledger.memory(keys), Laws(Packs(measured))
    chosen = {"measurement": True, "ad_measurement": True}
    for n in range(1000):  # a ledger that has something in it, about others
        ledger.put("market", "device", f"other-{n}", chosen, "benchmark", now)
    gc.disable()
    for size in (32, 64, 512, 8192, EVENTS):
        waiting = list(batches(size, now))
        rounds = []
        for _ in range(7):
            begun = time.perf_counter()
            for raw in waiting:
                apply(raw, decide(raw, ledger.words(raw, laws.turns), laws), keys, ledger, measured)
            rounds.append(sum(raw.n for raw in waiting) / (time.perf_counter() - begun))
        value = statistics.median(rounds)
        emit(f"consent_batch_{size}", value, "events/s", n=len(waiting))
        emit(f"consent_batch_{size}_time", size / value * 1e6, "µs", n=len(waiting))
    gc.enable()


if __name__ == "__main__":
    main()
