"""`throng rehearse A B`: one recorded stream under two policy packs, and what differs (S5)."""

from __future__ import annotations

import json
import sys
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from consent_filter.errors import Misconfigured
from consent_filter.ledger import Ledger
from consent_filter.policy import Pack, load
from consent_filter.pseudonym import Keyring
from consent_filter.site import Site
from ingest.enrich.place import Places
from ingest.settings import Sites
from throng import year
from throng.difference import Difference, compare
from throng.rehearsal import Step, read, run, step
from throng.rehearsed_reports import Reported, reported
from throng.settings import Settings
from throng.settings import load as settings_of

#: By report, before and after.
_Reports = dict[str, tuple[Reported, Reported]]


def main(arguments: Namespace) -> int:
    """Nothing of the stream is written but facts, in temporary folders, where --reports asks for them."""
    packs = load(arguments.old), load(arguments.new)
    settings = settings_of(arguments.data)
    steps = _steps(arguments)
    if not steps:
        raise Misconfigured("--requests", "…", "at least one request")
    sites = _sites(settings, steps)
    look = Places.open(settings.ingest.geo or None, settings.ingest.networks).look
    if not arguments.reports:
        one, other = (
            run(steps, sites, _all(sites, pack), Keyring.memory, Ledger.memory, look) for pack in packs
        )
        found, reports = compare(steps, one, other), None
    else:
        runs, tables = [], []
        with tempfile.TemporaryDirectory(prefix="throng-rehearsal-") as folder:
            for name, pack in zip(("old", "new"), packs, strict=True):
                data = Path(folder) / name
                data.mkdir()
                opened = partial(Ledger.open, data / "ledger.sqlite")
                runs.append(run(steps, sites, _all(sites, pack), Keyring.memory, opened, look))
                tables.append(reported(data, runs[-1], steps[-1].time, settings.warehouse))
            found = compare(steps, *runs)
            for each in runs:
                each.ledger.close()
        reports = _side_by_side(*tables)
    print(_as_json(packs, found, reports) if arguments.format == "json" else _as_text(packs, found, reports))
    return 0


def _steps(arguments: Namespace) -> list[Step]:
    if arguments.requests is None:
        made = year.stream(arguments.seed, arguments.people)
        return [step(said, f"request {n}") for n, said in enumerate(made, 1)]
    if str(arguments.requests) == "-":
        return read(sys.stdin.buffer)
    try:
        with arguments.requests.open("rb") as lines:
            return read(lines)
    except OSError:
        raise Misconfigured("--requests", str(arguments.requests), "a file of requests, or -") from None


def _sites(settings: Settings, steps: Sequence[Step]) -> Sites:
    """As declared, where the settings declare any; else those of the stream, which may store `plan`."""
    if settings.site:
        declared = {site.id for site in settings.site}
        if missing := {one.site for one in steps} - declared:
            raise Misconfigured("site", len(missing), "every site of the requests, declared in throng.toml")
        return Sites([msgspec.structs.replace(site, origins=()) for site in settings.site])
    return Sites([Site(id=id, props=("plan",)) for id in sorted({one.site for one in steps})])


def _all(sites: Sites, pack: Pack) -> dict[str, Pack]:
    return dict.fromkeys(sites, pack)


def _side_by_side(old: dict[str, Reported], new: dict[str, Reported]) -> dict[str, tuple[Reported, Reported]]:
    nothing = Reported(0, {})
    return {name: (old.get(name, nothing), new.get(name, nothing)) for name in sorted({*old, *new})}


def _as_json(packs: tuple[Pack, Pack], found: Difference, reports: _Reports | None) -> str:
    said: dict[str, Any] = {
        "packs": [f"{pack.name}/{pack.version}" for pack in packs],
        "received": found.received,
        "kept": [dict(sorted(one.items())) for one in found.kept],
        "fates": [[*key, n] for key, n in sorted(found.fates.items())],
        "countries": [[*key, n] for key, n in sorted(found.by_country.items())],
        "purposes": found.purposes,
        "fields": {
            name: dict(zip(("old", "new", "lost", "gained"), n, strict=True))
            for name, n in found.fields.items()
        },
        "bytes": list(found.bytes),
        "changes": [change._asdict() for change in found.changes],
        "reset": found.reset,
        "tell": found.tell,
        "ask_again": dict(sorted(found.again.items())),
    }
    if reports is not None:
        said["reports"] = {name: [one._asdict() for one in pair] for name, pair in reports.items()}
    return json.dumps(said)


def _as_text(packs: tuple[Pack, Pack], found: Difference, reports: _Reports | None) -> str:
    old, new = (f"{pack.name}/{pack.version}" for pack in packs)
    lines = [f"{old} → {new}: {found.received:,} events", "", f"  {'':<34}{'before':>10}{'after':>10}"]
    for fate in sorted({*found.kept[0], *found.kept[1]}):
        lines.append(f"  {fate:<34}{found.kept[0][fate]:>10,}{found.kept[1][fate]:>10,}")
    lines.append(f"  {'bytes of values':<34}{found.bytes[0]:>10,}{found.bytes[1]:>10,}")
    lines += ["", "events that are kept otherwise:" if found.fates else "every event is kept as before"]
    for (before, after), n in sorted(found.fates.items(), key=lambda one: (-one[1], one[0])):
        some = [(c, m) for (c, b, a), m in found.by_country.items() if (b, a) == (before, after)]
        places = ", ".join(f"{c} {m:,}" for c, m in sorted(some, key=lambda one: (-one[1], one[0]))[:4])
        lines.append(f"  {before} → {after}: {n:,} ({places})")
    if found.purposes:
        lines += ["", f"rows that may be used for: {'before':>18}{'after':>10}"]
        lines += [f"  {name:<32}{was:>10,}{now:>10,}" for name, (was, now) in found.purposes.items()]
    if found.fields:
        lines += ["", f"fields: {'lost':>33}{'gained':>10}"]
        lines += [
            f"  {name:<32}{lost:>7,}{gained:>10,}" for name, (_, _, lost, gained) in found.fields.items()
        ]
    significant = sum(change.significant for change in found.changes)
    lines += ["", f"changes: {significant} significant, {len(found.changes) - significant} minor"]
    for regime, purposes in found.reset.items():
        lines.append(f"  to be asked again, {regime}: {', '.join(purposes)}")
    lines.append(f"people to tell: {found.tell:,}")
    for purpose, n in sorted(found.again.items(), key=lambda one: (-one[1], one[0])):
        lines.append(f"  to ask again for {purpose}: {n:,}")
    if reports is not None:
        lines += ["", "reports: rows published, and sums over them"]
        for name, (was, now) in reports.items():
            if was == now:
                lines.append(f"  {name}: {was.rows:,} rows, unchanged")
                continue
            lines.append(f"  {name}: {was.rows:,} → {now.rows:,} rows")
            for key in sorted({*was.sums, *now.sums}):
                a, b = was.sums.get(key, 0), now.sums.get(key, 0)
                if a != b:
                    lines.append(f"    {key}: {a:,} → {b:,}")
    return "\n".join(lines)
