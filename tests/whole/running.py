"""A whole Throng on a data folder of its own, started as its user would start it."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consent_filter.errors import Refused
from tests import signed
from tests.ports import free_ports
from warehouse import query
from warehouse.settings import Warehouse

BROWSER = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)


def _environ() -> dict[str, str]:
    """Bytecode is kept between processes, as where Throng is installed: importing takes half as long."""
    if not sys.dont_write_bytecode:
        return dict(os.environ)
    folder = tempfile.mkdtemp(prefix="throng-bytecode-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": folder}


ENVIRON = _environ()


def throng(data: Path, *arguments: str, text: str | None = None) -> str:
    """Run one command to its end; its standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "throng.main", *arguments, "--data", str(data)],
        input=text, capture_output=True, text=True, timeout=180, env=ENVIRON,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def until(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    """The first truthy answer, asked for again and again."""
    end = time.monotonic() + seconds
    while True:
        found = what()
        if found or time.monotonic() > end:
            assert found, "it did not come"
            return found
        time.sleep(0.3)


class Up:
    """A running `throng up`, or one of its parts."""

    def __init__(self, data: Path, command: list[str], port: int) -> None:
        self.data, self.port = data, port
        self.output = data / "output.txt"
        self._signed: dict[str, str] = {}
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "throng.main", *command, "--data", str(data), "--port", str(port)],
                stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=ENVIRON,
            )  # fmt: skip

    def answers(self) -> bool:
        try:
            return self.get("/health")[0] == 200
        except OSError:
            return False

    def get(self, path: str, port: int | None = None) -> tuple[int, bytes]:
        """An answer; the dashboards' to somebody who is signed in."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=10)
        try:
            if port == self.port + 1 and not self._signed:
                self._signed = signed.head(self.data)
            connection.request("GET", path, headers=self._signed if port == self.port + 1 else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, events: Any, **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        head = {"User-Agent": BROWSER, "Content-Type": "text/plain"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        try:
            connection.request("POST", "/e", json.dumps(events), head)
            return connection.getresponse().status
        finally:
            connection.close()

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What an analyst gets from `throng query`, asked here; nothing before the first publication."""
        try:
            found: list[dict[str, Any]] = json.loads(query.run(self.data, sql, "json", Warehouse()))
        except Refused:
            found = []
        return found

    def stop(self, how: int = signal.SIGINT) -> int:
        self.process.send_signal(how)
        code = self.process.wait(60)
        if self.process.stdin:
            self.process.stdin.close()
        return code


@contextmanager
def up(data: Path, *command: str, settings: str = "") -> Iterator[Up]:
    """`throng up` (or the named command), ready; stopped with Ctrl-C at the end."""
    data.mkdir(parents=True, exist_ok=True)
    if settings:
        (data / "throng.toml").write_text(settings)
    running = Up(data, list(command) or ["up"], free_ports())
    try:
        until(running.answers)
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
