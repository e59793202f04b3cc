"""Facts of persons who must be gone: files that hold them are written anew without them.

A person's rows leave in one transaction with their counts, which move from stored to refused (`erased`):
the balance holds before and after, and the days are noted as touched, so that reports are made anew. The
old files stay for whoever reads them until the grace is over (`pipelines.grace_minutes`); `left` says
whether anything does, and `Catalog.wipe` takes persons out of what the catalog knows of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.campaigns import NONE, counted
from consent_filter.counts import REFUSED, STORED
from consent_filter.errors import Broken
from consent_filter.fields import EVENT
from warehouse.compact import save
from warehouse.depot import Depot, Place, digest, reading
from warehouse.extensions import quote
from warehouse.facts import ROW_GROUP, Absent
from warehouse.lake import Lake
from warehouse.relations import OWN, lent

Persons = NDArray[np.uint64]


class Part(Struct, frozen=True):
    """A file of facts: its name, how many rows, and the SHA-256 of its bytes."""

    file: str
    rows: int
    sha256: str


class Anew(Struct, frozen=True):
    """One file, and what stands for it: nothing where all of its rows went."""

    old: Part
    new: tuple[Part, ...]

    @property
    def gone(self) -> int:
        return self.old.rows - sum(part.rows for part in self.new)


def held(lake: Lake, persons: Persons) -> dict[str, int]:
    """Files of the facts as they stand that hold rows of these persons: path → how many."""
    if not len(persons):
        return {}
    with lent(lake.connection, gone=table(persons)):
        rows = lake.connection.execute(
            "SELECT filename, count(*) FROM lake.events SEMI JOIN gone USING (person)"
            " GROUP BY ALL ORDER BY ALL"
        )
        return dict(rows.fetchall())


def write(
    lake: Lake, path: str, persons: Persons, folder: Place, name: str, set: Mapping[str, str] | None = None
) -> Anew:
    """A file's rows in new files, without those of `persons`; or, with `set`, with these columns of theirs
    put right (column → SQL). Registers nothing."""
    chosen = ", ".join(
        f"CASE WHEN person IN (FROM gone) THEN {set[one]} ELSE {one} END AS {one}"
        if set and one in set
        else one
        for one in EVENT.names
    )
    # A row of nobody stays: who is gone was not found in it.
    stays = "true" if set else "(person IS NULL OR person NOT IN (FROM gone))"
    with lent(lake.connection, gone=table(persons)):
        rows = lake.connection.execute(
            f"SELECT {chosen} FROM lake.events WHERE filename = '{quote(path)}' AND {stays}"
            " ORDER BY day, person, time"
        )
        made = save(rows.to_arrow_reader(ROW_GROUP), folder, name)
    return Anew(part(lake.depot, path), tuple(part(lake.depot, one) for one, _ in made))


def replace(lake: Lake, files: Sequence[Anew], persons: Persons, *, corrected: bool = False) -> int:
    """Let the new files stand for the old ones, move the counts and note the days, in one transaction.

    Returns the commit's number. Raises, with nothing changed, Broken where a row too many went, or too few;
    Refused (409, `overtaken`) where another job has taken one of the files away.
    """
    old = [lake.depot.whole(one.old.file) for one in files]
    names = ", ".join(f"'{quote(one)}'" for one in old)
    with lent(lake.connection, gone=table(persons)):
        moved = lake.connection.execute(
            "SELECT site, day, coalesce(protocol, ''), coalesce(country, 'ZZ'), type,"
            f" ad_campaign, count(*) FILTER ({OWN}), count(*) FROM lake.events"
            f" SEMI JOIN gone USING (person) WHERE filename IN ({names}) GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    lost, theirs = sum(one.gone for one in files), sum(n for *_, n in moved)
    if lost != (0 if corrected else theirs):
        raise Broken(f"{lost} facts were left out, {theirs} are of those who must be gone")
    days: dict[tuple[str, date], int] = {}
    with lake.transaction():
        lake.stand(old)
        number = lake.number() + 1
        read = sum(one.old.rows for one in files)
        deleted = lake.connection.execute(f"DELETE FROM lake.events WHERE filename IN ({names})").fetchall()
        if deleted != [(read,)]:
            raise Broken(f"{deleted} facts stand in files of {read}")
        lake.add([lake.depot.whole(one.file) for each in files for one in each.new])
        counts: list[tuple[object, ...]] = []
        named = set() if corrected else _named(lake)
        for site, day, protocol, country, type, campaign, n, _ in moved:
            days[site, day] = days.get((site, day), 0) - (0 if corrected else n)
            if not corrected and n:  # the other side of an event was never counted as one
                likely = counted(type, campaign)
                shown = next((one for one in likely if (site, day, *one) in named), NONE)
                counts.append((site, day, protocol, country, STORED, "", "", *shown, -n))
                counts.append((site, day, protocol, country, REFUSED, "erased", "removed", *shown, n))
        lake.insert("received", counts)
        lake.insert("commits", [(number, site, day, n) for (site, day), n in days.items()])
    return number


def _named(lake: Lake) -> set[tuple[str, date, str, str]]:
    """(site, day, event, campaign) under which adverts' events are counted as stored."""
    rows = lake.connection.execute(
        "SELECT DISTINCT site, day, event, campaign FROM lake.received"
        f" WHERE outcome = '{STORED}' AND event <> ''"
    )
    return set(rows.fetchall())


def strangers(lake: Lake, absent: Absent) -> Persons:
    """Persons of the facts who may not be there: a lake of an older day has come back with them (S2)."""
    found = lake.connection.execute(
        "SELECT DISTINCT person FROM lake.events WHERE person IS NOT NULL"
    ).fetchnumpy()["person"]
    persons = np.sort(np.asarray(found, np.uint64))
    return persons[absent(persons)]


def left(data: Path, absent: Absent) -> dict[str, int]:
    """Files that lie there and hold rows of such persons, whether or not the catalog still names them."""
    depot = Depot.of(data)

    def count(file: str) -> tuple[str, int]:
        try:
            return depot.short(file), rows_of(depot.at(file), absent)
        except FileNotFoundError:  # removed since it was listed
            return depot.short(file), 0

    files = sorted(file for file in depot.files() if file.endswith(".parquet"))
    return {file: n for file, n in depot.each(count, files) if n}


def rows_of(file: Place, absent: Absent) -> int:
    """How many rows of such persons a file of facts holds; 0 for a file of something else."""
    with reading(file) as source, pq.ParquetFile(source) as one:
        if "person" not in one.schema_arrow.names:
            return 0
        return sum(
            int(absent(distinct)[where].sum())
            for distinct, where in (
                np.unique(batch["person"].drop_null().to_numpy(), return_inverse=True)
                for batch in one.iter_batches(ROW_GROUP, columns=["person"])
            )
        )


def listing(lake: Lake) -> list[Part]:
    """Every file of facts as the catalog lists them, with the hash of what is there."""
    rows = lake.connection.execute("FROM ducklake_list_files('lake', 'events')").fetchall()
    parts = lake.depot.each(partial(part, lake.depot), [row[0] for row in rows])
    return sorted(parts, key=lambda one: one.file)


def since(lake: Lake) -> Iterator[tuple[Part, int]]:
    """Every file of facts with the snapshot that it came with."""
    meta = "__ducklake_metadata_lake"
    begun = lake.connection.execute(
        f"SELECT f.path, f.begin_snapshot FROM {meta}.ducklake_data_file f JOIN {meta}.ducklake_table t"
        " USING (table_id) WHERE t.table_name = 'events' AND f.end_snapshot IS NULL"
    ).fetchall()
    of = {Path(path).name: snapshot for path, snapshot in begun}
    for one in listing(lake):
        yield one, of[Path(one.file).name]


def part(depot: Depot, file: str) -> Part:
    """A file, by the name that DuckDB has for it."""
    place = depot.at(file)
    with reading(place) as source:
        rows = pq.read_metadata(source).num_rows
    return Part(depot.short(file), rows, digest(place))


def table(persons: Persons) -> pa.Table:
    """Persons as SQL reads them."""
    return pa.table({"person": pa.array(persons, pa.uint64())})


def rows(lake: Lake, persons: Persons) -> Iterator[pa.RecordBatch]:
    """Every fact of these persons, in the order of time."""
    with lent(lake.connection, gone=table(persons)):
        found: duckdb.DuckDBPyConnection = lake.connection.execute(
            f"SELECT {', '.join(EVENT.names)} FROM lake.events SEMI JOIN gone USING (person) ORDER BY time"
        )
        yield from found.to_arrow_reader(ROW_GROUP)
