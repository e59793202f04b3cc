"""`throng adverts invalid` and `rejudge`: gross, filtered and net, and other rules for the past (M44)."""

from __future__ import annotations

import json
import time
from argparse import Namespace
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import to_builtins

from consent_filter.counts import REASONS
from consent_filter.errors import Refused
from throng import lock
from warehouse.invalid import rules
from warehouse.invalid.judged import judged, rejudge
from warehouse.invalid.reconciliation import Line, reconcile
from warehouse.lake import Lake


def main(arguments: Namespace) -> int:
    found = {"invalid": _invalid, "rejudge": _rejudge}[arguments.action](arguments)
    print(json.dumps(found, default=str) if arguments.format == "json" else found["text"])
    return 0


def _invalid(arguments: Namespace) -> dict[str, Any]:
    lake = Lake.open(arguments.data)
    if lake is None:
        raise Refused(404, "no_facts", "there are no facts yet: throng facts")
    try:
        days = _days(lake, arguments)
        lines = reconcile(lake, days)
        by = judged(lake.connection)
        versions = sorted({rules.in_force(day, by).version for day in days})
    finally:
        lake.close()
    return _said(arguments, lines, days, versions)


def _said(
    arguments: Namespace, lines: Sequence[Line], days: Sequence[date], versions: Sequence[int]
) -> dict[str, Any]:
    from ingest.enrich.lists import lists

    used = [{"version": n, "since": rules.load()[n].since} for n in versions]
    lists_ = [one._asdict() for one in lists()]
    if arguments.format == "json":
        rows = [
            to_builtins(one) | {"general": one.general, "sophisticated": one.sophisticated} for one in lines
        ]
        return {"days": [str(day) for day in days], "lines": rows, "rules": used, "lists": lists_}
    text = [f"{days[0]} to {days[-1]}" if days else "no days"]
    for one in lines:
        filtered = sum(one.filtered.values())
        text += [
            "",
            f"{one.site or '(no site)'} {one.event}",
            f"  received       {one.received:>12,}",
            f"  gross          {one.net + filtered:>12,}  stored, and there now",
            f"  filtered       {filtered:>12,}  general {one.general:,}, sophisticated {one.sophisticated:,}",
            *(f"    {reason:<22}{n:>8,}  {_why(reason)}" for reason, n in sorted(one.filtered.items())),
            f"  net            {one.net:>12,}",
            f"  ended          {one.ended:>12,}  stored then; their time is over",
            f"  refused        {sum(one.refused.values()):>12,}",
            *(f"    {reason:<22}{n:>8,}  {REASONS[reason]}" for reason, n in sorted(one.refused.items())),
        ]
    text += ["", *(f"rules {one['version']}, for days from {one['since']} on" for one in used)]
    text += [
        f"list {one['name']} {one['version']}" + (f", newest entry {one['newest']}" if one["newest"] else "")
        for one in lists_
    ]
    return {"text": "\n".join(text)}


def _why(reason: str) -> str:
    for one in reversed(rules.load().values()):
        for rule in one.rules:
            if rule.id == reason:
                return rule.doc
    return ""


def _rejudge(arguments: Namespace) -> dict[str, Any]:
    if not arguments.reason.strip():
        raise Refused(400, "reason", "say why, with --reason: it stays with the new versions")
    data: Path = arguments.data
    with lock.pipeline(data):
        lake = Lake.open(data, write=True)
        assert lake is not None
        try:
            days = _days(lake, arguments)
            changed = rejudge(
                lake, arguments.rules, days, arguments.reason.strip(), time.time(), dry=arguments.dry_run
            )
        finally:
            lake.close()
    what = "would be judged" if arguments.dry_run else "are judged"
    text = f"{len(changed)} of {len(days)} days {what} by rules {arguments.rules}"
    if changed and not arguments.dry_run:
        text += "; their reports are made anew by the next `throng reports`, which `throng up` runs by itself"
    return {"days": [str(day) for day in changed], "rules": arguments.rules, "text": text}


def _days(lake: Lake, arguments: Namespace) -> list[date]:
    """The days of facts within what was asked for."""
    rows = lake.connection.execute("SELECT DISTINCT day FROM lake.commits ORDER BY day").fetchall()
    first, last = arguments.from_ or date.min, arguments.to_ or date.max
    if last < first:
        raise Refused(400, "period", "--to is before --from")
    return [day for (day,) in rows if first <= day <= last]
