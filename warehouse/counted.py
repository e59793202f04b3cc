"""Where some persons are counted: every released row that they are part of, and what they added (S24).

Found by the reports' own SQL, run for these persons alone, and joined with what is published: a row that
bears their keys, or the one that theirs was folded into. Nothing of anybody else is in it but that row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.links import Linked
from warehouse import departures
from warehouse import report as reports
from warehouse.footprint import NONE, choose, footprints
from warehouse.lake import Lake
from warehouse.released import Store
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse
from warehouse.snapshot import latest

#: One row a released row that they count in. `basis`: of their events on that day, or at that site.
#: `version`: of the day (`restatements`). `published` is what everyone can read, `own` what they added to it.
COUNTED = pa.schema(
    [
        ("report", pa.string()),
        ("site", pa.string()),
        ("day", pa.date32()),
        ("keys", pa.map_(pa.string(), pa.string())),
        ("purpose", pa.string()),
        ("basis", pa.string()),
        ("version", pa.int64()),
        ("published", pa.map_(pa.string(), pa.int64())),
        ("own", pa.map_(pa.string(), pa.int64())),
    ]
)
Keys = tuple[Any, ...]


def counted(data: Path, persons: Iterable[int], logins: Linked = NONE) -> pa.Table:
    """COUNTED of these persons (uint64 pseudonyms, of whatever purpose), as of what is published now.
    `logins`: as reports read them (`consent_filter.read.linked`).

    The caller holds pipeline.lock, and has published what the last pass made. Who has left a day that stands
    still is counted there yet; who has left one that was published anew is not. For a person who turns out to
    be a minor these are the figures that their erasure will change.
    """
    who = np.unique(np.fromiter(persons, np.uint64))
    file, lake = latest(data), Lake.open(data)
    if file is None or lake is None:
        return COUNTED.empty_table()
    store, public = Store.open(data), duckdb.connect(str(file), read_only=True)
    departures.prepare(store)
    made_by = store.get("made_by")
    how = msgspec.json.decode(made_by, type=Warehouse) if made_by else Warehouse()
    con = lake.connection.cursor()
    try:
        rows = [
            row
            for group, only in _standing(store, who)
            for row in _of(con, store, public, group, only, how, logins)
        ]
        return pa.Table.from_pylist(rows, COUNTED).sort_by(
            [("report", "ascending"), ("site", "ascending"), ("day", "ascending")]
        )
    finally:
        con.close()
        public.close()
        store.close()
        lake.close()


def _standing(store: Store, who: NDArray[np.uint64]) -> Iterator[tuple[NDArray[np.uint64], set[Keys] | None]]:
    """Persons, and the (site, day) that count them still: all (None) unless they have left."""
    left = np.intersect1d(who, store.subtracted())
    yield np.setdiff1d(who, left), None
    run = store.connection.execute
    steps = defaultdict(list)
    for person in left.tolist():
        ((step,),) = run("SELECT step FROM subtracted WHERE person = ?", [person]).fetchall()
        steps[step].append(person)
    for step, some in steps.items():
        days = run("SELECT site, day FROM pending WHERE step = ?", [step]).fetchall()
        yield np.array(some, np.uint64), set(days)


def _of(
    con: duckdb.DuckDBPyConnection,
    store: Store,
    public: duckdb.DuckDBPyConnection,
    who: NDArray[np.uint64],
    only: set[Keys] | None,
    settings: Warehouse,
    logins: Linked,
) -> Iterator[dict[str, Any]]:
    if not len(who) or only == set():
        return
    choose(con, who, departures.absent(store))
    bases = _bases(con)
    others, absent = np.setdiff1d(store.subtracted(), who), departures.absent(store)
    numbered = store.connection.execute("SELECT site, day, max(version) FROM restatements GROUP BY ALL")
    versions = {(site, day): number for site, day, number in numbered.fetchall()}
    tables = {name for (name,) in public.execute("SELECT name FROM reports").fetchall()}
    for report in footprints(con, others, absent, store.published([]), settings, logins):
        if report.name not in tables:
            continue
        names = ", ".join((*report.keys, *report.sums))
        added = ", ".join(f"sum({one})::BIGINT AS {one}" for one in report.sums)
        mine = con.sql(f"SELECT {', '.join(report.keys)}, {added} FROM contributions GROUP BY ALL")
        shown = _shown(public, report, {row[0] for row in mine.fetchall()})
        own: dict[Keys, list[int]] = {}
        for row in con.sql(f"SELECT {names} FROM ({mine.sql_query()})").fetchall():
            keys = _row(report, row[: len(report.keys)], shown)
            if keys is not None:
                before = own.get(keys, [0] * len(report.sums))
                own[keys] = [a + b for a, b in zip(before, row[len(report.keys) :], strict=True)]
        for keys, sums in own.items():
            named = dict(zip(report.keys, keys, strict=True))
            at = named["site"], named.get("day")
            if only is None or at in only or (at[1] is None and {site for site, _ in only} & {at[0]}):
                yield {
                    "report": report.name,
                    "site": at[0],
                    "day": at[1],
                    "keys": [(key, str(value)) for key, value in named.items() if key not in ("site", "day")],
                    "purpose": report.purpose,
                    "basis": ", ".join(sorted(bases[report.bit, at[0], at[1]])),
                    "version": versions.get(at),
                    "published": list(shown[keys].items()),
                    "own": list(zip(report.sums, sums, strict=True)),
                }


def _bases(con: duckdb.DuckDBPyConnection) -> defaultdict[tuple[int, str, Any], set[str]]:
    """(bit of the purpose, site, day; and day None) → the bases on which their events were kept."""
    found = defaultdict[tuple[int, str, Any], set[str]](set)
    rows = con.execute(
        "SELECT DISTINCT site, day, purposes, coalesce(basis, '(none)') FROM lake.events"
        " SEMI JOIN chosen USING (person)"
    ).fetchall()
    for bit in {one.bit for one in reports.load().values()}:
        for site, day, purposes, basis in rows:
            if purposes & bit:
                found[bit, site, day].add(basis)
                found[bit, site, None].add(basis)
    return found


def _shown(
    public: duckdb.DuckDBPyConnection, report: Report, sites: Iterable[str]
) -> Mapping[Keys, dict[str, int]]:
    """The published rows of some sites, by their keys."""
    numbers, place = [*report.groups, *report.sums], len(report.keys)
    rows = public.execute(
        f"SELECT {', '.join([*report.keys, *numbers])} FROM {report.name} WHERE site IN (SELECT unnest(?))",
        [list(sites)],
    ).fetchall()
    return {row[:place]: dict(zip(numbers, row[place:], strict=True)) for row in rows}


def _row(report: Report, keys: Keys, shown: Mapping[Keys, Any]) -> Keys | None:
    """The published row that a person's own row is counted in: itself, or the one that it is folded into."""
    if OTHER not in keys and keys in shown:
        return keys
    if not report.fold:
        return None
    named = dict(zip(report.keys, keys, strict=True))
    for level in range(1, len(report.levels)):
        part = {key: named[key] for key in report.levels[level]}
        if OTHER in part.values() or not _told(report, part, shown):
            above = report.levels[level - 1]
            row = tuple(named[key] if key in above else OTHER for key in report.keys)
            return row if row in shown else None
    return None


def _told(report: Report, part: Mapping[str, Any], shown: Mapping[Keys, Any]) -> bool:
    places = [(report.keys.index(key), value) for key, value in part.items()]
    return any(all(keys[place] == value for place, value in places) for keys in shown)
