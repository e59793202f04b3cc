"""The ledger at a million people: opening, memory, deciding, and how soon a word said elsewhere is obeyed."""

from __future__ import annotations

import gc
import json
import random
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from msgspec.structs import replace

from benchmarks.consent import batches
from benchmarks.line import emit
from benchmarks.path import sites
from consent_filter import chain
from consent_filter.decide import MEASUREMENT, Laws, decide
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Column

_PAGE = 4096
#: Rows of a batch, and as many different people in it as a minute of a large site has.
_BATCH, _PEOPLE = 8192, 4000
#: What an officer's process does: open the ledger, say when it is ready, refuse for each id it reads.
_OFFICER = """
import sys; from pathlib import Path
from consent_filter.ledger import Ledger; from consent_filter.pseudonym import Keyring
here = Path(sys.argv[1])
ledger = Ledger.open(here / "ledger.sqlite", Keyring.open(here / "keys.json"), gives=False)
print("ready", flush=True)
for line in sys.stdin:
    ledger.put("market", "device", line.strip(), {"measurement": False}, "officer", 1)
    print("said", flush=True)
"""


def fill(file: Path, keys: Keyring, people: int, now: int) -> None:
    """Everybody has chosen once and is measured: a word, a record, a salt."""
    ledger = Ledger.open(file, keys)
    said = {"site": "market", "granted": ["measurement"], "denied": [], "source": "site", "at": now}
    with ledger._change():
        for n in range(people):
            key = ledger.key("market", "device", f"d{n}")
            chain.add(ledger._database, key, json.dumps(said))
            ledger._database.execute("INSERT INTO choice VALUES (?, 1, 0, 0, ?)", (key, now))
            ledger._salts.new(MEASUREMENT, key)
    ledger.flush()
    ledger.close()


def held() -> int:
    """Bytes of memory that this process has of its own."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def main() -> None:
    """`people` as the first argument, a million by default."""
    people = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    now = int(time.time() * 1000)
    with TemporaryDirectory() as name:
        here = Path(name)
        keys = Keyring.open(here / "keys.json")
        made = subprocess.run(
            [sys.executable, "-c", f"import sys; from benchmarks.ledger import *; fill(Path(sys.argv[1]) /"
             f" 'ledger.sqlite', Keyring.open(Path(sys.argv[1]) / 'keys.json'), {people}, {now - 60_000})",
             name], check=True,
        )  # fmt: skip
        assert made.returncode == 0
        gc.collect()
        before, begun = held(), time.perf_counter()
        ledger = Ledger.open(here / "ledger.sqlite", keys)
        emit("ledger_open", time.perf_counter() - begun, "s", n=people)
        emit("ledger_memory", (held() - before) / people, "bytes/person", n=people)
        _deciding(ledger, people, now)
        _obeying(ledger, here, people)
        ledger.close()


def _deciding(ledger: Ledger, people: int, now: int) -> None:
    """`words` and `decide` on batches whose visitors are all on record."""
    chance, measured = random.Random(1), sites()
    laws = Laws(Packs(measured))
    waiting = []
    for raw in batches(_BATCH, now):
        ids = [f"d{chance.randrange(people)}" for _ in range(_PEOPLE)]
        codes = np.array([chance.randrange(_PEOPLE) for _ in range(raw.n)], np.int32)
        waiting.append(replace(raw, device_id=Column(codes, [*ids])))
    words, decided = [], []
    gc.disable()
    for _ in range(15):
        for raw in waiting:
            begun = time.perf_counter()
            said = ledger.words(raw)
            between = time.perf_counter()
            decide(raw, said, laws)
            ended = time.perf_counter()
            words.append(raw.n / (between - begun))
            decided.append(raw.n / (ended - between))
    gc.enable()
    emit("ledger_words", statistics.median(words), "events/s", n=len(words))
    emit("ledger_decide", statistics.median(decided), "events/s", n=len(decided))
    both = 1 / (1 / statistics.median(words) + 1 / statistics.median(decided))
    emit("ledger_words_and_decide", both, "events/s", n=len(words))


def _obeying(ledger: Ledger, here: Path, people: int) -> None:
    """From when another process begins to record a refusal until this one obeys; and a look in vain."""
    times = []
    with subprocess.Popen(
        [sys.executable, "-c", _OFFICER, str(here)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as officer:
        assert officer.stdin is not None
        assert officer.stdout is not None
        officer.stdout.readline()
        for n in range(100):
            id = f"d{n * 7 % people}"
            begun = time.perf_counter()
            print(id, file=officer.stdin, flush=True)
            while not ledger.word("market", None, id)[0].deny:
                ledger.refresh()
            times.append(time.perf_counter() - begun)
            officer.stdout.readline()
        officer.stdin.close()
    emit("ledger_obeyed", statistics.median(times) * 1000, "ms", n=len(times))
    emit("ledger_obeyed_slowest", max(times) * 1000, "ms", n=len(times))
    begun = time.perf_counter()
    for _ in range(10_000):
        ledger.refresh()
    emit("ledger_refresh", (time.perf_counter() - begun) * 100, "µs", n=10_000)


if __name__ == "__main__":
    main()
