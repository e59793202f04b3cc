"""`throng expire`: look after facts once, and say what was taken away, by reason (M79)."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from throng import lock
from throng.settings import load
from warehouse.lake import Lake
from warehouse.purges import purges


def main(arguments: Namespace) -> int:
    if arguments.past:
        found = past(arguments.data)
        print(json.dumps(found) if arguments.format == "json" else _past(found))
        return 0
    done = once(arguments.data)
    print(json.dumps(done) if arguments.format == "json" else table(done))
    return 0


def once(data: Path) -> dict[str, Any]:
    """One run, with what readers no longer need removed from the disk. Waits for pipeline.lock."""
    from pipelines import expire as job

    settings = load(data)
    with lock.pipeline(data):
        done = job.run(data, settings.pipelines, packs={site.pack for site in settings.site})
        done.removed = job.forget(data, settings.pipelines)
    found: dict[str, Any] = msgspec.to_builtins(done)
    return found


def past(data: Path) -> list[dict[str, Any]]:
    """What earlier runs took away, the newest first."""
    lake = Lake.open(data)
    if lake is None:
        return []
    try:
        return purges(lake.connection)
    finally:
        lake.close()


def table(done: dict[str, Any]) -> str:
    """One run, for people."""
    lines = [
        f"rows deleted: {done['deleted']}  files rewritten: {done['merged']} into {done['written']}"
        f"  files removed: {done['removed']}"
    ]
    lines += [_line(reason, one) for reason, one in done["purged"].items()]
    return "\n".join(lines)


def _past(found: list[dict[str, Any]]) -> str:
    if not found:
        return "nothing has been taken away yet"
    when = lambda at: time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))  # noqa: E731
    return "\n".join(f"{when(one['at'])}  {_line(one['reason'], one)}" for one in found)


def _line(reason: str, one: dict[str, Any]) -> str:
    return (
        f"{reason:10} {one['rows']:>12,} rows {one['values']:>12,} values"
        f" {one['files']:>6,} files {one['bytes']:>14,} bytes"
    )
