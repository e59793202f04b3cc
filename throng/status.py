"""`throng status`: lag, freshness, balance, versions, at a glance."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from consent_filter.failure import describe
from consent_filter.rights.register import Register
from consent_filter.rights.statistics import children
from consent_filter.rights.store import FILE
from pipelines.balance import lag
from throng import __version__, balance, expire, keys, lock
from throng.settings import load
from warehouse import snapshot
from warehouse.attack import publication
from warehouse.checks import runs


def gather(data: Path) -> dict[str, Any]:
    """Everything that the command prints, as one JSON object. Times are UTC seconds."""
    try:
        last = json.loads((data / "status.json").read_text())
    except (OSError, ValueError):
        last = {}
    waits, adds_up = _log(data)
    published = snapshot.manifest(data)
    taken = expire.past(data)
    return {
        "running": lock.running(data),
        "lag": waits,
        "last_pass": last,
        "published": published,
        "held": snapshot.held(data),
        "attack": attack(data),
        "unusual": [
            said
            for one in runs.latest(snapshot.folder(data) / "validation")
            if not one["stop"]
            for said in one["failures"]
        ],
        "age_seconds": round(time.time() - published["time"], 1) if published else None,
        "balance": adds_up,
        "rights": rights(data),
        "children": youngest(data),
        "keys_due": keys.waiting(data, load(data).keys),
        "purged": [one for one in taken if one["at"] == taken[0]["at"]],
        "versions": {
            "throng": __version__,
            **{name: version(name) for name in ("apache-beam", "duckdb", "pyarrow", "msgspec")},
        },
    }


def _log(data: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """What waits in the log, and the balance to its end; only why not, where brokers are away."""
    try:
        return lag(data), balance.whole(data)
    except OSError as error:
        return {"failure": describe(error)}, None


def _waits(lags: dict[str, Any]) -> str:
    if "failure" in lags:
        return f"can't be read: {lags['failure']}"
    return f"{', '.join(f'{n:,} {unit}' for unit, n in lags.items())} wait to become facts"


def attack(data: Path) -> dict[str, Any] | None:
    """What the last attack on a publication tried and noted (S19); None before the first."""
    told = publication.last(data)
    if told is None:
        return None
    return {"at": told.at, "tried": len(told.seconds), "noted": told.noted, "stopped": told.stopped}


def rights(data: Path) -> dict[str, int] | None:
    """How many requests of people are open, unproved and overdue; None where nobody ever asked."""
    if not (data / FILE).exists():
        return None
    with closing(Register.open(data)) as register:
        return register.counts()


def youngest(data: Path) -> dict[str, Any] | None:
    """How long a child's data stood after it was known to be one (S23); None where nobody ever asked."""
    if not (data / FILE).exists():
        return None
    with closing(Register.open(data)) as register:
        return children(register.store)


def table(found: dict[str, Any]) -> str:
    """The same for people."""
    published, last, lags = found["published"], found["last_pass"], found["lag"]
    lines = [
        f"running    {'yes' if found['running'] else 'no'}",
        f"log        {_waits(lags)}",
    ]
    if published:
        lines.append(f"published  generation {published['generation']}, {found['age_seconds']:.0f} s ago")
    else:
        lines.append("published  nothing yet")
    if held := found["held"]:
        lines.append(f"HELD BACK  since {_clock(held['since'])}, by the checks; what is published stays")
        lines += [f"           {one}" for one in held["failures"]]
        lines.append(f"           the whole validation: {held['docs']}")
    lines += [f"UNUSUAL    {one}" for one in found["unusual"]]
    if tried := found["attack"]:
        noted = ", ".join(f"{name} {n}" for name, n in tried["noted"].items()) or "nothing"
        lines.append(f"attack     {tried['tried']} kinds tried on what was to be published; found: {noted}")
    if wrong := (last.get("reports") or {}).get("catalogue"):
        lines.append(f"ADVERTS    the list is wrong, the last one is in use: {wrong}")
    if last.get("failure"):
        lines.append(f"FAILING    {last['failure']}; what is published stays")
    if (asked := found["rights"]) is not None:
        lines.append(f"rights     {asked['open']} open, {asked['unproved']} of them not yet proved")
        if asked["overdue"]:
            lines.append(f"OVERDUE    {asked['overdue']} of them: see `throng rights list` (GDPR Art. 12(3))")
    if (of := found["children"]) and (of["erased"] or of["open"]):
        lines.append(f"children   {_children(of)}")
    lines += [f"DUE        {one}: see `throng keys`" for one in found["keys_due"]]
    if found["balance"] is not None:
        lines.append(balance.table(found["balance"]))
    for one in found["purged"]:
        lines.append(
            f"purged     {_clock(one['at'])}: {one['reason']}, {one['rows']:,} rows,"
            f" {one['values']:,} values, {one['files']:,} files, {one['bytes']:,} bytes"
        )
    lines.append("versions   " + ", ".join(f"{name} {v}" for name, v in found["versions"].items()))
    return "\n".join(lines)


def _children(of: dict[str, Any]) -> str:
    said = f"{of['open']} being erased" if of["open"] else "none being erased"
    if not of["erased"]:
        return said
    half, most, last = (of[name] / 60 for name in ("p50_seconds", "p99_seconds", "last_seconds"))
    return (
        f"{said}; of {of['erased']} half were gone within {half:.1f} minutes, 99 of 100 within {most:.1f},"
        f" the last within {last:.1f}"
    )


def main(arguments: Namespace) -> int:
    found = gather(arguments.data)
    print(json.dumps(found, default=str) if arguments.format == "json" else table(found))
    late = (found["rights"] or {}).get("overdue")
    return 1 if found["last_pass"].get("failure") or found["held"] or late else 0


def _clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
