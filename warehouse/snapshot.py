"""Publication: released tables become a generation that anyone may open, swapped in by one rename.

    published/7/reports.duckdb, published/7/<report>.parquet, published/7/manifest.json
    published/current        → 7
    published/reports.duckdb → current/reports.duckdb

A generation is whole, and on the disk, before `current` names it, and is never changed after. The database
and the files change together, because one link names both. Old generations stay for a while for readers who
have them open; a draft that was killed is swept away by the next run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import defaultdict
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from consent_filter import keyfile
from warehouse import effects, imported
from warehouse import report as reports
from warehouse.extensions import OFFLINE, quote
from warehouse.meaning import RESTATED, meaning
from warehouse.relations import lent
from warehouse.release import method
from warehouse.released import Store
from warehouse.report import Report
from warehouse.settings import Warehouse

DATABASE = "reports.duckdb"
CURRENT = "current"
MANIFEST = "manifest.json"
#: Says why a newer generation is not published; there only while that is so.
HELD = "held.json"
#: Seconds that a generation stays at least after another has taken its place, however many there are.
GRACE = 180.0
#: What the table of versions is, for its readers.
_RESTATED = (
    "Each day's versions: its number, when it was made (UTC), and why. Where people have left, `people` says"
    " how many if they are a group, and `hidden` whether rows were left out so that they can not be told"
)
#: What the table of effects is, for its readers.
_TOOK = (
    "How much release took of each report, over all published days, and why; share: in percent, empty where"
    " it is of nobody or of fewer people than a group"
)
#: (site, first day) where nothing is counted yet.
_NEVER = "SELECT '' AS site, DATE '9999-12-31' AS first WHERE false"
#: Number of this layout: another one is a reason to publish again.
LAYOUT = 4
#: Twenty small tables take 6 MB in DuckDB's blocks of 256 KiB and 0.9 MB in these; readable since DuckDB 1.2.
_BLOCK = 16_384


def folder(data: Path) -> Path:
    """Where publications are."""
    return data / "published"


def manifest(data: Path) -> dict[str, Any] | None:
    """What is published now: generation, time, versions, rows; None before the first publication."""
    try:
        found = json.loads((folder(data) / CURRENT / MANIFEST).read_text())
    except FileNotFoundError:
        return None
    assert isinstance(found, dict)
    return found


def latest(data: Path) -> Path | None:
    """The database published now, by its generation's own name, which never changes what it means."""
    found = manifest(data)
    return folder(data) / found["database"] if found else None


def held(data: Path) -> dict[str, Any] | None:
    """Why a newer generation is held back: since, failures, docs; None where none is."""
    try:
        found = json.loads((folder(data) / HELD).read_text())
    except (FileNotFoundError, ValueError):
        return None
    assert isinstance(found, dict)
    return found


def made_of(data: Path, store: Store, settings: Warehouse) -> dict[str, Any]:
    """What a generation depends on: where this is the same, there is nothing to publish."""
    every = store.versions()
    known = {name: text for name, text in reports.load().items() if name in every}
    texts = hashlib.sha256(repr(sorted(known.items())).encode()).hexdigest()
    versions = {name: number for name, number in every.items() if name in known}
    return {
        "layout": LAYOUT,
        "reports": versions,
        "min_group": settings.min_group,
        "definitions": texts,
        "imported": imported.marks(data),
    }


def publish(
    data: Path, settings: Warehouse, store: Store, *, now: float | None = None
) -> dict[str, Any] | None:
    """Build and swap in a new generation; None where nothing has changed. The tables were checked."""
    marks, before = made_of(data, store, settings), manifest(data)
    if before and before["made_of"] == marks:
        return None
    generation = before["generation"] + 1 if before else 1
    where = folder(data)
    where.mkdir(parents=True, exist_ok=True)
    draft = where / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    tables = {name: _file(where, draft, before, marks, name, store) for name in sorted(marks["reports"])}
    made = {
        "generation": generation,
        "time": time.time() if now is None else now,
        "database": f"{generation}/{DATABASE}",
        "min_group": settings.min_group,
        "release": {name: getattr(settings, name) for name in ("min_group", "dominance", "perturb")},
        "versions": {name: version(name) for name in ("throng", "duckdb", "pyarrow")},
        "tables": tables,
        "restatements": _restated(store),
        "made_of": marks,
    }
    made["imported"] = _database(data, draft, store, made, settings)
    made["sha256"] = hashlib.sha256((draft / DATABASE).read_bytes()).hexdigest()
    (draft / MANIFEST).write_text(json.dumps(made, indent=1))
    for path in (draft / MANIFEST, draft / DATABASE, draft):
        keyfile.sync(path)
    shutil.rmtree(where / str(generation), ignore_errors=True)
    os.rename(draft, where / str(generation))
    _point(where, CURRENT, str(generation))
    if not (where / DATABASE).is_symlink():
        _point(where, DATABASE, f"{CURRENT}/{DATABASE}")
    _clear(where, generation, settings.keep_generations)
    return made


def _file(
    where: Path, draft: Path, before: dict[str, Any] | None, marks: dict[str, Any], name: str, store: Store
) -> dict[str, Any]:
    """One report's Parquet file in the draft, and its line of the manifest. Unchanged files are linked."""
    file = draft / f"{name}.parquet"
    same = before is not None and before["made_of"]["reports"].get(name) == marks["reports"][name]
    if before and same and name in before["tables"]:
        old = where / str(before["generation"]) / file.name
        if old.exists():
            os.link(old, file)
            known = before["tables"][name]
            assert isinstance(known, dict)
            return known | {"title": reports.load()[name].title}
    store.connection.execute(
        f"COPY (FROM {name} ORDER BY ALL) TO '{quote(file)}' (FORMAT parquet, COMPRESSION zstd)"
    )
    keyfile.sync(file)
    found = store.connection.execute(f"SELECT count(*) FROM {name}").fetchone()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"title": reports.load()[name].title, "rows": found[0] if found else 0, "sha256": digest}


def _database(
    data: Path, draft: Path, store: Store, made: dict[str, Any], settings: Warehouse
) -> dict[str, int]:
    """One DuckDB file with a table a report, and three that say what they are. Returns tables of what was
    imported, with their rows."""
    explained = dict(store.connection.execute("SELECT report, explanation FROM done_to").fetchall())
    con = duckdb.connect(":memory:", config=dict(OFFLINE))
    con.execute(f"ATTACH '{quote(draft / DATABASE)}' AS made (BLOCK_SIZE {_BLOCK})")
    con.execute("USE made")
    con.execute("BEGIN")
    con.execute(
        "CREATE TABLE reports (name VARCHAR, title VARCHAR, doc VARCHAR, owner VARCHAR, purpose VARCHAR,"
        " keys VARCHAR[], sums VARCHAR[], has_people BOOLEAN, released VARCHAR, counts VARCHAR[],"
        " effect VARCHAR, method VARCHAR)"
    )
    con.execute("COMMENT ON TABLE reports IS 'The tables of this file, and what release did to each'")
    con.execute(
        "CREATE TABLE published"
        " (generation BIGINT, published_at TIMESTAMP, min_group INTEGER, versions VARCHAR)"
    )
    con.execute("COMMENT ON TABLE published IS 'When this file was made (UTC), by which versions'")
    con.execute(
        "INSERT INTO published VALUES (?, make_timestamp(?), ?, ?)",
        [made["generation"], int(made["time"] * 1e6), made["min_group"], json.dumps(made["versions"])],
    )
    con.execute(
        "CREATE TABLE restatements (site VARCHAR, day DATE, version BIGINT, made_at TIMESTAMP,"
        " reason VARCHAR, people BIGINT, hidden BOOLEAN, says VARCHAR)"
    )
    con.execute(f"COMMENT ON TABLE restatements IS '{quote(_RESTATED)}'")
    said = store.connection.sql("FROM restatements ORDER BY site, day, version").to_arrow_table()
    with lent(con, said=said, reasons=pa.table({"reason": list(RESTATED), "says": list(RESTATED.values())})):
        con.execute("INSERT INTO restatements FROM said JOIN reasons USING (reason) SELECT said.*, says")
    took = effects.told(store.connection, made["min_group"])
    con.execute("CREATE TABLE effects (report VARCHAR, reason VARCHAR, number VARCHAR, share DOUBLE)")
    con.execute(f"COMMENT ON TABLE effects IS '{quote(_TOOK)}'")
    with lent(con, took=took):
        con.execute("INSERT INTO effects FROM took")
    of = defaultdict(list)
    for row in took.to_pylist():
        of[row["report"]].append(row)
    said_of = {name: effects.sentence(found) for name, found in of.items()}
    rows = []
    for name in made["tables"]:
        one = reports.load()[name]
        con.execute(f"CREATE TABLE {name} AS FROM read_parquet('{quote(draft / name)}.parquet')")
        _explain(con, one, settings)
        rows.append(
            [name, one.title, one.doc, one.owner, one.purpose, list(one.keys), list(one.sums), one.people,
             explained.get(name, ""), list(one.groups), said_of.get(name, ""),
             method(one, settings)]
        )  # fmt: skip
    if rows:
        con.executemany("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    starts = (
        "SELECT site, min(day) AS first FROM balance GROUP BY site" if "balance" in made["tables"] else _NEVER
    )
    added = {}
    for name in imported.offer(con, data, starts):
        con.execute(
            f"COPY (FROM {name}) TO '{quote(draft / name)}.parquet' (FORMAT parquet, COMPRESSION zstd)"
        )
        keyfile.sync(draft / f"{name}.parquet")
        ((added[name],),) = con.execute(f"SELECT count(*) FROM {name}").fetchall()
    con.execute("COMMIT")
    con.close()
    return added


def _restated(store: Store) -> list[dict[str, Any]]:
    """The latest days that were published anew for another reason than new events: what a reader of the
    manifest compares with the generation before."""
    rows = store.connection.execute(
        "SELECT site, day::VARCHAR, version, epoch(made_at), reason, people, hidden FROM restatements"
        " WHERE reason IN ('restated', 'returned', 'rules') ORDER BY made_at DESC, site, day LIMIT 100"
    ).fetchall()
    names = ("site", "day", "version", "time", "reason", "people", "hidden")
    return [dict(zip(names, row, strict=True)) for row in rows]


def _explain(con: duckdb.DuckDBPyConnection, one: Report, settings: Warehouse) -> None:
    said = f"{one.title}: {one.doc} How exact: {method(one, settings)}."
    con.execute(f"COMMENT ON TABLE {one.name} IS '{quote(said)}'")
    for column in (*one.keys, *one.groups, *one.sums):
        if means := meaning(column):
            con.execute(f"COMMENT ON COLUMN {one.name}.{column} IS '{quote(means)}'")


def _point(where: Path, name: str, target: str) -> None:
    """Make a link name something else in one step; whoever has the old one open keeps it."""
    draft = where / f"{name}.new"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    os.replace(draft, where / name)
    keyfile.sync(where)


def _clear(where: Path, generation: int, keep: int) -> None:
    """Remove generations that are recent neither in number nor in time since the next took their place."""
    numbers = sorted(int(path.name) for path in where.iterdir() if path.name.isdigit())
    for number, after in pairwise(numbers):
        replaced = (where / str(after)).stat().st_mtime
        if number <= generation - keep and time.time() - replaced > GRACE:
            shutil.rmtree(where / str(number), ignore_errors=True)
