"""Requests at a steady rate whatever comes back, and what came back: statuses, how long each took, which."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

import httptools
import uvloop


class Answered(NamedTuple):
    """due: seconds since the beginning; took: seconds from then to its answer; later: Retry-After."""

    number: int
    due: float
    status: int
    took: float
    later: str


class Sender(asyncio.Protocol):
    """One connection: what was sent on it, in order, with the moment at which it was due."""

    def __init__(self, answers: list[Answered], loop: asyncio.AbstractEventLoop, begun: float) -> None:
        self.due: deque[tuple[int, float]] = deque()
        self._answers, self._loop, self._begun = answers, loop, begun
        self._parser, self._later = httptools.HttpResponseParser(self), ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready."""
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Answers come in the order of requests."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        if name.lower() == b"retry-after":
            self._later = value.decode()

    def on_message_complete(self) -> None:
        """Called by the parser."""
        number, due = self.due.popleft()
        now = self._loop.time() - self._begun
        self._answers.append(Answered(number, due, self._parser.get_status_code(), now - due, self._later))
        self._later = ""


async def _send(
    ports: Sequence[int],
    made: Callable[[int], bytes],
    rate: float,
    seconds: float,
    connections: int,
    wait: float,
    most: int,
) -> tuple[list[Answered], int]:
    loop, answers = asyncio.get_running_loop(), list[Answered]()
    begun, sent = loop.time() + 0.2, 0
    senders = [
        (await loop.create_connection(lambda: Sender(answers, loop, begun), "127.0.0.1", port))[1]
        for port in ports
        for _ in range(connections // len(ports))
    ]
    while (now := loop.time() - begun) < seconds:
        while sent < now * rate and (not most or sent - len(answers) < most):
            one = senders[sent % len(senders)]
            one.due.append((sent, now if most else sent / rate))
            one.transport.write(made(sent))
            sent += 1
        await asyncio.sleep(0.001)
    end = loop.time() + wait
    while any(one.due for one in senders) and loop.time() < end:
        await asyncio.sleep(0.05)
    for one in senders:
        one.transport.close()
    return answers, sent


def send(
    ports: Sequence[int], made: Callable[[int], bytes], rate: float, seconds: float, *,
    connections: int = 256, wait: float = 30.0, most: int = 0,
) -> tuple[list[Answered], int]:  # fmt: skip
    """What `made` gives for each number, so many a second; the answers, and how many were sent. `wait`: for
    how long the last may be out; `most`: how many may be out at a time, 0 is any."""
    return uvloop.run(_send(ports, made, rate, seconds, connections, wait, most))


def statuses(answers: Sequence[Answered]) -> dict[int, int]:
    """How many came of each."""
    return dict(Counter(one.status for one in answers))


def percentile(values: Sequence[float], share: float) -> float:
    """Of values in any order; 0 of none."""
    return sorted(values)[min(int(len(values) * share), len(values) - 1)] if values else 0.0
