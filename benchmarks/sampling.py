"""What the system says of a process again and again, and whether its memory grows."""

from __future__ import annotations

import itertools
import json
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

#: Share of a run, and seconds at most, that nothing is said of: caches fill.
_WARM, _WARM_MOST = 0.25, 1500.0
_TICKS = os.sysconf("SC_CLK_TCK")


def sampled(pid: int) -> dict[str, float]:
    """MiB resident, shared out, and its own alone; open files, threads, seconds of processor time."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.partition(":")[0]: int(line.split()[1]) for line in rollup}
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    found = {name.lower(): round(kib[name] / 1024, 2) for name in ("Rss", "Pss", "Anonymous")}
    cpu = (int(stat[11]) + int(stat[12])) / _TICKS
    return found | {"files": len(os.listdir(f"/proc/{pid}/fd")), "threads": int(stat[17]), "cpu": cpu}


def gauges(data: Path) -> dict[str, float]:
    """What the pipeline has said of itself; nothing before its first pass."""
    try:
        lines = [line.rpartition(" ") for line in (data / "metrics.prom").read_text().splitlines()]
    except OSError:
        return {}
    told = {name: float(value) for name, _, value in lines if not name.startswith("#")}
    names = {
        "lag": "throng_lag_records", "apart": "throng_balance_difference", "pass": "throng_pass_seconds",
        "failures": "throng_pass_failures", "open": "throng_removals_open",
    }  # fmt: skip
    found = {short: told[name] for short, name in names.items() if name in told}
    if "throng_published_timestamp_seconds" in told:
        found["age"] = round(time.time() - told["throng_published_timestamp_seconds"], 1)
    return found


def size(folder: Path) -> float:
    """MiB of the files below."""
    total = 0
    for one in folder.rglob("*"):
        with suppress(OSError):
            total += one.stat().st_size
    return round(total / 2**20, 1)


def slope(points: Iterable[tuple[float, float]]) -> float:
    """By Theil and Sen: the median of the slopes between any two, which a few peaks do not move."""
    pairs = itertools.combinations(list(points), 2)
    return statistics.median([(b[1] - a[1]) / (b[0] - a[0]) for a, b in pairs if b[0] > a[0]] or [0.0])


def report(file: Path) -> Iterator[str]:
    """Lines for people: MiB an hour of each process after the warm-up, by medians of a minute, over all of it
    and over its second half. Flat is less than 2 % of what it holds, or than 4 MiB, an hour, in that half."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    samples = [one for one in lines if "t" in one]
    last = samples[-1]
    warm = min(last["t"] * _WARM, _WARM_MOST)
    had = [one for one in samples if one["t"] >= warm]
    events = (last["acknowledged"] - had[0]["acknowledged"]) or 1
    yield (
        f"{last['t'] / 3600:.2f} h, {last['acknowledged']:,} events acknowledged; the last sample: "
        + ", ".join(f"{name} {value}" for name, value in last.items() if not isinstance(value, dict))
    )
    for name in (name for name, value in last.items() if isinstance(value, dict)):
        points = _minutes([one for one in had if name in one], name)
        half = points[len(points) // 2 :]
        growth, late = slope(points) * 3600, slope(half) * 3600
        holds = statistics.median(value for _, value in half)
        flat = "flat" if late < max(0.02 * holds, 4.0) else "GROWS"
        per = growth / 3600 * (last["t"] - warm) * 2**20 / events
        cpu = (last[name]["cpu"] - had[0][name]["cpu"]) / max(last["t"] - had[0]["t"], 1)
        ends = {what: [had[0][name][what], last[name][what]] for what in ("files", "threads", "rss", "pss")}
        yield (
            f"{name:10} {flat:5} {growth:+7.1f} MiB/h, then {late:+7.1f}, of {holds:.0f} MiB"
            f" ({per:+.1f} bytes an event), {cpu:.1%} of a core, {ends}"
        )
    for one in lines:
        if "wrong" in one:
            yield f"wrong: {one['wrong'] or 'nothing'}; {one['balance']}"


def _minutes(samples: list[dict[str, Any]], name: str) -> list[tuple[float, float]]:
    minutes = itertools.groupby(samples, lambda one: one["t"] // 60)
    return [(at * 60, statistics.median(one[name]["anonymous"] for one in some)) for at, some in minutes]
