"""`throng status`: lag, freshness, balance, versions, at a glance."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipelines.balance import lag
from throng import __version__, balance, lock
from warehouse import snapshot


def gather(data: Path) -> dict[str, Any]:
    """Everything that the command prints, as one JSON object. Times are UTC seconds."""
    try:
        last = json.loads((data / "status.json").read_text())
    except (OSError, ValueError):
        last = {}
    published = snapshot.manifest(data)
    return {
        "running": lock.running(data),
        "lag": lag(data),
        "last_pass": last,
        "published": published,
        "held": snapshot.held(data),
        "age_seconds": round(time.time() - published["time"], 1) if published else None,
        "balance": balance.whole(data),
        "versions": {
            "throng": __version__,
            **{name: version(name) for name in ("apache-beam", "duckdb", "pyarrow", "msgspec")},
        },
    }


def table(found: dict[str, Any]) -> str:
    """The same for people."""
    published, last, lags = found["published"], found["last_pass"], found["lag"]
    lines = [
        f"running    {'yes' if found['running'] else 'no'}",
        f"log        {lags['bytes']:,} bytes wait to become facts",
    ]
    if published:
        lines.append(f"published  generation {published['generation']}, {found['age_seconds']:.0f} s ago")
    else:
        lines.append("published  nothing yet")
    if held := found["held"]:
        lines.append(f"HELD BACK  since {_clock(held['since'])}, by the checks; what is published stays")
        lines += [f"           {one}" for one in held["failures"]]
        lines.append(f"           the whole validation: {held['docs']}")
    if last.get("failure"):
        lines.append(f"FAILING    {last['failure']}; what is published stays")
    lines.append(balance.table(found["balance"]))
    lines.append("versions   " + ", ".join(f"{name} {v}" for name, v in found["versions"].items()))
    return "\n".join(lines)


def main(arguments: Namespace) -> int:
    found = gather(arguments.data)
    print(json.dumps(found, default=str) if arguments.format == "json" else table(found))
    return 1 if found["last_pass"].get("failure") or found["held"] else 0


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
