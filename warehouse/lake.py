"""Facts at rest: a DuckLake whose one transaction commits Parquet files, log offsets and counts together.

Tables: events (EVENT), received (the counts of the balance), offsets (how far each log partition is folded),
commits (which days a commit touched). One writer at a time (the caller holds pipeline.lock); readers attach
read-only, see a whole commit or none of it, and never block.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from consent_filter.counts import RECEIVED, REFUSED, STORED, Counts
from consent_filter.fields import EVENT
from warehouse.extensions import OFFLINE, load, quote

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
_TABLES = (
    f"events ({', '.join(f'{f.name} {_TYPES[f.type]}' for f in EVENT)})",
    "received (site VARCHAR, day DATE, protocol VARCHAR, country VARCHAR, outcome VARCHAR, reason VARCHAR,"
    " detail VARCHAR, n BIGINT)",
    "offsets (log_partition VARCHAR, position BIGINT)",
    "commits (number BIGINT, site VARCHAR, day DATE, rows BIGINT)",
)
_EPOCH = date(1970, 1, 1)
#: Small rows (counts, offsets) live in the catalog itself; a Parquet file for each would be thousands.
_INLINED = 2000


class Lake:
    """One open catalog. Use `Lake.open`; close it when done."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
        self.connection, self.folder = connection, folder

    @classmethod
    def open(cls, data: Path, *, write: bool = False, threads: int = 2) -> Lake | None:
        """The lake of a data folder; None where there is none yet and it is only to be read."""
        folder = data / "lake"
        catalog, files = folder / "catalog.sqlite", folder / "files"
        if not catalog.exists():
            if not write:
                return None
            files.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(":memory:", config={**OFFLINE, "threads": str(threads)})
        load(connection, "ducklake", "sqlite_scanner")
        mode = f"DATA_INLINING_ROW_LIMIT {_INLINED}" if write else "READ_ONLY"
        connection.execute(
            f"ATTACH 'ducklake:sqlite:{quote(catalog)}' AS lake (DATA_PATH '{quote(files)}/', {mode})"
        )
        lake = cls(connection, folder)
        if write:
            lake._make()
        return lake

    def _make(self) -> None:
        for table in _TABLES:
            self.connection.execute(f"CREATE TABLE IF NOT EXISTS lake.{table}")
        (made,) = self._row("SELECT count(*) FROM ducklake_options('lake') WHERE scope_entry = 'main.events'")
        if not made:
            self.connection.execute(
                "CALL ducklake_set_option('lake', 'data_inlining_row_limit', '0', table_name => 'events')"
            )

    def _row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        found = self.connection.execute(sql, values).fetchone()
        assert found is not None
        return found

    def offsets(self) -> dict[str, int]:
        """How far each partition of the log has been folded."""
        rows = self.connection.execute("SELECT log_partition, max(position) FROM lake.offsets GROUP BY ALL")
        return dict(rows.fetchall())

    def number(self) -> int:
        """The number of the last commit of facts; 0 before the first."""
        return int(self._row("SELECT coalesce(max(number), 0) FROM lake.commits")[0])

    def touched(self, since: int) -> list[tuple[str, date]]:
        """(site, day) of every commit after that number."""
        rows = self.connection.execute(
            "SELECT DISTINCT site, day FROM lake.commits WHERE number > ? ORDER BY ALL", [since]
        )
        return rows.fetchall()

    def room(self) -> Path:
        """A new folder for the files of one run; what is never committed is swept away by the next run."""
        folder = self.folder / "files" / "facts" / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def commit(
        self,
        files: Sequence[Path],
        offsets: Mapping[str, int],
        counts: Counts,
        rows: Mapping[tuple[str, int], int],
    ) -> int:
        """Add files, offsets, counts and touched days in one transaction; returns the commit's number.

        `rows`: rows added by (site, day since 1970). All of it becomes visible at once, or nothing does.
        """
        run = self.connection.execute
        number = self.number() + 1
        run("BEGIN")
        try:
            if files:
                names = ", ".join(f"'{quote(file)}'" for file in files)
                run(f"CALL ducklake_add_data_files('lake', 'events', [{names}])")
            self._insert("offsets", [(name, position) for name, position in offsets.items()])
            self._insert(
                "received",
                [
                    (k.site, _day(k.day), k.protocol, k.country, k.outcome, k.reason, k.detail, n)
                    for k, n in counts.items()
                    if n
                ],
            )
            touched = {(k.site, k.day): 0 for k in counts if k.site} | dict(rows)
            self._insert("commits", [(number, site, _day(day), n) for (site, day), n in touched.items()])
            run("COMMIT")
        except BaseException:
            run("ROLLBACK")
            raise
        return number

    def _insert(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        held = list(rows)
        if held:
            marks = ", ".join("(" + ", ".join("?" * len(held[0])) + ")" for _ in held)
            self.connection.execute(
                f"INSERT INTO lake.{table} VALUES {marks}", [value for row in held for value in row]
            )

    def balance(self) -> dict[str, Any]:
        """`{"received", "stored", "refused": {reason: n}}` of all that has been folded (S15)."""
        rows = self.connection.execute("SELECT outcome, reason, sum(n)::BIGINT FROM lake.received GROUP BY ALL")
        found: dict[str, Any] = {RECEIVED: 0, STORED: 0, REFUSED: {}}
        for outcome, reason, n in rows.fetchall():
            if outcome == REFUSED:
                found[REFUSED][reason] = n
            else:
                found[outcome] = n
        return found

    def recent_ids(self, hours: float, now: float) -> pa.ChunkedArray:
        """Event ids received in the last hours: where a retry of them could still come."""
        return self.connection.execute(
            "SELECT event_id FROM lake.events WHERE event_id IS NOT NULL AND received >= to_timestamp(?)::TIMESTAMP",
            [now - hours * 3600],
        ).to_arrow_table()["event_id"]

    def sweep(self) -> int:
        """Delete files that no commit knows: what a killed run left behind. Only under pipeline.lock."""
        return len(
            self.connection.execute("CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)").fetchall()
        )

    def close(self) -> None:
        self.connection.close()


def _day(days: int) -> date:
    return _EPOCH + timedelta(days=days)
