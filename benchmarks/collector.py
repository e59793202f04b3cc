"""The collector under load: durable, filtered requests a second with wrk, and latency at a fixed rate.

wrk and the collector share the machine's cores, as both did for every peer that was ever measured here.
"""

from __future__ import annotations

import asyncio
import gc
import re
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import uvloop

from benchmarks.collecting import Process, collector, free_port, requests, started
from benchmarks.line import emit

_SECONDS = 8
#: Seconds before anything is counted, in which the visitors become known.
_WARM = 2.0
#: wrk sends what stands in a file, in turn; lengths first, since bodies are of any bytes.
_SCRIPT = """
local file = io.open("%s", "rb")
local all, n = {}, 0
while true do
  local size = file:read("*n")
  if not size then break end
  file:read(1)
  n = n + 1
  all[n] = file:read(size)
end
local at = 0
request = function() at = at %% n + 1; return all[at] end
"""
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def _milliseconds(text: str) -> float:
    number, unit = re.match(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS[unit]


def wrk(server: Process, connections: int, script: Path, seconds: int = _SECONDS) -> dict[str, float]:
    """Requests a second, percentiles in ms, and the server's processor time a request in µs."""
    address = f"http://127.0.0.1:{server.port}/e"
    command = ["wrk", "-t1", f"-c{connections}", "--latency", "-s", str(script)]
    subprocess.run([*command, f"-d{_WARM:.0f}s", address], capture_output=True, check=True)
    before = server.cpu()
    said = subprocess.run([*command, f"-d{seconds}s", address], capture_output=True, check=True, text=True)
    used = server.cpu() - before
    text = said.stdout
    if "Non-2xx" in text:
        raise RuntimeError(f"the collector refused:\n{text}")
    count = int(re.search(r"(\d+) requests in", text)[1])  # type: ignore[index]
    return {
        "rate": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]),  # type: ignore[index]
        "p50": _milliseconds(re.search(r"(?m)^ +50%\s+(\S+)", text)[1]),  # type: ignore[index]
        "p99": _milliseconds(re.search(r"(?m)^ +99%\s+(\S+)", text)[1]),  # type: ignore[index]
        "cpu": used / count * 1e6,
    }


def script(folder: Path, events: int) -> Path:
    """A wrk script that sends those requests."""
    file = folder / f"requests{events}"
    made = requests(2000 if events == 1 else 500, events)
    file.write_bytes(b"".join(b"%d\n%s" % (len(one), one) for one in made))
    found = folder / f"requests{events}.lua"
    found.write_text(_SCRIPT % file)
    return found


class _Sender(asyncio.Protocol):
    """One connection: what was sent on it, in order, with the moment at which it was due."""

    def __init__(self, taken: list[float], loop: asyncio.AbstractEventLoop) -> None:
        self.due: deque[float] = deque()
        self._taken, self._loop = taken, loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        now = self._loop.time()
        for _ in range(data.count(b"HTTP/1.1 202")):
            self._taken.append(now - self.due.popleft())


async def _open(
    port: int, rate: int, seconds: float, connections: int, tls: ssl.SSLContext | None
) -> tuple[list[float], int]:
    """Send at that rate whatever comes back; how long each answer took from when it was due, in seconds."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    made = requests(4000, 1)
    senders = [
        (await loop.create_connection(lambda: _Sender(taken, loop), "127.0.0.1", port, ssl=tls))[1]
        for _ in range(connections)
    ]
    warm = int(rate * _WARM)
    begun, sent = loop.time() + 0.1, 0
    while (now := loop.time() - begun) < seconds + _WARM:
        while sent < now * rate:
            sender = senders[sent % connections]
            sender.due.append(begun + sent / rate)
            sender.transport.write(made[sent % len(made)])
            sent += 1
        await asyncio.sleep(0.0005)
    await asyncio.sleep(1.0)
    for sender in senders:
        sender.transport.close()
    return taken[warm:], sent - warm


def open_loop(
    server: Process, rate: int, seconds: float = 10.0, tls: ssl.SSLContext | None = None
) -> dict[str, float]:
    """Latency at a fixed rate of arrival, on 256 connections, in ms; `lost` are those never answered."""
    gc.collect()
    gc.freeze()
    gc.disable()  # the sender's own pauses would be taken for the server's
    before = server.cpu()
    taken, sent = uvloop.run(_open(server.port, rate, seconds, 256, tls))
    used = (server.cpu() - before) * seconds / (seconds + _WARM)
    gc.enable()
    taken.sort()
    return {
        "p50": taken[len(taken) // 2] * 1000,
        "p99": taken[len(taken) * 99 // 100] * 1000,
        "cpu": used / sent * 1e6,
        "lost": sent - len(taken),
    }


def main() -> None:
    """Each rate against the same server answering an empty 204."""
    if shutil.which("wrk") is None:
        sys.exit("collector: needs wrk (apt-get install wrk)")
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        folder = Path(temporary)
        scripts = {events: script(folder, events) for events in (1, 10, 50)}
        port = free_port()
        with started("benchmarks.empty", str(port), port=port) as empty:
            plain = {c: wrk(empty, c, scripts[1], 4) for c in (64, 256)}
        with collector(folder / "data") as server:
            for connections in (64, 256):
                found = wrk(server, connections, scripts[1])
                name, peer = f"collector_single_{connections}_connections", "the same server, an empty 204"
                base = plain[connections]
                emit(name, found["rate"], "requests/s", against=peer, ratio=found["rate"] / base["rate"])
                emit(f"{name}_p50", found["p50"], "ms", against=peer, ratio=found["p50"] / base["p50"])
                emit(f"{name}_p99", found["p99"], "ms", against=peer, ratio=found["p99"] / base["p99"])
                emit(
                    f"{name}_cpu", found["cpu"], "µs/request", against=peer, ratio=found["cpu"] / base["cpu"]
                )
            for events in (10, 50):
                found = wrk(server, 64, scripts[events])
                emit(f"collector_{events}_a_request", found["rate"] * events, "events/s")
                emit(f"collector_{events}_a_request_p99", found["p99"], "ms")
            rounds = [open_loop(server, 10_000, 5.0) for _ in range(3)]
            found = {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}
            found["lost"] = sum(one["lost"] for one in rounds)
            for name in ("p50", "p99"):
                emit(f"collector_open_loop_10000_{name}", found[name], "ms")
            emit("collector_open_loop_10000_cpu", found["cpu"], "µs/request")
            emit("collector_open_loop_10000_unanswered", found["lost"], "requests")
            emit("collector_memory", server.memory(), "MB")
        over_tls(folder)


def over_tls(folder: Path) -> None:
    """What TLS costs on connections that stay open, against the same in clear, at a rate both can keep."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    ways: dict[str, list[dict[str, float]]] = {"clear": [], "tls": []}
    with collector(folder / "clear") as clear, collector(folder / "tls", tls=True) as tls:
        for _ in range(3):
            ways["clear"].append(open_loop(clear, 2000, 4.0))
            ways["tls"].append(open_loop(tls, 2000, 4.0, trusting))
    for name in ("p50", "cpu"):
        base, found = (statistics.median(one[name] for one in ways[way]) for way in ("clear", "tls"))
        unit = "ms" if name == "p50" else "µs/request"
        emit(f"collector_tls_{name}", found, unit, against="in clear", ratio=found / base)


if __name__ == "__main__":
    main()
