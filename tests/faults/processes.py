"""Processes of `throng` on machines of their own clocks, as one run needs them (`apart.py` starts them)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from tests.faults import clock
from tests.faults.clock import Clock
from tests.whole.running import ENVIRON


class Apart:
    """Processes of `throng`, started in no time. `steps`: their clocks can be stepped."""

    def __init__(self, said: IO[bytes], *, steps: bool) -> None:
        loaded = {"LD_PRELOAD": str(clock.library())} if steps else {}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=said, text=True, env={**ENVIRON, **loaded},
        )  # fmt: skip
        self._waited = False

    def ask(self, *what: Any) -> Any:
        """See there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if not self._waited:
            assert json.loads(self._process.stdout.readline()) == "ready"
            self._waited = True
        print(json.dumps(what), file=self._process.stdin, flush=True)
        return json.loads(self._process.stdout.readline())

    def start(self, arguments: list[str], clock: Clock, planted: str = "") -> int:
        """A process id."""
        return int(self.ask("start", arguments, clock.environment, planted))

    def end(self, pid: int, how: int, seconds: float | None = None) -> int:
        """A status: 0 where all went well; 9 where it was killed, as the seconds were over."""
        return int(self.ask("end", pid, how, seconds))

    def close(self) -> None:
        """End it, and all that it has started."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:  # it still imports
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


class Machine:
    """A collector with its data folder, its port and its clock. `planted`: what is wrong in it."""

    def __init__(self, apart: Apart, data: Path, port: int, planted: str = "") -> None:
        self._apart, self.data, self.port, self._planted = apart, data, port, planted
        self.clock = Clock(data.with_suffix(".clock"))
        self.pid = self._start()

    def _start(self) -> int:
        part = ["part", "collector", "--data", str(self.data), "--port", str(self.port)]
        return self._apart.start(part, self.clock, self._planted)

    def signal(self, how: int) -> None:
        """To the collector."""
        os.kill(self.pid, how)

    def limit(self, size: int | None) -> None:
        """How large its files may grow."""
        self._apart.ask("limit", self.pid, size)

    def replace(self, how: int) -> None:
        """End it so, and start another in its place."""
        self.end(how)
        self.pid = self._start()

    def end(self, how: int) -> int:
        """End it so."""
        return self._apart.end(self.pid, how)
