"""Group commit: what arrives while one batch is being made durable is the next batch; then all are answered.

No request waits on a timer of its own. A commit starts when the last is done; a small batch waits a few
milliseconds for company, because a commit costs the same for one request as for a hundred.

Where more comes than the log takes, what waits is bounded by time, and a commit by how long it may take: both
would grow, each with the other, until every commit is given up as too slow and all of it comes again. It is
bounded by bytes, too: one request may be a thousand times as large as another.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import time
from bisect import bisect_left
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
#: Seconds that a commit should take at most: after one that took longer the next are of fewer requests.
SLOW = 1.0
#: How often a batch is decided anew, whose people somebody else was first to name or has heard of.
_AGAIN = 5


class Gather:
    """Belongs to one event loop. `tell` is called once for each request, when its fate is durable. `most`
    requests of `most_bytes` in all wait at a time, for `patience` seconds; whoever comes then is told to come
    back. One request may wait however large it is: what one may be is `max_body`'s.
    """

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
        patience: float = 2.0,
        most_bytes: int = 64 << 20,
    ) -> None:
        self._path, self._log, self._ledger, self._metrics = path, log, ledger, metrics
        self._gap, self._most, self._broken, self._patience = gap, most, broken, patience
        self._most_bytes = most_bytes
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "commit")
        self._requests: list[Request] = []
        self._tells: list[Tell] = []
        #: When each of them came.
        self._came: list[float] = []
        #: Bytes that had come when each of them had, since the start; and what of those waits no more.
        self._upto: list[int] = []
        self._gone = 0
        self._counts = Counts()
        #: Requests in one commit: fewer after a record that was too large for the log, or that it took too
        #: long over, until it goes well.
        self._at_once, self._too_large = most, False
        self._busy = False
        self._soon: asyncio.Handle | None = None
        self._last = 0.0
        self._idle = asyncio.Event()

    def add(self, request: Request, tell: Tell) -> None:
        """Take a request into the next batch."""
        now, upto = self._loop.time(), self._gone + self.held + request.size
        if len(self._requests) >= self._most or (
            self._requests and (upto > self._gone + self._most_bytes or now - self._came[0] > self._patience)
        ):
            self._turn_away(request, tell)
            return
        self._requests.append(request)
        self._tells.append(tell)
        self._came.append(now)
        self._upto.append(upto)
        if not self._busy and (self._soon is None or len(self._requests) == ENOUGH):
            self._arrange()

    @property
    def held(self) -> int:
        """Bytes that wait, but for the commit under way."""
        return self._upto[-1] - self._gone if self._upto else 0

    def _drop(self, n: int) -> None:
        """The first `n` wait no more."""
        if n:
            self._gone = self._upto[n - 1]
            del self._requests[:n], self._tells[:n], self._came[:n], self._upto[:n]

    def _turn_away(self, request: Request, tell: Tell) -> None:
        led = self._path.led(request)
        self._metrics.clicks_lost += led is not None
        tell(led or UNWRITABLE)

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
        n, extra = self._at_once, self._counts
        requests, tells, self._counts = self._requests[:n], self._tells[:n], Counts()
        taken = self.held
        self._drop(len(requests))
        self._metrics.waiting, self._metrics.waiting_bytes = len(requests), taken - self.held
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
        self._metrics.redacted = self._path.enrich.redacted
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
        took = self._loop.time() - self._last
        if self._too_large:
            self._at_once = max(len(tells) // 2, 1)
        elif took > SLOW:
            self._at_once = max(int(len(tells) * SLOW / took), 1)
        elif stored and took < SLOW / 2:
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
            if not self._too_large:
                self._give_up()
        self._too_large = False
        self._metrics.unwritable = not stored
        self._metrics.waiting, self._metrics.waiting_bytes = len(self._requests), self.held
        self._busy = False
        if self._requests or (self._counts and stored):
            self._arrange()
        else:
            self._idle.set()

    def _give_up(self) -> None:
        """Whoever has waited long enough for one commit in vain does not wait for the next."""
        n = bisect_left(self._came, self._loop.time() - self._patience)
        for request, tell in zip(self._requests[:n], self._tells[:n], strict=True):
            self._turn_away(request, tell)
        self._drop(n)

    async def drain(self) -> None:
        """Return when nothing is waiting any more."""
        while self._busy or self._requests:
            await asyncio.sleep(0.005)
        self._thread.shutdown()


def _say(text: str) -> None:
    """A line for the operator; where its own file is on the full disk, the work goes on without it."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
