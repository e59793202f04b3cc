"""Ends statements that take too long: one thread for all of them.

A timer for each statement is a thread for each: 0.2 to 4 ms on a busy machine, where the statement itself
takes two (benchmarks/README.md).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

#: Seconds between interruptions of one that goes on: one that comes between two steps is not heard.
_AGAIN = 0.1


class Interruptible(Protocol):
    """A connection of DuckDB."""

    def interrupt(self) -> None: ...


class Watch:
    """seconds: how long a statement may take."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._changed = threading.Condition()
        self._until: dict[object, tuple[float, Interruptible]] = {}
        self._thread: threading.Thread | None = None

    @contextmanager
    def over(self, connection: Interruptible) -> Iterator[None]:
        """Within, the connection is interrupted after so long; never once it is left."""
        mine = object()
        with self._changed:
            # All have as long, so the first of them is always the next that is due.
            self._until[mine] = time.monotonic() + self._seconds, connection
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
                self._thread.start()
            elif len(self._until) == 1:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                del self._until[mine]

    def close(self) -> None:
        """Watch no more."""
        with self._changed:
            self._thread = None
            self._changed.notify()

    def _run(self) -> None:
        with self._changed:
            while self._thread is threading.current_thread():
                now = time.monotonic()
                first = next(iter(self._until.values()), None)
                if first is None:
                    self._changed.wait()
                elif first[0] > now:
                    self._changed.wait(first[0] - now)
                else:
                    for until, connection in self._until.values():
                        if until <= now:
                            connection.interrupt()
                    self._changed.wait(_AGAIN)
