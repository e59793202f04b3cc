"""Group commit: what is too large or too slow for the log comes in smaller commits; waiting has an end."""

from __future__ import annotations

import asyncio
import errno
import threading

import pytest
from msgspec.structs import replace

from consent_filter.counts import RECEIVED, STORED
from ingest import gather as gathering
from ingest.gather import Gather
from ingest.log import Offset
from ingest.log.memory import MemoryLog
from ingest.log.record import Record
from ingest.metrics import Metrics
from ingest.request import Answer, Browser
from tests.ingest.test_clicks import BROWSER, landed, make


class _Narrow(MemoryLog):
    """A log that takes two events at a time."""

    def append(self, record: Record) -> Offset:
        if record.events.n > 2:
            raise OSError(errno.EMSGSIZE, "the record is too large")
        return super().append(record)


def test_a_commit_that_is_too_large_comes_again_in_smaller_ones() -> None:
    path, log, stored, sent = make(), _Narrow(), set[int](), 0

    async def send() -> None:
        nonlocal sent
        gather = Gather(path, log, path.ledger, Metrics(), gap=0, most=99, broken=lambda: None)
        while len(stored) < 12:
            for n in {*range(12)} - stored:
                gather.add(landed(path, f"v{n}"), lambda answer, n=n: answer.status == 202 and stored.add(n))
                sent += 1
            while gather._busy or gather._requests:
                await asyncio.sleep(0.001)
        await gather.drain()

    asyncio.run(asyncio.wait_for(send(), 20))
    assert sum(record.events.n for _, record in log.read({})) == 12
    assert sent <= 5 * 12


class _Slow(MemoryLog):
    """A log that takes nothing until it is told to, and then refuses what `refuses` says."""

    def __init__(self) -> None:
        super().__init__()
        self.takes, self.refuses, self.asked = threading.Event(), False, 0

    def append(self, record: Record) -> Offset:
        self.asked += 1
        assert self.takes.wait(20)
        if self.refuses:
            raise OSError(errno.EHOSTUNREACH, "nobody is there")
        return super().append(record)


@pytest.mark.parametrize("refuses", [False, True])
def test_waiting_has_an_end_where_the_log_is_slow(refuses: bool) -> None:
    """Not only of how many wait, but of for how long: else both grow until nobody gets an answer in time."""
    path, log, told = make(), _Slow(), dict[str, int]()
    log.refuses = refuses

    async def send() -> None:
        gather = Gather(path, log, path.ledger, Metrics(), gap=0, most=99, broken=lambda: None, patience=0.02)
        for who in ("first", "second", "third"):
            gather.add(landed(path, who), lambda answer, who=who: told.update({who: answer.status}))
            await asyncio.sleep(0.05)
        assert told == {"third": 503}, "it was told at once; the first is being stored, the second waits"
        log.takes.set()
        await gather.drain()

    asyncio.run(asyncio.wait_for(send(), 20))
    first = 503 if refuses else 202
    assert told == {"third": 503, "first": first, "second": first}
    assert log.asked == (1 if refuses else 2), "whoever waited for one in vain does not wait for the next"
    assert sum(record.events.n for _, record in log.read({})) == 2 * (not refuses)


def test_after_a_commit_that_took_long_the_next_is_of_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    path, log, stored = make(), _Slow(), list[int]()

    async def send() -> None:
        gather = Gather(path, log, path.ledger, Metrics(), gap=0, most=99, broken=lambda: None)

        async def four(first: float) -> None:
            for n in range(4):
                gather.add(landed(path, f"v{n}"), lambda answer: stored.append(answer.status))
            await asyncio.sleep(first)
            while log.takes.is_set() and (gather._busy or gather._requests):
                await asyncio.sleep(0.001)

        await four(0.01)
        monkeypatch.setattr(gathering, "SLOW", 0.0)  # any commit took too long
        asyncio.get_running_loop().call_later(0.05, log.takes.set)
        await four(0.1)
        monkeypatch.setattr(gathering, "SLOW", 9.0)  # none did
        for _ in range(4):
            await four(0.0)
        await gather.drain()

    asyncio.run(asyncio.wait_for(send(), 20))
    sizes = [record.events.n for _, record in log.read({})]
    assert stored == [202] * 24
    assert sizes[:5] == [4, 1, 1, 1, 1]
    assert sizes[-1] == 4, "and of more, when it goes well"


@pytest.mark.parametrize("refuses", [False, True])
def test_waiting_has_an_end_in_bytes(refuses: bool) -> None:
    """A request may be 256 KiB, and twenty thousand of those are five gigabytes. Each is told once, at once
    where it has no room; a small one still finds it; one alone is taken however large it is."""
    path, log, metrics, told = make(), _Slow(), Metrics(), dict[int, list[int]]()
    log.refuses = refuses
    right: set[bool] = set()
    sizes = [400, 9000, 300, 2000, 2001, 1000, 500, 600, 9000, 450]

    def send(gather: Gather, n: int, size: int, browser: Browser) -> None:
        request = replace(landed(path, f"v{n}"), browser=browser)
        request = replace(request, body=request.body.ljust(size - browser.unshared))
        assert request.size == size

        def tell(answer: Answer) -> None:
            told.setdefault(n, []).append(answer.status)
            right.add(gather.held == sum(request.size for request in gather._requests))

        gather.add(request, tell)

    async def run() -> None:
        gather = Gather(path, log, path.ledger, metrics, gap=0, most=99, broken=lambda: None, most_bytes=4000)
        send(gather, 0, 9000, BROWSER)  # alone
        await asyncio.sleep(0.02)
        assert (metrics.waiting, metrics.waiting_bytes, gather.held) == (1, 9000, 0)
        # Its headers are a request's own where they are too long to be remembered.
        for n, size in enumerate(sizes, 1):
            send(gather, n, size, replace(BROWSER, unshared=150) if n % 2 else BROWSER)
            assert gather.held <= 4000
        assert {n for n, statuses in told.items() if statuses == [503]} == {2, 5, 7, 8, 9, 10}
        assert gather.held == 400 + 300 + 2000 + 1000
        gather._at_once = 1  # as after a slow commit: not all that waits goes at once
        log.takes.set()
        while gather._busy or gather._requests:
            await asyncio.sleep(0.001)
        assert (metrics.waiting, metrics.waiting_bytes, gather.held) == (0, 0, 0)
        log.refuses = False
        send(gather, 99, 4000, BROWSER)  # there is room again
        await gather.drain()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert all(len(statuses) == 1 for statuses in told.values())
    assert (len(told), right) == (12, {True})
    answered = sum(statuses == [202] for statuses in told.values())
    assert answered == (1 if refuses else 6)
    assert sum(record.events.n for _, record in log.read({})) == answered
    assert metrics.events == {(RECEIVED, ""): answered, (STORED, ""): answered}
