"""One writer at a time: files locked with flock, which the kernel releases however a process ends."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_filter.errors import Misconfigured

#: How often a part tries to hold what another may only be asking about.
_ASKED = 20


@contextmanager
def pipeline(data: Path, *, quiet: bool = False) -> Iterator[None]:
    """Hold DATA/pipeline.lock while facts, reports or publication are written; waits for whoever has it."""
    data.mkdir(parents=True, exist_ok=True)
    file = os.open(data / "pipeline.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not quiet:
                print(
                    "another job is writing in this data folder; waiting for it", file=sys.stderr, flush=True
                )
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold DATA/up.lock for as long as `throng up` runs. Raises Misconfigured where another one does, or a
    part by itself."""
    data.mkdir(parents=True, exist_ok=True)
    file = os.open(data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Misconfigured(
                "--data",
                str(data),
                "another `throng up`, or a part of it, runs in this folder; stop it first",
            ) from None
        yield
    finally:
        os.close(file)


@contextmanager
def together(data: Path) -> Iterator[None]:
    """Hold DATA/up.lock with others, for as long as a part runs by itself (a container, a unit)."""
    data.mkdir(parents=True, exist_ok=True)
    file = os.open(data / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _held(file, fcntl.LOCK_SH)  # or `throng up` has it, which says the same
        yield
    finally:
        os.close(file)


@contextmanager
def shown(data: Path, port: int) -> Iterator[None]:
    """Hold DATA/pages.lock, which says at which port of this machine the pages are, as long as they are."""
    file = os.open(data / "pages.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if _held(file, fcntl.LOCK_EX):  # else other pages of this folder have said where they are
            os.ftruncate(file, 0)
            os.pwrite(file, str(port).encode(), 0)
        yield
    finally:
        os.close(file)


def pages(data: Path) -> int | None:
    """The port of this machine at which the pages of that folder are now; None where they are not."""
    try:
        file = os.open(data / "pages.lock", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        said = os.pread(file, 8, 0)
        return int(said) if said else None
    finally:
        os.close(file)
    return None


def _held(file: int, how: int) -> bool:
    """Whether it could be had; somebody who only asks has it for a moment."""
    for _ in range(_ASKED):
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(0.05)
    return False


def running(data: Path) -> bool:
    """Whether a `throng up`, or a part by itself, runs in this folder. To ask makes no folder."""
    if not (data / "up.lock").exists():
        return False
    try:
        with alone(data):
            return False
    except Misconfigured:
        return True
