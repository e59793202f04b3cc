"""Group commit: a commit that the log finds too large comes again in smaller ones, and nothing is lost."""

from __future__ import annotations

import asyncio
import errno

from ingest.gather import Gather
from ingest.log import Offset
from ingest.log.memory import MemoryLog
from ingest.log.record import Record
from ingest.metrics import Metrics
from tests.ingest.test_clicks import landed, make


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
