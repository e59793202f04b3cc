"""Facts at rest: a DuckLake whose one transaction commits Parquet files, log offsets and counts together.

Tables: events (EVENT), received (the counts of the balance), offsets (how far each log partition is folded),
commits (which days a commit touched), judged (`warehouse/invalid`), purges and coarse (`purges.py`).
One writer at a time (the caller holds pipeline.lock; where the catalog is shared, whoever has committed
meanwhile makes another begin anew); readers attach one snapshot, see a whole commit or none of it, and never
block.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date, timedelta
from pathlib import Path, PurePath
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.counts import RECEIVED, REFUSED, STORED, Counts
from consent_filter.errors import Broken, Refused
from consent_filter.fields import EVENT
from warehouse.catalog import FILE, META, Catalog
from warehouse.depot import Depot, Place
from warehouse.extensions import give, quote, take, transaction
from warehouse.lake_settings import LakeSettings, settings

_TYPES = {
    pa.string(): "VARCHAR",
    pa.timestamp("ms"): "TIMESTAMP_MS",
    pa.date32(): "DATE",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.float64(): "DOUBLE",
}
#: name → columns. `events` is derived from FIELDS: a column that has no end cannot get here.
TABLES: dict[str, dict[str, str]] = {
    "events": {field.name: _TYPES[field.type] for field in EVENT},
    "received": {
        "site": "VARCHAR",
        "day": "DATE",
        **dict.fromkeys(("protocol", "country", "outcome", "reason", "detail"), "VARCHAR"),
        **dict.fromkeys(("event", "campaign"), "VARCHAR"),
        "n": "BIGINT",
    },
    "offsets": {"log_partition": "VARCHAR", "position": "BIGINT"},
    "commits": {"number": "BIGINT", "site": "VARCHAR", "day": "DATE", "rows": "BIGINT"},
    "purges": {
        "moment": "TIMESTAMP",
        "reason": "VARCHAR",
        **dict.fromkeys(("facts", "cells", "files", "bytes"), "BIGINT"),
    },
    "judged": {
        "number": "BIGINT",
        "day": "DATE",
        "rules": "INTEGER",
        "moment": "TIMESTAMP",
        "reason": "VARCHAR",
    },
    "coarse": {
        "purpose": "INTEGER",
        **dict.fromkeys(("field", "degree", "site"), "VARCHAR"),
        "day": "DATE",
    },
}
_EPOCH = date(1970, 1, 1)
#: Small rows (counts, offsets) live in the catalog itself, until they are settled (`warehouse.compact`).
_INLINED = 5000
#: DuckDB gives a thread whole groups of so many rows. With less there is nothing to share, and a thread that
#: waits for work spins: a quarter of the processor's time that reports of a small folder took.
ALONE = 122_880
#: Where several machines write, files that no commit knows are another's work until they are this old.
_ABANDONED = "INTERVAL 1 HOUR"


class Lake:
    """One open catalog, attached as `lake` to `connection`. Use `Lake.open`; close it when done."""

    def __init__(self, engine: duckdb.DuckDBPyConnection, data: Path, told: LakeSettings) -> None:
        #: folder: of what this machine keeps for its jobs, wherever facts are; depot: where those are.
        self._engine, self.folder = engine, (data / "lake").resolve()
        self.depot, self.catalog = Depot(data, told), Catalog(data, told)
        self.connection = engine.cursor()

    @classmethod
    def open(
        cls, data: Path, *, write: bool = False, threads: int = 2, inline: bool = True,
        told: LakeSettings | None = None,
    ) -> Lake | None:  # fmt: skip
        """The lake of a data folder; None where there is none yet and it is only to be read.

        A reader sees the snapshot that was the last when it opened, whatever is committed meanwhile.
        `inline=False` lets nothing be written into the catalog but the catalog. `told`: another lake than
        that of the settings.
        """
        told = settings(data) if told is None else told
        if not told.shared and not Catalog(data, told).file.exists():
            if not write:
                return None
            _make(data, threads, told)
        lake = cls(take(threads), data, told)
        try:
            if write:
                lake.folder.mkdir(parents=True, exist_ok=True)
                lake.depot.check()
                lake._begin(inline=inline)
            elif not lake._look():
                lake.close()
                return None
        except BaseException:
            lake.close()
            raise
        return lake

    def _attach(self, options: str, *, write: bool = False, catalog: str = FILE) -> None:
        # The folder may have been moved or restored since: paths in the catalog are relative to this one.
        where = f"DATA_PATH '{quote(self.depot.root)}', OVERRIDE_DATA_PATH true"
        self.depot.lend(self.connection)
        self.catalog.attach(self.connection, f"{where}, {options}", write=write, name=catalog)

    def _begin(self, *, inline: bool) -> None:
        options = f"DATA_INLINING_ROW_LIMIT {_INLINED if inline else 0}"
        if self.catalog.shared:
            with self.catalog.turn(self._engine):  # of two who make it, one must find it there
                self._attach(options, write=True)
                self._widen()
        else:
            self._attach(options, write=True)
            self._widen()

    def _look(self) -> bool:
        """Attach the last snapshot. False where a shared catalog has no lake yet."""
        try:
            self._attach("READ_ONLY, CREATE_IF_NOT_EXISTS false")
        except duckdb.Error as error:
            if self.catalog.shared and "does not exist" in str(error):
                return False
            raise
        (last,) = self._row("SELECT id FROM ducklake_current_snapshot('lake') AS snapshot(id)")
        self.connection.execute("DETACH lake")
        self._attach(f"READ_ONLY, SNAPSHOT_VERSION {last}")
        return not self.catalog.shared or "events" in {table for table, _ in self._columns()}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing, in this lake's turn: what is read in it is what stands."""
        with self.catalog.turn(self._engine), transaction(self.connection):
            yield

    def _columns(self) -> list[tuple[str, str]]:
        """Tables and their columns, as the catalog has them now; `duckdb_columns` would load them all."""
        now = "end_snapshot IS NULL"
        return self.connection.execute(
            f"SELECT table_name, column_name FROM (FROM {META}.ducklake_table WHERE {now})"
            f" JOIN (FROM {META}.ducklake_column WHERE {now} AND parent_column IS NULL) USING (table_id)"
        ).fetchall()

    def _widen(self) -> None:
        """Add what has come since the lake was made: tables, and columns, null in older rows."""
        columns = self._columns()
        if missing := TABLES.keys() - {table for table, _ in columns}:
            with transaction(self.connection):
                for table in missing:
                    self.connection.execute(f"CREATE TABLE lake.{table} ({_columns(TABLES[table])})")
            if "events" in missing:
                _inline_nothing(self.connection)
        for table in ("events", "received"):
            found = {name for one, name in columns if one == table}
            for name in TABLES[table].keys() - found if found else ():
                self.connection.execute(f"ALTER TABLE lake.{table} ADD COLUMN {name} {TABLES[table][name]}")

    def _row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        found = self.connection.execute(sql, values).fetchone()
        assert found is not None
        return found

    def offsets(self) -> dict[str, int]:
        """How far each partition of the log has been folded."""
        rows = self.connection.execute("SELECT log_partition, max(position) FROM lake.offsets GROUP BY ALL")
        return dict(rows.fetchall())

    def rows(self) -> dict[date, int]:
        """Rows of facts by day. With few of them (ALONE) the engine goes on with one thread."""
        asked = "SELECT day, sum(rows)::BIGINT FROM lake.commits GROUP BY ALL"
        rows = dict(self.connection.execute(asked).fetchall())
        if sum(rows.values()) <= ALONE:
            self.connection.execute("SET threads = 1")
        return rows

    def number(self) -> int:
        """The number of the last commit of facts; 0 before the first."""
        return int(self._row("SELECT coalesce(max(number), 0) FROM lake.commits")[0])

    def made(self) -> int:
        """Tells this catalog from another one that stood at the same place."""
        return self.catalog.made(self.connection)

    def snapshot(self) -> int:
        """The number of the catalog's snapshot that this connection sees."""
        return int(self._row("SELECT id FROM ducklake_current_snapshot('lake') AS snapshot(id)")[0])

    def count(self) -> int:
        """How many facts there are."""
        return int(self._row("SELECT count(*) FROM lake.events")[0])

    def touched(self, since: int) -> list[tuple[str, date]]:
        """(site, day) of every commit after that number."""
        rows = self.connection.execute(
            "SELECT DISTINCT site, day FROM lake.commits WHERE number > ? ORDER BY ALL", [since]
        )
        return rows.fetchall()

    def room(self) -> tuple[Place, str]:
        """Where new files of facts go, and a prefix for their names that nobody else has."""
        return self.depot.room(), uuid.uuid4().hex

    def files(self) -> dict[str, int]:
        """Every file that lies in the lake, and its bytes."""
        return self.depot.files()

    def stand(self, files: Sequence[str]) -> None:
        """Raises Refused (409, `overtaken`) where not all of these files are facts any more: another job has
        written them anew. Part of the caller's transaction."""
        if files:
            known = self.connection.execute("FROM ducklake_list_files('lake', 'events')").fetchall()
            if {PurePath(file).name for file in files} - {PurePath(file).name for file, *_ in known}:
                raise overtaken()

    def commit(
        self,
        files: Sequence[Place],
        offsets: Mapping[str, int],
        counts: Counts,
        days: Mapping[tuple[str, int], int],
        since: int | None = None,
    ) -> int:
        """Add files, offsets, counts and touched days in one transaction; returns the commit's number.

        `days`: rows added by (site, day since 1970). All of it becomes visible at once, or nothing does.
        Raises Broken where the counts say something else than the rows; Refused (409, `overtaken`), where
        another has committed `since` that number, which is then to be looked at first.
        """
        sums = Counter({RECEIVED: 0, STORED: 0, REFUSED: 0})
        for key, n in counts.items():
            sums[key.outcome] += n
        if sums[RECEIVED] != sums[STORED] + sums[REFUSED] or sums[STORED] != sum(days.values()):
            raise Broken(f"counts {sums} and {sum(days.values())} rows written do not agree")
        with self.transaction():
            number = self.number() + 1
            if since is not None and number != since + 1:
                raise overtaken()
            self.add(files)
            self.insert("offsets", list(offsets.items()))
            self.insert(
                "received",
                [(k.site, _day(k.day), *k[2:], n) for k, n in counts.items() if n],
            )
            touched = {(k.site, k.day): 0 for k in counts if k.site} | dict(days)
            self.insert("commits", [(number, site, _day(day), n) for (site, day), n in touched.items()])
        return number

    def add(self, files: Sequence[Place | str]) -> None:
        """Register files that lie in the room; part of the caller's transaction."""
        if files:
            names = ", ".join(f"'{quote(file)}'" for file in files)
            self.connection.execute(f"CALL ducklake_add_data_files('lake', 'events', [{names}])")

    def insert(self, table: str, rows: list[tuple[Any, ...]]) -> None:
        """Rows of one of TABLES, in the order of its columns; part of the caller's transaction."""
        columns = ", ".join(TABLES[table])
        for at in range(0, len(rows), _INLINED):
            part = rows[at : at + _INLINED]
            marks = ", ".join("(" + ", ".join("?" * len(part[0])) + ")" for _ in part)
            self.connection.execute(
                f"INSERT INTO lake.{table} ({columns}) VALUES {marks}",
                [value for row in part for value in row],
            )

    def balance(self) -> dict[str, Any]:
        """`{"received", "stored", "refused": {reason: n}}` of all that has been folded (S15)."""
        rows = self.connection.execute(
            "SELECT outcome, reason, sum(n)::BIGINT FROM lake.received GROUP BY ALL ORDER BY ALL"
        )
        found: dict[str, Any] = {RECEIVED: 0, STORED: 0, REFUSED: {}}
        for outcome, reason, n in rows.fetchall():
            if outcome in (RECEIVED, STORED):
                found[outcome] = n
            elif outcome == REFUSED and n:
                found[REFUSED][reason] = n
        return found

    def recent_ids(self, since: float) -> NDArray[np.uint64]:
        """Event ids received since then (seconds since 1970): those that a retry could repeat. Sorted."""
        found = self.connection.execute(
            "SELECT event_id FROM lake.events WHERE event_id IS NOT NULL AND received >= make_timestamp(?)",
            [round(since * 1e6)],
        ).fetchnumpy()["event_id"]
        return np.sort(np.asarray(found, np.uint64))

    def sweep(self) -> int:
        """Delete files that no commit knows: what a killed run left behind. Only under pipeline.lock."""
        which = f"older_than => now() - {_ABANDONED}" if self.catalog.shared else "cleanup_all => true"
        swept = self.connection.execute(f"CALL ducklake_delete_orphaned_files('lake', {which})")
        return len(swept.fetchall())

    def close(self) -> None:
        """Give the engine back; temporary tables of the connection are gone with it."""
        self.connection.close()
        with suppress(duckdb.Error):
            self.catalog.leave(self._engine)
            give(self._engine)


def overtaken() -> Refused:
    """What is said to a job that another one came before."""
    return Refused(409, "overtaken", "another job has committed meanwhile; this one has changed nothing")


def rows_of(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    """Rows of a table of the lake; none where the lake is older than its table. The list of all tables, asked
    first, takes longer than the rows."""
    try:
        return connection.execute(query).fetchall()
    except duckdb.CatalogException:
        return []


def _make(data: Path, threads: int, told: LakeSettings) -> None:
    """A new catalog in the data folder, under its name only when it is whole."""
    lake = Lake(take(threads), data, told)
    folder, draft = lake.folder, f"{FILE}.new"
    (folder / "files").mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(f"{draft}*"):
        leftover.unlink()
    try:
        lake.depot.check()
        lake._attach(f"DATA_INLINING_ROW_LIMIT {_INLINED}", write=True, catalog=draft)
        with transaction(lake.connection):  # each commit to a catalog takes as long as all of them together
            for table, columns in TABLES.items():
                lake.connection.execute(f"CREATE TABLE lake.{table} ({_columns(columns)})")
        _inline_nothing(lake.connection)
    finally:
        lake.close()
    os.replace(folder / draft, folder / FILE)


def _inline_nothing(connection: duckdb.DuckDBPyConnection) -> None:
    """Deletions of a few facts must reach their files, not wait in the catalog."""
    connection.execute(
        "CALL ducklake_set_option('lake', 'data_inlining_row_limit', '0', table_name => 'events')"
    )


def _columns(columns: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())


def _day(days: int) -> date:
    return _EPOCH + timedelta(days=days)
