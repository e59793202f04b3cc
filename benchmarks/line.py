"""The one shape of a measurement: a JSON line with the machine and the versions it was made on."""

from __future__ import annotations

import json
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

_VERSIONS = (
    "throng",
    "apache-beam",
    "duckdb",
    "msgspec",
    "numpy",
    "pyarrow",
    "uvicorn",
    "uvloop",
    "httptools",
)


def _processor() -> str:
    """The processor's name as Linux tells it; elsewhere what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


@cache
def machine() -> dict[str, Any]:
    """What a figure depends on: processor, cores this process may use, memory in GiB, operating system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        memory = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError, AttributeError):
        memory = None
    return {
        "processor": _processor(),
        "cores": cores,
        "memory_gib": memory,
        "system": f"{platform.system()} {platform.release()}",
    }


@cache
def versions() -> dict[str, str]:
    """Python and those of the libraries that do the work, as installed."""
    found = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def emit(
    bench: str, value: float, unit: str, *, against: str = "", ratio: float | None = None, n: int = 1
) -> None:
    """Print one line. `against` names the peer measured in the same run, `ratio` is value over the peer's.

    `n` is how many times it was measured; `value` is then the median. Four significant digits are kept:
    two shared cores do not give more.
    """
    line = {
        "bench": bench,
        "value": _short(value),
        "unit": unit,
        "against": against,
        "ratio": None if ratio is None else _short(ratio),
        "n": n,
        "machine": machine(),
        "versions": versions(),
    }
    print(json.dumps(line), file=sys.stdout, flush=True)


def _short(value: float) -> float:
    return float(f"{value:.4g}")
