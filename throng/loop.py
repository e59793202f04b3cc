"""The pipeline part of `throng up`: facts, reports and publication in a loop, each pass a whole one.

A pass that fails changes nothing published; it is said once, written to status.json, and tried again later.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

from consent_filter.failure import describe
from throng import jobs, lines, lock, traces
from throng.gauges import Gauges

#: Seconds from the start of one pass to the start of the next, when passes are short.
EVERY = 2.0
#: Longest pause after failures, seconds.
LONGEST = 60.0


def write_status(data: Path, status: dict[str, object]) -> None:
    """Replace DATA/status.json in one step."""
    draft = data / "status.json.new"
    draft.write_text(json.dumps(status, indent=1))
    os.replace(draft, data / "status.json")


def run(data: Path, stop: Event, once: Callable[[Path], dict[str, object]] | None = None) -> None:
    """Pass after pass until `stop`. The pass that is running when `stop` comes is finished."""
    one = once or whole_pass
    failed, said, told = 0, "", Gauges(data)
    while not stop.is_set():
        begun = time.monotonic()
        try:
            with lock.pipeline(data, quiet=True):
                status = one(data)
            if failed:
                _say("pipeline: it runs again")
            failed, said = 0, ""
            status |= {"failure": None}
        except Exception as error:
            failed += 1
            status = {"failure": describe(error), "failed_passes": failed}
            if status["failure"] != said:
                said = str(status["failure"])
                _say(f"pipeline: {said}; what is published stays; trying again")
        took = time.monotonic() - begun
        try:
            status = {"at": time.time(), "seconds": round(took, 3), **status}
            write_status(data, status)
            told.write(status)
            lines.numbers("pass", **status)
        except OSError as error:
            _say(f"pipeline: status can't be written: {describe(error)}")
        _give_back()
        pause = max(EVERY - took, 0.1) if not failed else min(EVERY * 2**failed, LONGEST)
        stop.wait(pause)


def whole_pass(data: Path) -> dict[str, object]:
    """Rights, facts, reports, publication; then releases: what is due, and what has lost its ground."""
    stages: dict[str, Callable[[], dict[str, object]]] = {
        "rights": lambda: jobs.rights(data),
        "facts": lambda: jobs.facts(data),
        "reports": lambda: jobs.reports(data, live=True),
        "publish": lambda: jobs.publish(data),
        "releases": lambda: jobs.releases(data),
    }
    done, took = dict[str, object](), dict[str, float]()
    with traces.span("pass"):
        for name, stage in stages.items():
            begun = time.monotonic()
            with traces.span(name) as tell:
                said = done[name] = stage()
                tell(said)
            took[name] = round(time.monotonic() - begun, 3)
    return {**done, "stages": took}


def _give_back() -> None:
    """What a pass has freed goes back to the system where the C library is asked to: in pieces between what
    stays it would be kept, and each pass would find a little less of it."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _say(text: str) -> None:
    """A line for the operator; where its own file is on the full disk, the work goes on without it."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)
