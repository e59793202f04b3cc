"""One run: collectors, their log, jobs, a loader; faults of a seed; then what should be true."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import column
from ingest.log.cluster import close_all
from pipelines.balance import lag
from tests.faults.load import Load, page
from tests.faults.proxy import Proxy
from tests.kafka.broker import Broker
from tests.ports import free_ports
from tests.warehouse.sample import found
from tests.whole.running import ENVIRON
from throng import balance
from warehouse.released import Store

#: Events that have to be acknowledged between two faults.
_BETWEEN = 25


class Outcome(NamedTuple):
    """faults: what was done, in its order; wrong: what should not be."""

    seed: int
    acknowledged: int
    stored: int
    refused: int
    faults: list[str]
    wrong: list[str]


class Apart:
    """Processes of `throng`, started in no time (`apart.py`)."""

    def __init__(self, said: IO[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=said, text=True, env=ENVIRON,
        )  # fmt: skip
        self._waited = False

    def ask(self, *what: Any) -> int:
        """See there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._waited:
            assert json.loads(self._process.stdout.readline()) == "ready"
            self._waited = True
        print(json.dumps(what), file=self._process.stdin, flush=True)
        return int(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it, and all that it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        if self._process.stdout:
            self._process.stdout.close()


class Run:
    """`broker`: one that advertises `proxy`, for two collectors that share a ledger; without it there is one
    collector, and the embedded log."""

    def __init__(
        self, folder: Path, seed: int, apart: tuple[Apart, Apart], wire: tuple[Broker, Proxy] | None
    ) -> None:
        self.dice, self.seed, self.folder = random.Random(seed), seed, folder
        self.serving, self.jobs = apart
        self.wire = wire
        self.faults: list[str] = []
        text = '[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n'
        if wire is not None:
            text += f'[log]\nkind = "kafka"\nbootstrap = ["{wire[0].address}"]\ntopic = "events{seed}"\n'
            text += f'ledger = "words{seed}"\ntimeout_s = 2\nlargest_mib = 1\npartitions = 2\n'
        self.datas = [folder / name for name in ("a", "b")[: 1 if wire is None else 2]]
        for data in self.datas:
            data.mkdir(parents=True)
            (data / "throng.toml").write_text(text)
        Keyring.open(self.datas[0] / "keys.json")
        for data in self.datas[1:]:
            shutil.copy(self.datas[0] / "keys.json", data / "keys.json")
        self.ports = [free_ports(3) for _ in self.datas]
        self.pids = [self._start(n) for n in range(len(self.datas))]
        self.load = Load(self.ports, random.Random(seed + 1))

    def _start(self, n: int) -> int:
        part = ["part", "collector", "--data", str(self.datas[n]), "--port", str(self.ports[n])]
        return self.serving.ask("start", part)

    def _job(self, name: str, seconds: float | None) -> int:
        return self.jobs.ask("run", [name, "--data", str(self.datas[0])], seconds)

    def whole(self, faults: int) -> Outcome:
        """Do it."""
        kinds = [self.kill, self.pause, self.fill, self.fold]
        if self.wire is not None:
            kinds += [self.cut, self.slow, self.broker_dies, self.broker_pauses]
        try:
            with self.load:
                self.load.greet()
                for _ in range(faults):
                    self.load.wait(_BETWEEN)
                    self.dice.choice(kinds)()
                self.load.wait(2 * _BETWEEN)
        finally:
            for pid in self.pids:
                os.kill(pid, signal.SIGCONT)
                self.serving.ask("end", pid, int(signal.SIGTERM))
        return self.outcome()

    # Faults: each is over when it returns.

    def _one(self, what: str) -> tuple[int, int]:
        n = self.dice.randrange(len(self.pids))
        self.faults.append(f"{what} {n}")
        return n, self.pids[n]

    def _wait(self) -> None:
        time.sleep(self.dice.uniform(0.05, 1.0))

    def kill(self) -> None:
        """kill -9 of a collector, and another one in its place."""
        n, pid = self._one("kill")
        self.serving.ask("end", pid, int(signal.SIGKILL))
        self.pids[n] = self._start(n)

    def pause(self) -> None:
        """A collector stands still."""
        _, pid = self._one("pause")
        os.kill(pid, signal.SIGSTOP)
        self._wait()
        os.kill(pid, signal.SIGCONT)

    def fill(self) -> None:
        """No file of a collector can grow, as on a disk that is full."""
        _, pid = self._one("fill")
        with suppress(ProcessLookupError):
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
            self._wait()
            resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    def fold(self) -> None:
        """The facts job, killed somewhere, half of the time."""
        killed = self.dice.random() < 0.5
        self.faults.append("fold, killed" if killed else "fold")
        self._job("facts", self.dice.uniform(0.0, 1.0) if killed else None)

    def cut(self) -> None:
        """Every connection to the broker ends, and for a while there is no other."""
        self.faults.append("cut")
        assert self.wire is not None
        self.wire[1].cut_off = True
        self.wire[1].cut()
        self._wait()
        self.wire[1].cut_off = False

    def slow(self) -> None:
        """What goes over the wire takes its time."""
        self.faults.append("slow")
        assert self.wire is not None
        self.wire[1].delay = self.dice.uniform(0.02, 0.3)
        self._wait()
        self.wire[1].delay = 0.0

    def broker_dies(self) -> None:
        """kill -9 of the broker."""
        self.faults.append("broker dies")
        assert self.wire is not None
        self.wire[0].kill()
        self._wait()
        self.wire[0].start()

    def broker_pauses(self) -> None:
        """It hears nothing, and its connections stay."""
        self.faults.append("broker pauses")
        assert self.wire is not None
        self.wire[0].pause()
        self._wait()
        self.wire[0].resume()

    # What must be true.

    def outcome(self) -> Outcome:
        """Fold what is left, and look."""
        data, wrong = self.datas[0], list[str]()
        for name in ("facts", "reports"):
            if self._job(name, None):
                wrong.append(f"{name} has failed")
        load, keys = self.load, Keyring.open(data / "keys.json")
        ids = [str(n) for n in range(load.sent)]
        number = dict(
            zip(event_ids(keys, column(["shop"] * len(ids)), ids).tolist(), range(load.sent), strict=True)
        )
        facts = found(data)
        stored = Counter(number.get(id, -1) for _, id, *_ in facts.rows.elements())
        wrong += [f"{n} is stored {times} times" for n, times in stored.items() if times > 1]
        wrong += [f"{n} was acknowledged, and is not stored" for n in sorted(load.acknowledged - set(stored))]
        wrong += [f"{n} was refused before it was sent" for n in sorted(load.unwanted & set(stored))]
        wrong += ["there is an event that nobody has sent"] * (-1 in stored)
        whole = balance.whole(data)
        if whole["received"] != whole["stored"] + sum(whole["refused"].values()):
            wrong.append(f"the balance: {whole}")
        if whole["stored"] != stored.total():
            wrong.append(f"{whole['stored']} are said to be stored, and {stored.total()} are")
        wrong += [f"not folded: {left}" for left in lag(data).items() if left[1]]
        wrong += self._reports(stored)
        close_all()
        refused = sum(whole["refused"].values())
        return Outcome(self.seed, len(load.acknowledged), stored.total(), refused, self.faults, wrong)

    def _reports(self, stored: Counter[int]) -> list[str]:
        store = Store.open(self.datas[0])
        rows = store.connection.execute("SELECT path, views, people FROM pages ORDER BY ALL").fetchall()
        store.close()
        left = [n for n in stored if n >= 0 and self.load.counts(n)]
        views = Counter(page(n) for n in left)
        people = {(page(n), self.load.who(n)) for n in left}
        expected = sorted((path, n, sum(one == path for one, _ in people)) for path, n in views.items())
        return [] if rows == expected else [f"reports say {rows}, and should {expected}"]


def runs(
    folder: Path, seeds: list[int], faults: int, *, kafka: bool, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """A run of each seed."""
    folder.mkdir(parents=True, exist_ok=True)
    output = (folder / "output.txt").open("ab")
    apart = Apart(output), Apart(output)
    wire: tuple[Broker, Proxy] | None = None
    outcomes = []
    try:
        if kafka:
            port = free_ports(1)
            broker = Broker(folder / "broker", free_ports(3), advertised=port)
            broker.start()
            wire = broker, Proxy(port, broker.port)
        for seed in seeds:
            outcome = Run(folder / str(seed), seed, apart, wire).whole(faults)
            tell(outcome)
            outcomes.append(outcome)
            if not outcome.wrong:
                shutil.rmtree(folder / str(seed))
    finally:
        for one in apart:
            one.close()
        if wire is not None:
            wire[1].close()
            wire[0].stop()
        output.close()
    return outcomes
