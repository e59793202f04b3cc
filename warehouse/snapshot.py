"""Publication: released tables become a generation that anyone may open, swapped in by a rename.

`published/reports-<generation>.duckdb`, `published/<generation>/<report>.parquet` with `manifest.json`, and
the names `reports.duckdb` and `current`, which are links. A generation is whole before any link names it and
is never changed after; old ones stay for a while, for readers who have them open.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import duckdb

from warehouse import report as reports
from warehouse.extensions import OFFLINE, quote
from warehouse.released import Store
from warehouse.settings import Warehouse

DATABASE = "reports.duckdb"
CURRENT = "current"
_NAME = "reports-{:08d}.duckdb"
#: Seconds that an old generation stays at least, however many there are.
GRACE = 120.0


def folder(data: Path) -> Path:
    """Where publications are."""
    return data / "published"


def manifest(data: Path) -> dict[str, Any] | None:
    """What is published now: generation, time, versions, rows; None before the first publication."""
    try:
        found = json.loads((folder(data) / CURRENT / "manifest.json").read_text())
    except FileNotFoundError:
        return None
    assert isinstance(found, dict)
    return found


def latest(data: Path) -> Path | None:
    """The database published now, by its generation's own name, which never changes what it means."""
    found = manifest(data)
    return folder(data) / found["database"] if found else None


def publish(data: Path, settings: Warehouse, store: Store, *, now: float | None = None) -> dict[str, Any] | None:
    """Build and swap in a new generation; None where nothing has changed. The caller has checked the tables."""
    versions = store.versions()
    known = reports.load()
    before = manifest(data)
    marks = {"reports": versions, "settings": settings.min_group}
    if before and before["made_of"] == marks:
        return None
    generation = before["generation"] + 1 if before else 1
    where = folder(data)
    where.mkdir(parents=True, exist_ok=True)
    draft = where / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    tables = {}
    for name in sorted(versions):
        one, file = known[name], draft / f"{name}.parquet"
        old = where / str(before["generation"]) / file.name if before else None
        same = before is not None and before["made_of"]["reports"].get(name) == versions[name]
        if same and old is not None and old.exists():
            os.link(old, file)
        else:
            store.connection.execute(
                f"COPY (FROM {name} ORDER BY ALL) TO '{quote(file)}' (FORMAT parquet, COMPRESSION zstd)"
            )
        found = store.connection.execute(f"SELECT count(*) FROM {name}").fetchone()
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        tables[name] = {"title": one.title, "rows": found[0] if found else 0, "sha256": digest}
    made = {
        "generation": generation,
        "time": time.time() if now is None else now,
        "database": _NAME.format(generation),
        "min_group": settings.min_group,
        "tables": tables,
        "made_of": marks,
    }
    _database(draft, where / made["database"], store, made)
    (draft / "manifest.json").write_text(json.dumps(made, indent=1))
    shutil.rmtree(where / str(generation), ignore_errors=True)
    os.rename(draft, where / str(generation))
    _sync(where)
    _point(where, DATABASE, made["database"])
    _point(where, CURRENT, str(generation))
    _clear(where, generation, settings.keep_generations)
    return made


def _database(draft: Path, target: Path, store: Store, made: dict[str, Any]) -> None:
    """One DuckDB file with a table a report, and two that say what they are."""
    building = draft / "building.duckdb"
    con = duckdb.connect(str(building), config=dict(OFFLINE))
    explained = dict(store.connection.execute("SELECT report, explanation FROM done_to").fetchall())
    con.execute(
        "CREATE TABLE reports (name VARCHAR, title VARCHAR, doc VARCHAR, owner VARCHAR, purpose VARCHAR,"
        " keys VARCHAR[], sums VARCHAR[], has_people BOOLEAN, released VARCHAR)"
    )
    con.execute("CREATE TABLE published (generation BIGINT, published_at TIMESTAMP, min_group INTEGER)")
    con.execute(
        "INSERT INTO published VALUES (?, make_timestamp(?), ?)",
        [made["generation"], int(made["time"] * 1e6), made["min_group"]],
    )
    for name in made["tables"]:
        one = reports.load()[name]
        con.execute(f"CREATE TABLE {name} AS FROM read_parquet('{quote(draft / name)}.parquet')")
        con.execute(f"COMMENT ON TABLE {name} IS '{quote(one.title + ': ' + one.doc)}'")
        con.execute(
            "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [name, one.title, one.doc, one.owner, one.purpose, list(one.keys), list(one.sums), one.people,
             explained.get(name, "")],
        )  # fmt: skip
    con.execute("CHECKPOINT")
    con.close()
    os.replace(building, target)


def _point(where: Path, name: str, target: str) -> None:
    """Make a link name something else in one step; whoever has the old one open keeps it."""
    draft = where / f"{name}.new"
    draft.unlink(missing_ok=True)
    draft.symlink_to(target)
    os.replace(draft, where / name)


def _sync(where: Path) -> None:
    fd = os.open(where, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _clear(where: Path, generation: int, keep: int) -> None:
    """Remove generations that are neither recent in number nor in time."""
    for file in where.glob("reports-*.duckdb"):
        number = int(file.stem.split("-")[1])
        if number <= generation - keep and time.time() - file.stat().st_mtime > GRACE:
            file.unlink(missing_ok=True)
            shutil.rmtree(where / str(number), ignore_errors=True)
