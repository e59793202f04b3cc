"""Released tables as last computed, between the reports job and publication: DATA/released/work.duckdb.

Each report replaces the rows of the days it made anew, in one transaction with the state that says up to
which commit of facts it has seen; killed anywhere, the next run does the same work again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from warehouse.extensions import OFFLINE
from warehouse.report import Report


class Store:
    """One open file; one process at a time (the caller holds pipeline.lock)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        connection.execute("CREATE TABLE IF NOT EXISTS state_of (name VARCHAR PRIMARY KEY, value VARCHAR)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS done_to (report VARCHAR PRIMARY KEY, explanation VARCHAR, version BIGINT)"
        )

    @classmethod
    def open(cls, data: Path) -> Store:
        """The store of a data folder, made if there is none."""
        folder = data / "released"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(duckdb.connect(str(folder / "work.duckdb"), config=dict(OFFLINE)))

    def get(self, name: str) -> str | None:
        found = self.connection.execute("SELECT value FROM state_of WHERE name = ?", [name]).fetchone()
        return found[0] if found else None

    def put(self, name: str, value: object) -> None:
        self.connection.execute("INSERT OR REPLACE INTO state_of VALUES (?, ?)", [name, str(value)])

    def tables(self) -> set[str]:
        rows = self.connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal")
        return {name for (name,) in rows.fetchall()}

    def replace(self, report: Report, days: Sequence[date] | None, table: pa.Table, explanation: str) -> bool:
        """Put a report's rows in place of those of the same days (None: all). Whether anything changed."""
        run = self.connection.execute
        self.connection.register("incoming", table)
        try:
            if report.name not in self.tables():
                run(f"CREATE TABLE {report.name} AS FROM incoming WITH NO DATA")
            where = "true"
            if days is not None:
                where = f"day IN ({', '.join(f'DATE {day.isoformat()!r}' for day in days)})" if days else "false"
            old = f"(SELECT * FROM {report.name} WHERE {where})"
            found = run(
                f"SELECT (SELECT count(*) FROM (FROM {old} EXCEPT ALL FROM incoming))"
                f" + (SELECT count(*) FROM (FROM incoming EXCEPT ALL FROM {old}))"
            ).fetchone()
            if found and not found[0]:
                return False
            run(f"DELETE FROM {report.name} WHERE {where}")
            run(f"INSERT INTO {report.name} FROM incoming")
            run(
                "INSERT INTO done_to VALUES (?, ?, 1) ON CONFLICT DO UPDATE"
                " SET explanation = excluded.explanation, version = version + 1",
                [report.name, explanation],
            )
            return True
        finally:
            self.connection.unregister("incoming")

    def versions(self) -> dict[str, int]:
        """How often each report has changed: what publication compares."""
        return dict(self.connection.execute("SELECT report, version FROM done_to").fetchall())

    def close(self) -> None:
        self.connection.close()
