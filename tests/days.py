"""What is expected of one day is done within it: a test that midnight would fall into begins after it."""

from __future__ import annotations

import time

_DAY = 86_400


def within_one(seconds: float) -> None:
    """Wait for the next day (UTC) where this one ends sooner than that: what a test that reads the day itself
    takes, at most. A run waits once a day."""
    left = _DAY - time.time() % _DAY
    if left < seconds:
        time.sleep(left + 0.1)
