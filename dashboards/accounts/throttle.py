"""How often something may be tried: in the memory of this process, by a hash, so that no address is written.

After a few failures each further try has to wait twice as long. Who waits is answered before anything is
looked at, whether the name is somebody's or nobody's, and the password right or wrong.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from consent_filter.errors import Refused

#: Names and places that are remembered; the oldest goes first. Seconds after which failures are forgotten.
_MOST, _FORGOTTEN = 20_000, 3600.0
#: Seconds that a try has to wait, the first time and at most.
_FIRST, _LONGEST = 15.0, 900.0


class Throttle:
    """free: failures before the first wait. now: seconds, of a clock that only goes on."""

    def __init__(self, free: int, now: Callable[[], float] = time.monotonic) -> None:
        self._free, self._now = free, now
        self._key, self._lock = secrets.token_bytes(16), threading.Lock()
        self._failed: OrderedDict[bytes, tuple[int, float]] = OrderedDict()

    def take(self, *whose: str) -> None:
        """One more try for each of these, counted as failed until `cleared`. Raises Refused (429) where one
        of them has to wait. Counted beforehand, or many tries at once would all be free."""
        now, keys = self._now(), [self._hash(one) for one in whose]
        with self._lock:
            wait = max((self._wait(key, now) for key in keys), default=0.0)
            if wait > 0:
                minutes = int(wait // 60) + 1
                raise Refused(
                    429, "too_often", "too many tries: wait {minutes} min, then try again", minutes=minutes
                )
            for key in keys:
                n, last = self._failed.pop(key, (0, now))
                self._failed[key] = (1 if now - last > _FORGOTTEN else n + 1, now)
            while len(self._failed) > _MOST:
                self._failed.popitem(last=False)

    def cleared(self, *whose: str) -> None:
        """That try was right: it counts for nothing."""
        with self._lock:
            for one in whose:
                self._failed.pop(self._hash(one), None)

    def _wait(self, key: bytes, now: float) -> float:
        n, last = self._failed.get(key, (0, now))
        over = n - self._free
        return 0.0 if over < 0 else last + min(_FIRST * 2.0 ** min(over, 12), _LONGEST) - now

    def _hash(self, one: str) -> bytes:
        return blake2b(one.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()


class Pace:
    """So many a minute for each name: a bucket that fills again (API keys)."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now, self._lock = now, threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, whose: str, per_minute: int) -> float:
        """0 where this one may go; else the seconds to wait."""
        now = self._now()
        with self._lock:
            left, last = self._left.pop(whose, (float(per_minute), now))
            left = min(float(per_minute), left + (now - last) * per_minute / 60)
            gone = left >= 1
            self._left[whose] = (left - 1 if gone else left, now)
            while len(self._left) > _MOST:
                self._left.popitem(last=False)
        return 0.0 if gone else (1 - left) * 60 / per_minute
