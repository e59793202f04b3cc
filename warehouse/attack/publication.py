"""The next publication under attack: its touched days, against the generations that readers may still have.

Findings go to DATA/released/attack.json, which nobody but the operator reads; those above the limit hold the
publication (`pipelines/publish.py`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from warehouse import report as reports
from warehouse import snapshot
from warehouse.attack.evidence import Evidence, Finding, Sheet, Version, named, sheet
from warehouse.attack.linkage import public_facts
from warehouse.attack.suite import attack
from warehouse.extensions import quote
from warehouse.perturbation import bound
from warehouse.released import Store
from warehouse.report import Report
from warehouse.settings import Warehouse

FILE = "attack.json"
#: Findings that are told of one attack, and in all.
TOLD, KEPT = 5, 200
Day = tuple[str, date]


class Told(Struct):
    """What DATA/released/attack.json says of the last run."""

    at: float
    days: int
    seconds: dict[str, float]
    noted: dict[str, int]
    stopped: list[str]
    findings: list[Finding]


def before_publication(data: Path, settings: Warehouse, store: Store) -> list[str]:
    """Attack what would be published now. Why it may not be, a line a finding; none where it may."""
    evidence, days = gather(data, settings, store)
    try:
        found = attack(evidence)
    finally:
        evidence.close()
    stopped = tell(found.stopping)
    told = Told(time.time(), days, found.seconds, found.noted(), stopped, list(found.findings[:KEPT]))
    file = data / "released" / FILE
    draft = file.with_suffix(".new")
    draft.write_bytes(msgspec.json.encode(told))
    os.replace(draft, file)
    return stopped


def last(data: Path) -> Told | None:
    """What the last run found; None before the first."""
    try:
        return msgspec.json.decode((data / "released" / FILE).read_bytes(), type=Told)
    except (OSError, msgspec.DecodeError):
        return None


def tell(findings: Iterable[Finding]) -> list[str]:
    """A line a finding, of each attack the first few."""
    lines: list[str] = []
    told: dict[str, int] = {}
    for one in findings:
        told[one.attack] = told.get(one.attack, 0) + 1
        if told[one.attack] <= TOLD:
            lines.append(f"attack {one.attack}: {one.report}: {one.where}: {one.says}")
    return lines + [f"attack {name}: {n - TOLD} more" for name, n in told.items() if n > TOLD]


def gather(data: Path, settings: Warehouse, store: Store) -> tuple[Evidence, int]:
    """What an attacker of the next publication has; and how many days of sites are touched.

    Days that nothing changed of were attacked when they did. Where reports, or how they are released, are
    others than before, everything is looked at, and versions are not compared (docs/restatement.md).
    """
    known = {name: one for name, one in reports.load().items() if name in store.versions()}
    before, made = snapshot.manifest(data), snapshot.made_of(data, store, settings)
    same = before is not None and all(before["made_of"][x] == made[x] for x in ("min_group", "definitions"))
    touched = _touched(data, store, known, before, made) if before and same else None
    wide = _weeks(touched)
    sheets = [sheet(one, settings.min_group, off(one, settings), settings.equals) for one in known.values()]
    totals = {one.elsewhere["report"]: one.elsewhere for one in sheets if one.elsewhere}
    wanted = {one.name: _where(one, touched, wide, totals.get(one.name, {})) for one in sheets}
    now = {name: _rows(store, name, where) for name, where in wanted.items()}
    versions = [_version(store, path, sheets, touched or set()) for path in _generations(data) if same]
    public = public_facts(data)
    evidence = Evidence(sheets, now, versions, k=settings.min_group, public=public)
    return evidence, len(touched) if touched is not None else -1


def off(report: Report, settings: Warehouse) -> dict[str, float]:
    """At most how far each published number is from the exact one: by cell keys (`perturbation.py`) a number
    of people by their bound, a sum by what one person adds; so far sums are off without noise, too, as each
    report has caps of its own: a total less its parts may be what the caps took."""
    if not report.people:
        return {}
    sums = {name: float(report.most(name, settings)) for name in report.sums}
    moved = float(bound(settings.min_group)) if settings.perturb else 0.0
    return sums | dict.fromkeys(report.groups, moved)


def _touched(
    data: Path, store: Store, known: dict[str, Report], before: dict[str, Any], made: dict[str, Any]
) -> set[Day]:
    """Days of sites of which a number is another than in the generation that is published."""
    found: set[Day] = set()
    for name, one in known.items():
        file = snapshot.folder(data) / str(before["generation"]) / f"{name}.parquet"
        if "day" not in one.keys or before["made_of"]["reports"].get(name) == made["reports"][name]:
            continue
        if not file.exists():
            found |= set(store.connection.execute(f"SELECT DISTINCT site, day FROM {name}").fetchall())
            continue
        # A sum of hashes a day: comparing row by row took two thirds of the whole attack.
        marks = f"SELECT site, day, sum((hash({', '.join(_columns(store, name))}) >> 1)::BIGINT) AS mark FROM"
        found |= set(store.connection.execute(
            f"SELECT site, day FROM ({marks} {name} GROUP BY ALL) now FULL JOIN"
            f" ({marks} read_parquet('{quote(file)}') GROUP BY ALL) was USING (site, day, mark)"
            f" WHERE was.mark IS NULL OR now.mark IS NULL"
        ).fetchall())  # fmt: skip
    return found


def _columns(store: Store, name: str) -> list[str]:
    return [row[0] for row in store.connection.execute(f"DESCRIBE {name}").fetchall()]


def _weeks(touched: set[Day] | None) -> set[tuple[str, date]] | None:
    """(site, first day of the month) of the touched days: weeks and months reach beyond them."""
    return None if touched is None else {(site, day.replace(day=1)) for site, day in touched}


def _where(
    one: Sheet, touched: set[Day] | None, months: set[Day] | None, total: Mapping[str, str] = {}
) -> str:
    """Rows to look at. Sums over longer than a day are compared with all days of two months around, and those
    over all days with all rows of their `total`."""
    if touched is None or months is None:
        return "true"
    if "day" not in one.keys:
        return f"site IN ({_texts(site for site, _ in touched)})"
    if one.name in ("traffic_day", "new_returning", "custom_events"):
        near = [
            f"(site = {_text(site)} AND day BETWEEN DATE '{month}' - 31 AND DATE '{month}' + 62)"
            for site, month in sorted(months)
        ]
        if total:
            # And folded rows, of which the total may be one.
            words = [f"{key} = {_text(word)}" for key, word in total.items() if key != "report"]
            rows = " OR ".join([" AND ".join(words), f"NOT ({named(one.fold)})"])
            near.append(f"(site IN ({_texts(site for site, _ in touched)}) AND ({rows}))")
        return " OR ".join(near) or "false"
    days = [f"({_text(site)}, DATE '{day}')" for site, day in sorted(touched)]
    return f"(site, day) IN ({', '.join(days)})" if days else "false"


def _texts(words: Iterable[str]) -> str:
    return ", ".join(sorted({_text(word) for word in words})) or "NULL"


def _text(word: str) -> str:
    return "'" + word.replace("'", "''") + "'"


def _rows(store: Store, name: str, where: str, source: str = "") -> pa.Table:
    return store.connection.sql(f"FROM {source or name} WHERE {where} ORDER BY ALL").to_arrow_table()


def _generations(data: Path) -> list[Path]:
    """Folders of what readers may have, the newest first."""
    found = [path for path in snapshot.folder(data).glob("*") if path.name.isdigit()]
    return sorted(found, key=lambda path: -int(path.name))


def _version(store: Store, path: Path, sheets: list[Sheet], touched: set[Day]) -> Version:
    """One of them: the touched days of its tables by day, and why days have a new version since."""
    tables = {}
    for one in sheets:
        file = path / f"{one.name}.parquet"
        if "day" in one.keys and file.exists():
            where = _where(msgspec.structs.replace(one, name=""), touched, set())
            tables[one.name] = _rows(store, one.name, where, f"read_parquet('{quote(file)}')")
    moment = path.stat().st_mtime
    since: dict[Day, set[str]] = {}
    for site, day, reason in store.connection.execute(
        "SELECT site, day, reason FROM restatements WHERE epoch(made_at) > ?", [moment]
    ).fetchall():
        since.setdefault((site, day), set()).add(reason)
    return Version(tables=tables, since={at: frozenset(reasons) for at, reasons in since.items()})
