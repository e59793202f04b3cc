"""What another tool has counted, kept apart from what is counted here: DATA/imported/<number>/.

An import is a folder with a Parquet file a report and `import.json`, made whole or not at all. It has no rows
of people, but rows may be of few: those below the minimum group are put together or left out when they come,
so that they never stand on a disk. Publication makes of all imports a table `imported_<report>` for each
report, of days before the site's first own one; of two imports of one day the newer holds.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from msgspec import Struct

from consent_filter import keyfile
from consent_filter.errors import Broken, Refused
from warehouse import report as reports
from warehouse.extensions import quote
from warehouse.report import OTHER

FOLDER, ABOUT = "imported", "import.json"
NUMBERS = ("people", "visits", "views", "events", "bounces", "duration_ms")
#: What a published table is, for its readers.
SAYS = "As another tool has counted it, on days before this site was counted here; `origin` names the tool"


class Import(Struct):
    """One import. `rows` are kept; `folded` were put together as "(other)", `few` left out. `digest`: of the
    rows that were given, so that the same again is known. Days are ISO."""

    number: int
    site: str
    origin: str
    made: float
    first: str
    last: str
    reports: dict[str, int]
    folded: int = 0
    few: int = 0
    digest: str = ""

    @property
    def rows(self) -> int:
        """Rows of all reports."""
        return sum(self.reports.values())


class Gated(NamedTuple):
    """A report's rows that may be kept, and how many were put together and left out."""

    rows: pa.Table
    folded: int
    few: int


def gate(rows: pa.Table, least: int) -> Gated:
    """Rows of at least that many people (or visits, where people were not counted). The others of a day
    become one, without a number of people, where they are several and that many together."""
    keys = [name for name in rows.column_names if name not in ("day", *NUMBERS)]
    size = rows["people"] if "people" in rows.column_names else rows["visits"]
    large = pc.fill_null(pc.greater_equal(size, least), False)
    kept, small = rows.filter(large), rows.append_column("size", size).filter(pc.invert(large))
    if not keys or not small.num_rows:
        return Gated(kept, 0, small.num_rows)
    numbers = [name for name in NUMBERS if name in rows.column_names and name != "people"]
    days = small.group_by("day").aggregate(
        [*((name, "sum") for name in numbers), ("size", "sum"), ("size", "count")]
    )
    days = days.rename_columns(["day", *numbers, "size", "of"])
    fine = days.filter(pc.and_(pc.greater_equal(days["size"], least), pc.greater(days["of"], 1)))
    folded = pc.sum(fine["of"]).as_py() or 0
    other = pa.array([OTHER] * fine.num_rows, pa.string())
    none = pa.nulls(fine.num_rows, pa.int64())
    columns = {
        name: other if name in keys else none if name not in fine.column_names else fine[name]
        for name in rows.column_names
    }
    return Gated(
        pa.concat_tables([kept, pa.table(columns, schema=kept.schema)]), folded, small.num_rows - folded
    )


def add(
    data: Path,
    site: str,
    origin: str,
    found: Mapping[str, pa.Table],
    least: int,
    now: float,
    *,
    dry: bool = False,
) -> Import:
    """Keep what was counted: report → (day, its keys, numbers). Nothing is written where `dry`.

    Raises Refused where nothing of it may be kept, or the same was imported before."""
    gated = {name: gate(rows, least) for name, rows in found.items() if rows.num_rows}
    kept = {name: one for name, one in gated.items() if one.rows.num_rows}
    if not kept:
        raise Refused(
            400, "nothing_to_import", f"no row of it is of {least} people or more: nothing was kept"
        )
    digest = _digest(site, origin, found)
    standing = listed(data)
    if old := next((one for one in standing if one.digest == digest), None):
        raise Refused(409, "imported_before", f"the same was imported before, as number {old.number}")
    days = [day for one in kept.values() for day in pc.min_max(one.rows["day"]).as_py().values()]
    number = max((one.number for one in standing), default=0) + 1
    about = Import(
        number, site, origin, now, min(days).isoformat(), max(days).isoformat(),
        {name: one.rows.num_rows for name, one in sorted(kept.items())},
        sum(one.folded for one in gated.values()), sum(one.few for one in gated.values()), digest,
    )  # fmt: skip
    if not dry:
        _write(data / FOLDER, number, {name: one.rows for name, one in kept.items()}, about)
    return about


def listed(data: Path) -> list[Import]:
    """The imports of a data folder, oldest first. Raises Broken where one cannot be read."""
    found = []
    for folder in (data / FOLDER).glob("[0-9]*"):
        try:
            found.append(msgspec.json.decode((folder / ABOUT).read_bytes(), type=Import))
        except (OSError, msgspec.DecodeError):
            raise Broken(f"{folder} is no import that can be read: remove it, and import again") from None
    return sorted(found, key=lambda one: one.number)


def remove(data: Path, number: int) -> Import:
    """Take an import away; the next publication is without it. Raises Refused where there is none."""
    about = next((one for one in listed(data) if one.number == number), None)
    if about is None:
        raise Refused(404, "no_such_import", f"there is no import {number}: `throng imported` lists them")
    gone = data / FOLDER / f"gone-{number}"
    os.rename(data / FOLDER / str(number), gone)
    shutil.rmtree(gone)
    return about


def marks(data: Path) -> list[str]:
    """What publications depend on: another list is a reason to publish again."""
    return [f"{one.number} {one.digest}" for one in listed(data)]


def offer(connection: duckdb.DuckDBPyConnection, data: Path, starts: str) -> list[str]:
    """Make the tables `imported_<report>` of all imports; their names. `starts`: a query for (site, first own
    day); days from then on are not shown."""
    files: dict[str, list[Import]] = {}
    for one in listed(data):
        for name in one.reports:
            files.setdefault(name, []).append(one)
    for name, imports in sorted(files.items()):
        parts = [
            f"SELECT {one.number} AS import, '{quote(one.site)}' AS site, '{quote(one.origin)}' AS origin, *"
            f" FROM read_parquet('{quote(data / FOLDER / str(one.number) / name)}.parquet')"
            for one in imports
        ]
        keys = [key for key in reports.load()[name].keys if key not in ("site", "day")]
        columns = ", ".join(["site", "day", *keys, "* EXCLUDE (" + ", ".join(["site", "day", *keys]) + ")"])
        connection.execute(
            f"CREATE TABLE imported_{name} AS SELECT {columns} FROM ({' UNION ALL BY NAME '.join(parts)}) i"
            f" WHERE NOT EXISTS (FROM ({starts}) s WHERE s.site = i.site AND s.first <= i.day)"
            " QUALIFY import = max(import) OVER (PARTITION BY site, day) ORDER BY ALL"
        )
        connection.execute(
            f"COMMENT ON TABLE imported_{name} IS '{quote(reports.load()[name].title)}. {SAYS}'"
        )
    return [f"imported_{name}" for name in sorted(files)]


def _write(where: Path, number: int, tables: Mapping[str, pa.Table], about: Import) -> None:
    for gone in where.glob("gone-*"):  # a removal that was killed
        shutil.rmtree(gone, ignore_errors=True)
    draft = where / f"draft-{number}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, rows in tables.items():
        by = [(column, "ascending") for column in rows.column_names if column not in NUMBERS]
        pq.write_table(rows.sort_by(by), draft / f"{name}.parquet", compression="zstd")
    (draft / ABOUT).write_text(json.dumps(msgspec.to_builtins(about), indent=1))
    for path in (*draft.iterdir(), draft):
        keyfile.sync(path)
    os.rename(draft, where / str(number))


def _digest(site: str, origin: str, found: Mapping[str, pa.Table]) -> str:
    """Of everything that was given. The number of a row cannot be tried out: it is of whole tables."""
    state = hashlib.sha256(f"{site}\0{origin}".encode())
    for name, rows in sorted(found.items()):
        state.update(name.encode())
        sorted_ = rows.sort_by([(column, "ascending") for column in rows.column_names])
        for batch in sorted_.combine_chunks().to_batches():
            state.update(batch.serialize().to_pybytes())
    return state.hexdigest()
