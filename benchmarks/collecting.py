"""A real collector in a process of its own, and requests to send it."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from benchmarks.path import _AGENTS, bodies

#: The marketplace of `benchmarks.path.sites`, behind a proxy that names many visitors.
SETTINGS = """
[[site]]
id = "market"
origins = ["https://market.example"]
timezone = "Europe/Berlin"
paths = ["/u/{user}", "/project/{project}"]
props = ["plan", "step", "category"]
[ingest]
trusted_proxies = ["127.0.0.1/32"]
"""
CERTIFICATE = "tls.pem"
_TICKS = os.sysconf("SC_CLK_TCK")


class Process:
    """A server, and what the system says of it."""

    def __init__(self, port: int, process: subprocess.Popen[bytes]) -> None:
        self.port, self.process = port, process

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory(self) -> float:
        """The most it has held, in MB."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(*command: str, port: int) -> Iterator[Process]:
    """The command (after `python -m`) once it accepts connections; stopped at the end."""
    process = subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.PIPE)
    try:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Process(port, process)
    finally:
        process.terminate()
        process.wait(30)


def collector(data: Path, *, tls: bool = False) -> AbstractContextManager[Process]:
    """A context: the collector as `throng up` starts it, on an empty data folder. `tls`: with a certificate
    (P-256, as most are)."""
    port = free_port()
    data.mkdir(parents=True, exist_ok=True)
    more = f'certificate = "{CERTIFICATE}"\nkey = "tls.key"\n' if tls else ""
    (data / "throng.toml").write_text(SETTINGS + more)
    if tls:
        kind = "ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -days 2"
        asked = f"openssl req -x509 -newkey {kind} -keyout {data}/tls.key -out {data}/{CERTIFICATE}"
        subprocess.run(asked.split(), check=True, capture_output=True)
    return started("throng.main", "part", "collector", "--data", str(data), "--port", str(port), port=port)


def requests(count: int, events: int) -> list[bytes]:
    """Whole HTTP requests as a browser behind a proxy sends them: nine headers, one visitor each."""
    chance = random.Random(3)
    made = []
    for body in bodies(count, events, int(time.time() * 1000)):
        address = ".".join(str(chance.randrange(1, 224)) for _ in range(4))
        agent = chance.choice(_AGENTS) % chance.randrange(100, 150)
        head = (
            "POST /e HTTP/1.1\r\nHost: stats.market.example\r\nOrigin: https://market.example\r\n"
            f"User-Agent: {agent}\r\nContent-Type: text/plain;charset=UTF-8\r\nAccept: */*\r\n"
            f"Accept-Language: en-GB,en;q=0.9\r\nReferer: https://market.example/\r\n"
            f"X-Forwarded-For: {address}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made
