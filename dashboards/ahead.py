"""Makes again what was asked for lately as soon as it is out of date, so that nobody waits for it.

One thread, beside those that answer, and only while somebody looks: what nobody has asked for in some minutes
is not made, and where nothing was, the thread sleeps.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

A = TypeVar("A")
M = TypeVar("M")

#: Seconds for which something is made again after it was asked for, and how many things at most.
LATELY, MOST = 180.0, 64
#: Seconds between looks at whether it is another moment.
EVERY = 0.1


class Ahead(Generic[A, M]):
    """now: the moment that things are made of, None where there is nothing to make. make: makes one."""

    def __init__(self, now: Callable[[], M | None], make: Callable[[A, M], None]) -> None:
        self._now, self._make = now, make
        self._lock, self._wake, self._stop = threading.Lock(), threading.Event(), threading.Event()
        #: What was asked for, and when (monotonic); the latest at the end.
        self._asked: OrderedDict[Hashable, tuple[float, A]] = OrderedDict()
        self._thread: threading.Thread | None = None

    @property
    def runs(self) -> bool:
        """Whether what is out of date is being made again."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """What is being made is finished first."""
        self._stop.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(5.0)

    def note(self, key: Hashable, asked: A) -> None:
        """Somebody has asked for it."""
        with self._lock:
            self._asked[key] = time.monotonic(), asked
            self._asked.move_to_end(key)
            while len(self._asked) > MOST:
                self._asked.popitem(last=False)
        self._wake.set()

    def lately(self) -> list[A]:
        """What was asked for lately, the latest first."""
        since = time.monotonic() - LATELY
        with self._lock:
            for key in [key for key, (at, _) in self._asked.items() if at < since]:
                del self._asked[key]
            return [one for _, one in reversed(self._asked.values())]

    def _run(self) -> None:
        last = self._now()
        while not self._stop.wait(EVERY):
            now = self._now()
            if now != last and now is not None:
                self.again(now)
            last = now
            self._wake.clear()
            if not self.lately():
                self._wake.wait()

    def again(self, now: M) -> None:
        """Make all of it, unless it is another moment before that is done."""
        for one in self.lately():
            if self._stop.is_set() or self._now() != now:
                return
            with suppress(Exception):  # whoever asks for it next is told what is wrong
                self._make(one, now)
