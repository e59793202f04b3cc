"""kill -9 of the collector under load, again and again: how many acknowledged events are not in its log.

Every event has an id of its own; what was acknowledged is known by the sender, what is stored by the log.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import uvloop

from benchmarks.collecting import collector
from benchmarks.line import emit
from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import column
from ingest.log.segment import SegmentLog

KILLS, CONNECTIONS = 100, 64
_HEAD = (
    "POST /e HTTP/1.1\r\nHost: s\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0\r\n"
    "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
)


class _Sender(asyncio.Protocol):
    """Sends the next event when the last is answered; notes what was acknowledged."""

    def __init__(self, numbers: list[int], known: set[int]) -> None:
        self._numbers, self._known = numbers, known

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def data_received(self, data: bytes) -> None:
        if b" 202 " in data:
            self._known.add(self._number)
        self._next()

    def _next(self) -> None:
        self._numbers[0] += 1
        self._number = self._numbers[0]
        said = {"site": "market", "type": "page_view", "url": "/a", "id": str(self._number)}
        body = json.dumps(said).encode()
        self._transport.write((_HEAD % len(body)).encode() + body)


async def _load(port: int, numbers: list[int], known: set[int], seconds: float, kill: object) -> None:
    loop = asyncio.get_running_loop()
    for _ in range(CONNECTIONS):
        await loop.create_connection(lambda: _Sender(numbers, known), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    await loop.run_in_executor(None, kill)  # type: ignore[arg-type]
    await asyncio.sleep(0.05)


def main(kills: int = KILLS) -> None:
    """One data folder through all kills, as a machine that keeps failing would have it."""
    chance, numbers, known = random.Random(1), [0], set[int]()
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        data = Path(temporary) / "data"
        for _ in range(kills):
            with collector(data) as server:
                uvloop.run(_load(server.port, numbers, known, 0.2 + chance.random(), server.kill))
        parts = [record.events.numbers["event_id"] for _, record in SegmentLog(data / "log").read({})]
        stored = np.concatenate(parts)
        texts = [str(number) for number in sorted(known)]
        sent = event_ids(Keyring.open(data / "keys.json"), column(["market"] * len(texts)), texts)
        lost, twice = int((~np.isin(sent, stored)).sum()), len(stored) - len(np.unique(stored))
    emit("kills_acknowledged", len(known), "events", n=kills)
    emit("kills_lost", lost, "events", against="acknowledged", ratio=lost / len(known), n=kills)
    emit("kills_stored_twice", twice, "events", n=kills)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else KILLS)
