"""A collector among several: a thread hears what is said at the others, and tells them what is said here.

A word of another collector is in this one's ledger a few milliseconds after it is in the topic. Where that
was not heard to its end within a second, no event is stored (503): somebody may have refused meanwhile.
What is said here binds here at once, and is told when it can be; whoever has said it learns which (`spread`).
"""

from __future__ import annotations

import sys
import threading
import time
from contextlib import suppress

from consent_filter.errors import Broken, Misconfigured
from consent_filter.failure import describe
from consent_filter.joint import JointLedger
from ingest.log.cluster import away
from ingest.log.words import Ear, Words

#: Seconds for which what was heard may be built on.
FRESH = 1.0
#: Seconds between attempts where brokers are away.
_PAUSE = 0.2
#: Seconds for which a collector goes on listening before it stores, where brokers were away: so long others
#: may take to tell what was said there meanwhile (a client tries again after at most one).
GRACE = 2.0


class Conferring:
    """Belongs to one ledger. `start` first; `close` ends the thread."""

    def __init__(self, ledger: JointLedger, words: Words) -> None:
        self._ledger, self._words = ledger, words
        self._over = threading.Event()
        self._news, self._telling = threading.Condition(), threading.Lock()
        #: Up to which offset everything is heard, and when that was last all that there was.
        self._until, self._whole = ledger.heard_until, float("-inf")
        #: Whether brokers were away since; from when on what is heard is believed to be all.
        self._away, self._back = False, float("-inf")
        #: How often was told what there was to tell: begun, and done.
        self._begun = self._done = 0
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self.failing = ""
        self._strangers = 0
        ledger.confer, ledger.spread, ledger.missed = self.confer, self.spread, self._missed

    def start(self) -> None:
        """Begin to hear: until everything was heard, nothing is stored."""
        self._thread.start()

    @property
    def fresh(self) -> bool:
        """Whether everything that was said until a second ago is known here."""
        now = time.monotonic()
        return now - self._whole < FRESH and now >= self._back

    def spread(self) -> bool:
        """Whether what is recorded by now is in the topic: waits a second at most."""
        if not self.fresh:
            return False
        with self._news:
            next = self._begun + 1
            return self._news.wait_for(lambda: self._done >= next, FRESH)

    def confer(self) -> bool:
        """Make new salts known, and wait until they have come back; whether all of them hold, and nothing was
        said while we waited for the topic. Raises OSError where it can't be heard."""
        version = self._ledger.version
        stale = not self.fresh
        if stale:
            self._wait(lambda: self.fresh)
            if self._ledger.version != version:
                return False
        if not self._ledger.unclaimed():
            return True
        self._tell()  # the words that the salts were given by come first
        claims = self._ledger.claims()
        if not claims:
            return False
        last = self._words.tell([told for _, _, told in claims])
        self._wait(lambda: self._until > last)
        holds = all(self._ledger.holds(one, salt) for one, salt, _ in claims)
        return holds and not self._ledger.unclaimed()

    def _wait(self, for_: object) -> None:
        with self._news:
            if not self._news.wait_for(for_, self._words.settings.timeout_s):  # type: ignore[arg-type]
                raise away(self.failing or "the ledger's topic is not heard in time")

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._words.check()
                with self._words.listening(self._ledger.heard_until) as ear:
                    self._said("")
                    while not self._over.is_set():
                        if self._hear(ear):
                            self._tell()
            except Exception as error:
                # Never another's message: it may hold what it choked on.
                ours = isinstance(error, Misconfigured | OSError | Broken)
                self._said(str(error) if ours else describe(error))
                self._over.wait(_PAUSE)

    def _said(self, failing: str) -> None:
        """A line for the operator, when it changes."""
        if failing != self.failing:
            _line(failing or "heard again")
        self.failing = failing
        self._away |= bool(failing)

    def _missed(self, place: int, up: bool) -> None:
        name = f"{self._ledger.topic}-0@{place}"
        refused = "whoever it is about is refused everything until it is said again"
        _line(f"{name} can't be read; {'given up, as [log] skip says' if up else refused}")

    def _hear(self, ear: Ear) -> bool:
        """Whether everything is heard: only then is known what there is to tell."""
        heard, whole = ear.poll()
        if heard:
            self._ledger.hear(heard)
        if ear.strangers > self._strangers:
            self._strangers = ear.strangers
            _line(f"{ear.strangers} messages of somebody else in {self._ledger.topic} are left out")
        if heard or whole is not None:
            with self._news:
                self._until = ear.at
                if whole is not None:
                    if self._away:
                        self._away, self._back = False, time.monotonic() + GRACE
                    self._whole = whole
                self._news.notify_all()
        return whole is not None

    def _tell(self) -> None:
        self._ledger.refresh()
        with self._telling:
            with self._news:
                self._begun += 1
            while rows := self._ledger.untold():
                self._words.tell(self._ledger.messages(rows))
                self._ledger.told(rows)
            self._words.turn()
            with self._news:
                self._done = self._begun
                self._news.notify_all()

    def close(self) -> None:
        """End the thread, having told what there is to tell where that can be done."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(self._words.settings.timeout_s + 2)
        with suppress(OSError, Misconfigured):
            if self.fresh:
                self._tell()
        self._words.close()


def _line(says: str) -> None:
    with suppress(OSError):
        print(f"ledger: {says}", file=sys.stderr, flush=True)
