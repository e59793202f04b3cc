"""One run: collectors, their log, jobs, a loader; faults of a seed; then what should be true."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from consent_filter.errors import Broken
from consent_filter.pseudonym import Keyring
from ingest.log.cluster import close_all
from pipelines.balance import balance, lag
from tests.faults.checks import Fact, Row, Seen, naming, wrong
from tests.faults.clock import Clock
from tests.faults.load import Load
from tests.faults.plan import Step, World, plan
from tests.faults.processes import Apart, Machine
from tests.faults.servers import Servers
from tests.faults.stored import numbers
from tests.flink.cluster import SETTINGS
from tests.lake import servers as lakes
from tests.ports import free_ports
from tests.whole.running import BROWSER
from warehouse.lake import Lake
from warehouse.released import Store

#: Events that have to be acknowledged between two faults.
_BETWEEN = 25
#: Seconds after which a job that has not ended never will.
_NEVER = 150.0
#: Seconds in which the last jobs have to succeed where servers may still be coming back.
_LAST = 90.0
#: Parts of a Flink cluster, as `tests/flink/cluster.py` names their processes.
_PARTS = {"task manager": "tasks", "job manager": "manager", "job server": "jobs", "workers": "workers"}


class Outcome(NamedTuple):
    """steps: what was done, in its order; wrong: what should not be. `seconds`: all of it."""

    seed: int
    acknowledged: int
    stored: int
    refused: int
    seconds: float
    faults: list[str]
    wrong: list[str]


class Run:
    """`apart` starts its processes. `planted`: a fault of `planted.py` that is in all of them."""

    def __init__(
        self, folder: Path, seed: int, world: World, apart: Apart, servers: Servers, planted: str = ""
    ) -> None:
        self.seed, self.world, self.folder, self.servers = seed, world, folder, servers
        self._jobs, self._planted = apart, planted
        self.done: list[str] = []
        #: How long the last job took that was not killed.
        self._took = 1.0
        text, secret = self._settings()
        datas = [folder / name for name in ("a", "b")[: 2 if world.kafka else 1]]
        for data in datas:
            data.mkdir(parents=True)
            (data / "throng.toml").write_text(text)
            for name, value in secret.items():
                (data / name).write_text(value)
        Keyring.open(datas[0] / "keys.json")
        for data in datas[1:]:
            shutil.copy(datas[0] / "keys.json", data / "keys.json")
        self.machines = [Machine(apart, data, free_ports(3), planted) for data in datas]
        self.data, self.clock = datas[0], Clock(folder / "jobs.clock")
        self.load = Load([one.port for one in self.machines], random.Random(seed + 1), f"visitor-{seed}-")

    def _settings(self) -> tuple[str, dict[str, str]]:
        """The settings, and the files of secrets that they name."""
        text = '[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n'
        own, secret = f"{self.seed}_{secrets.token_hex(2)}", dict[str, str]()
        if self.servers.broker:
            text += f'[log]\nkind = "kafka"\nbootstrap = ["{self.servers.broker.address}"]\n'
            text += f'topic = "events{own}"\nledger = "words{own}"\n'
            text += "timeout_s = 2\nlargest_mib = 1\npartitions = 2\n"
        if self.servers.postgres and self.servers.storage:
            postgres, storage = self.servers.postgres, self.servers.storage
            postgres.database(f"lake{own}")
            (storage.data / f"lake{own.replace('_', '-')}").mkdir()
            wires = {
                "port": self.servers.named["catalog"].wire.port,
                "endpoint": f"http://127.0.0.1:{self.servers.named['storage'].wire.port}",
                "timeout_s": 3,
            }
            text += lakes.lake(postgres, storage, f"lake{own}", f"lake{own.replace('_', '-')}", **wires)
            secret = {"pg": lakes.PASSWORD, "s3": lakes.SECRET}
        if self.servers.cluster:
            text += f"[pipelines]\n{SETTINGS}"
        return text, secret

    def whole(self, steps: list[Step]) -> Outcome:
        """Do it."""
        begun, found = time.monotonic(), list[str]()
        try:
            with self.load:
                self.load.greet()
                for step in steps:
                    self.load.wait(_BETWEEN)
                    self.done.append(str(step))
                    now = time.strftime("%H:%M:%S")
                    print(f"{now} seed {self.seed}: {step}", file=sys.stderr, flush=True)
                    self._strike(step)
                self.load.wait(2 * _BETWEEN)
            # The folder of the jobs knows who has refused by its own collector, which may just have begun.
            self.load.heard()
        finally:
            for one in self.machines:
                with suppress(ProcessLookupError):
                    one.signal(signal.SIGCONT)
                one.end(signal.SIGTERM)
        if self.servers.storage:  # It takes nothing from whose clock is a quarter of an hour off.
            self.clock.step(0)
        for name in ("facts", "reports"):
            if status := self._last(name):
                found.append(f"{name} has failed in the end, with status {status}")
        seen = self._seen()
        close_all()
        return Outcome(
            self.seed, seen.answers.total(), seen.facts.total(), sum(seen.balance["refused"].values()),
            round(time.monotonic() - begun, 1), self.done, [*found, *wrong(seen)],
        )  # fmt: skip

    # Faults: each is over when it returns.

    def _strike(self, step: Step) -> None:
        machine = self.machines[step.which % len(self.machines)]
        first, _, rest = step.kind.partition(" ")
        if step.kind == "kill":
            machine.replace(signal.SIGKILL)
        elif step.kind == "pause":
            machine.signal(signal.SIGSTOP)
            time.sleep(step.lasts)
            machine.signal(signal.SIGCONT)
        elif step.kind == "fill":
            machine.limit(0)
            time.sleep(step.lasts)
            machine.limit(None)
        elif step.kind == "again":
            self.load.again(step.which)
        elif first == "clock":
            (self.clock if rest == "of the jobs" else machine.clock).step(step.by)
        elif step.kind == "fold":
            self._job("facts")
        elif first == "fold":
            self._fold(step)
        elif first == "broker":
            self.servers.named[first].fail(rest, step.lasts)
        elif first in self.servers.named:
            self._fold(step, lambda: self.servers.named[first].fail(rest, step.lasts))
        else:
            self._fold(step, lambda: self._flink(step.kind.removesuffix(" killed")))

    def _flink(self, which: str) -> None:
        assert self.servers.cluster is not None
        os.kill(self.servers.processes[_PARTS[which]], signal.SIGKILL)

    def _fold(self, step: Step, strike: Callable[[], None] | None = None) -> None:
        """The facts job, and something in the middle of it. It may fail; it may not go on for ever."""
        after = step.at * self._took
        if self.servers.cluster:
            self.servers.cluster.begin("throng", "facts", "--data", str(self.data))
            time.sleep(after)
            if strike:
                strike()
            self.servers.cluster.answer()
            self.servers.processes = self.servers.cluster.ask("settled")
            return
        pid = self._jobs.start(["facts", "--data", str(self.data)], self.clock, self._planted)
        time.sleep(after)
        if strike:
            strike()
        elif step.kind == "fold killed":
            self._jobs.end(pid, 0, 0.001)
            return
        else:
            self._jobs.ask("limit", pid, 4096)
            time.sleep(step.lasts)
            self._jobs.ask("limit", pid, None)
        if self._jobs.end(pid, 0, _NEVER) == signal.SIGKILL:
            raise AssertionError(f"the facts job did not end after: {step}")

    def _job(self, name: str) -> int:
        """One that nothing disturbs. Its status."""
        begun = time.monotonic()
        if self.servers.cluster:
            came = self.servers.cluster.ask("throng", name, "--data", str(self.data))
            if came["code"]:
                print(came["err"], file=sys.stderr)
            status = int(came["code"])
        else:
            pid = self._jobs.start([name, "--data", str(self.data)], self.clock, self._planted)
            status = self._jobs.end(pid, 0, _NEVER)
        if name == "facts" and not status:
            self._took = time.monotonic() - begun
        return status

    def _last(self, name: str) -> int:
        """The same when all faults are over: again, as the pipeline does, where servers have had some.
        Nothing excuses it without servers."""
        end = time.monotonic() + (_LAST if self.servers.named or self.servers.cluster else 0.0)
        while (status := self._job(name)) and time.monotonic() < end:
            time.sleep(1)
        return status

    # What is there.

    def _seen(self) -> Seen:
        number, facts = numbers(self.data, [str(n) for n in range(self.load.sent)]), Counter[Fact]()
        lake = Lake.open(self.data)
        if lake is not None:
            nameless = "CASE treatment WHEN 'identified' THEN 0 ELSE person END"
            rows = lake.connection.execute(f"SELECT event_id, day, {nameless} FROM lake.events").fetchall()
            facts.update((number.get(id, -1), day, person) for id, day, person in rows)
            lake.close()
        try:
            whole = balance(self.data)
        except Broken as error:
            whole = {"received": -1, "stored": -1, "refused": {str(error): 1}}
        kept = [self.folder, self.folder.parent / "output.txt", *self.servers.folders]
        stepped = any(one.clock.stepped for one in self.machines)
        return Seen.of(
            self.load, stepped, facts, balance=whole, pages=self._pages(), lag=lag(self.data),
            named=naming(kept, [self.load.canary, BROWSER[-30:]]),
        )  # fmt: skip

    def _pages(self) -> list[Row]:
        store = Store.open(self.data)
        try:
            if not store.connection.execute("FROM duckdb_tables() WHERE table_name = 'pages'").fetchall():
                return []  # the job that makes it has failed, which is said elsewhere
            asked = "SELECT day, path, views, people FROM pages"
            found: list[Row] = store.connection.execute(asked).fetchall()
            return found
        finally:
            store.close()


class Runs:
    """What several runs share, because it takes long to start: what forks our processes, and servers."""

    def __init__(self, folder: Path, world: World) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.world = folder, world
        self._output = (folder / "output.txt").open("ab")
        self._apart = Apart(self._output, steps=world.clock)
        try:
            self._servers = Servers(folder, world)
        except BaseException:
            self._end()
            raise

    def __enter__(self) -> Runs:
        return self

    def one(self, seed: int, faults: int, steps: list[Step] | None = None, planted: str = "") -> Outcome:
        """The run of a seed; its folder stays where something was wrong."""
        room = self.folder / f"{seed}"
        run = Run(room, seed, self.world, self._apart, self._servers, planted)
        outcome = run.whole(plan(seed, faults, self.world) if steps is None else steps)
        if not outcome.wrong:
            shutil.rmtree(room)
        return outcome

    def _end(self) -> None:
        self._apart.close()
        self._output.close()

    def __exit__(self, *_: object) -> None:
        self._end()
        self._servers.close()
