"""What was made once and is asked for again: kept within so many bytes, and made by one thread at a time.

Whoever puts something here says by its key all that it depends on; nothing is ever looked at for being old.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Generic, TypeVar

V = TypeVar("V")


class Shelf(Generic[V]):
    """most: bytes. What nobody has asked for the longest goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[V, int]] = OrderedDict()
        self._making: dict[Hashable, Future[V]] = {}

    def get(self, key: Hashable) -> V | None:
        """What is kept, or None."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, value: V, size: int) -> None:
        """Keep it. size: about how many bytes it takes; what would take an eighth of all is not kept."""
        if size > self._most // 8:
            return
        with self._lock:
            if (old := self._kept.pop(key, None)) is not None:
                self._size -= old[1]
            self._kept[key] = value, size
            self._size += size
            while self._size > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._size -= gone

    def made(self, key: Hashable, make: Callable[[], V], size: Callable[[V], int]) -> V:
        """What is kept, or is made now; who asks for what is being made waits for it. Raises what `make`
        raises, to everyone who waits, and keeps nothing then."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[0]
            flight = self._making.get(key)
            if flight is None:
                mine = self._making[key] = Future[V]()
        if flight is not None:
            return flight.result()
        try:
            value = make()
            self.put(key, value, size(value))
            mine.set_result(value)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._making[key]
        return value
