"""Group commit: what arrives while one batch is being made durable is the next batch; then all are answered.

No request waits on a timer of its own. A commit starts when the last is done; a small batch waits a few
milliseconds for company, because a commit costs the same for one request as for a hundred.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from consent_filter.counts import Counts
from consent_filter.errors import Broken, Misconfigured
from consent_filter.ledger import Ledger
from ingest.log import Log
from ingest.log.record import Record
from ingest.metrics import Metrics
from ingest.path import Path
from ingest.request import Answer, Request

Tell = Callable[[Answer], None]

UNWRITABLE = Answer(503, b'{"error":{"code":"unavailable","message":"nothing can be stored now; try again"}}')
BROKEN = Answer(500, b'{"error":{"code":"broken","message":"the collector has stopped; try again"}}')
#: From this many requests on, a batch is worth a commit of its own at once.
ENOUGH = 64
#: How often a batch is decided anew, whose people somebody else was first to name or has heard of.
_AGAIN = 5


class Gather:
    """Belongs to one event loop. `tell` is called once for each request, when its fate is durable."""

    def __init__(
        self,
        path: Path,
        log: Log,
        ledger: Ledger,
        metrics: Metrics,
        *,
        gap: float,
        most: int,
        broken: Callable[[], None],
    ) -> None:
        self._path, self._log, self._ledger, self._metrics = path, log, ledger, metrics
        self._gap, self._most, self._broken = gap, most, broken
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "commit")
        self._requests: list[Request] = []
        self._tells: list[Tell] = []
        self._counts = Counts()
        #: Requests in one commit: fewer after a record that was too large for the log, until it goes well.
        self._at_once, self._too_large = most, False
        self._busy = False
        self._soon: asyncio.Handle | None = None
        self._last = 0.0
        self._idle = asyncio.Event()

    def add(self, request: Request, tell: Tell) -> None:
        """Take a request into the next batch."""
        if len(self._requests) >= self._most:
            led = self._path.led(request)
            self._metrics.clicks_lost += led is not None
            tell(led or UNWRITABLE)
            return
        self._requests.append(request)
        self._tells.append(tell)
        if not self._busy and (self._soon is None or len(self._requests) == ENOUGH):
            self._arrange()

    def count(self, counts: Counts) -> None:
        """Take counts of requests that were refused before they could be parsed."""
        self._counts.update(counts)
        if not self._busy and self._soon is None:
            self._arrange()

    def _arrange(self) -> None:
        if self._soon is not None:
            self._soon.cancel()
        wait = self._last + self._gap - self._loop.time()
        if wait <= 0 or len(self._requests) >= ENOUGH:
            self._soon = self._loop.call_soon(self._commit)
        else:
            self._soon = self._loop.call_later(wait, self._commit)

    def _commit(self) -> None:
        self._soon = None
        requests, tells, extra = self._requests, self._tells, self._counts
        self._requests, self._tells, self._counts = [], [], Counts()
        if len(requests) > self._at_once:
            self._requests, self._tells = requests[self._at_once :], tells[self._at_once :]
            requests, tells = requests[: self._at_once], tells[: self._at_once]
        self._busy, self._last = True, self._loop.time()
        self._idle.clear()
        self._decide(requests, tells, extra, _AGAIN)

    def _decide(self, requests: list[Request], tells: list[Tell], extra: Counts, again: int) -> None:
        self._ledger.decided = self._ledger.version
        try:
            record, answers = self._path.run(requests) if requests else (self._path.nothing(), [])
        except Broken as error:
            _say(f"collector: {error}")
            for tell in tells:
                tell(BROKEN)
            self._broken()
            return
        if extra:
            counts = Counts(record.counts)
            counts.update(extra)
            record = Record(record.events, counts)
        self._metrics.waiting, self._metrics.redacted = len(requests), self._path.enrich.redacted
        begun = time.perf_counter()
        future = self._loop.run_in_executor(self._thread, self._store, record)

        def done(stored: asyncio.Future[bool | None]) -> None:
            if stored.result() is None and again:
                self._decide(requests, tells, extra, again - 1)
            else:
                self._done(bool(stored.result()), record, answers, tells, extra, begun)

        future.add_done_callback(done)

    def _store(self, record: Record) -> bool | None:
        """On the commit thread: durable, or False. Salts first, so that no pseudonym is without its own.
        None: what was decided by holds no longer."""
        try:
            if not self._ledger.flush():
                return None
            self._log.append(record)
            return True
        except Exception as error:  # disk full, read-only, gone: the answer is 503 whichever it is
            if not self._metrics.unwritable:
                why = str(error) if isinstance(error, Misconfigured) else type(error).__name__
                if isinstance(error, OSError) and error.errno == errno.EHOSTUNREACH:
                    why = str(error.strerror)  # ours: which brokers are away
                _say(f"collector: nothing can be stored ({why}); answering 503")
            self._too_large = isinstance(error, OSError) and error.errno == errno.EMSGSIZE
            return False

    def _done(
        self,
        stored: bool,
        record: Record,
        answers: list[Answer],
        tells: list[Tell],
        extra: Counts,
        begun: float,
    ) -> None:
        if self._too_large:
            self._at_once, self._too_large = max(len(tells) // 2, 1), False
        elif stored:
            self._at_once = min(2 * self._at_once, self._most)
        if stored:
            if self._metrics.unwritable:
                _say("collector: storing again")
            self._metrics.add(record.counts)
            self._metrics.commits.add(time.perf_counter() - begun)
            for tell, answer in zip(tells, answers, strict=True):
                tell(answer)
        else:
            self._counts.update(extra)
            for tell, answer in zip(tells, answers, strict=True):
                # Whoever clicked goes on: they can't come back for our disk, and would not send it again.
                self._metrics.clicks_lost += bool(answer.leads)
                tell(answer if answer.leads else UNWRITABLE)
        self._metrics.unwritable, self._metrics.waiting = not stored, len(self._requests)
        self._busy = False
        if self._requests or (self._counts and stored):
            self._arrange()
        else:
            self._idle.set()

    async def drain(self) -> None:
        """Return when nothing is waiting any more."""
        while self._busy or self._requests:
            await asyncio.sleep(0.005)
        self._thread.shutdown()


def _say(text: str) -> None:
    """A line for the operator; where its own file is on the full disk, the work goes on without it."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
