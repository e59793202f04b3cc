"""Each job once: `throng facts`, `throng reports`, `throng publish`."""

from __future__ import annotations

import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import msgspec

from throng import lock, placing
from throng.settings import load


def rights(data: Path, *, at_once: bool = False) -> dict[str, Any]:
    """Carry out what was asked for and proved. The caller holds pipeline.lock, as for the others."""
    from pipelines import rights as job

    settings = load(data)
    return _plain(
        job.run(data, settings.pipelines, settings.backup, at_once=at_once, warehouse=settings.warehouse)
    )


def vet(data: Path) -> None:
    """Facts that are an older copy are looked through before anything is added to them, or made of them. The
    loop does it in every pass."""
    from pipelines import rights as job

    if job.older(data):
        rights(data)


def facts(data: Path) -> dict[str, Any]:
    """Fold the log."""
    from pipelines import facts as job

    settings = load(data)
    placing.held(data, settings, "the facts job")
    return _plain(
        job.run(data, settings.pipelines, packs={name for site in settings.site for name in site.packs})
    )


def reports(data: Path, *, live: bool = False) -> dict[str, Any]:
    """Bring the released tables up to date. `live`: those over all days may rest a while in between."""
    from pipelines import reports as job

    settings = load(data)
    placing.held(data, settings, "the reports job")
    adverts = data / settings.adverts.catalogue
    return _plain(job.run(data, settings.warehouse, settings.pipelines, live=live, adverts=adverts))


def publish(data: Path) -> dict[str, Any]:
    """Check and publish."""
    from pipelines import publish as job

    settings = load(data)
    placing.held(data, settings, "publication")
    return _plain(job.run(data, settings.warehouse, settings.adverts))


def releases(data: Path) -> dict[str, Any]:
    """Freeze what has lost its ground, and prepare what the schedule asks for."""
    from throng import due

    return due.turn(data, load(data))


def _plain(result: object) -> dict[str, Any]:
    found = msgspec.to_builtins(result)
    assert isinstance(found, dict)
    return found


def main(arguments: Namespace) -> int:
    job = {"facts": facts, "reports": reports, "publish": publish}[arguments.command]
    with lock.pipeline(arguments.data):
        vet(arguments.data)
        done = job(arguments.data)
    print("  ".join(f"{name}: {_said(value)}" for name, value in done.items() if value != ""))
    for failure in done.get("failures", ()):
        print(f"not published: {failure}", file=sys.stderr)
    if done.get("failures"):
        print(f"the last good generation stays; see {done['docs']}", file=sys.stderr)
    return 1 if done.get("failures") else 0


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
