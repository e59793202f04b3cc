"""Released tables as last computed, between the reports job and publication: DATA/released/work.duckdb.

Each run replaces the rows of the days it made anew, in one transaction with the state that says which facts,
settings and withdrawals they were made of; killed anywhere, the next run does the same work again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from warehouse.days import named
from warehouse.extensions import OFFLINE, quote
from warehouse.facts import Absent
from warehouse.finest import stands
from warehouse.relations import hold, lent
from warehouse.report import Report

_OWN = (
    "state_of (name VARCHAR PRIMARY KEY, value VARCHAR)",
    "done_to (report VARCHAR PRIMARY KEY, explanation VARCHAR, version BIGINT)",
    "subtracted (person UBIGINT)",
    "logins (mark UBIGINT, moment TIMESTAMP_MS)",
    "restatements (site VARCHAR, day DATE, version BIGINT, made_at TIMESTAMP, reason VARCHAR, people BIGINT,"
    " hidden BOOLEAN)",
    "effects (report VARCHAR, node VARCHAR, what VARCHAR, number VARCHAR, n BIGINT, people BIGINT)",
    "audited (report VARCHAR, node VARCHAR, hidden BIGINT, told BIGINT)",
)
#: Stands for a login: nobody's pseudonym can be read from it.
_MARK = "hash(device, account, moment)"


class Store:
    """One open file; one process at a time (the caller holds pipeline.lock)."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.changed: set[tuple[str, date]] = set()
        self.told: set[tuple[str, date]] = set()
        for table in _OWN:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table}")

    @classmethod
    def open(cls, data: Path) -> Store:
        """The store of a data folder, made if there is none."""
        folder = data / "released"
        folder.mkdir(parents=True, exist_ok=True)
        return cls(duckdb.connect(str(folder / "work.duckdb"), config=dict(OFFLINE)))

    @contextmanager
    def change(self) -> Iterator[None]:
        """All that is done inside becomes so at once, or not at all."""
        self.connection.execute("BEGIN")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise

    def get(self, name: str) -> str | None:
        """A word of the state."""
        found = self.connection.execute("SELECT value FROM state_of WHERE name = ?", [name]).fetchall()
        return found[0][0] if found else None

    def put(self, **state: object) -> None:
        """Set words of the state."""
        for name, value in state.items():
            self.connection.execute("INSERT OR REPLACE INTO state_of VALUES (?, ?)", [name, str(value)])

    def subtracted(self) -> NDArray[np.uint64]:
        """Whom the tables were made without: pseudonyms of those who had withdrawn. Never published."""
        column = self.connection.sql("SELECT person FROM subtracted ORDER BY person").to_arrow_table()[
            "person"
        ]
        found: NDArray[np.uint64] = column.to_numpy()
        return found

    def say(self, reason: str, days: Mapping[tuple[str, date], tuple[int | None, bool]]) -> None:
        """Number a new version of days of sites; `days`: of how many people the change is, where that may be
        told, and whether rows are hidden with it. Of versions that new events made, the last is kept."""
        run = self.connection.execute
        rows = [(*at, *said) for at, said in days.items()]
        if not rows:
            return
        names = ["site", "day", "people", "hidden"]
        kinds = [pa.string(), pa.date32(), pa.int64(), pa.bool_()]
        columns = [
            pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)
        ]
        with lent(self.connection, said=pa.table(columns, names=names)):
            run(
                "CREATE OR REPLACE TEMP TABLE numbered AS"
                " SELECT s.*, coalesce(max(version), 0) + 1 AS version FROM said s"
                " LEFT JOIN restatements r ON r.site = s.site AND r.day = s.day GROUP BY ALL"
            )
        run(
            "DELETE FROM restatements WHERE reason = 'new_events'"
            " AND (site, day) IN (SELECT (site, day) FROM numbered)"
        )
        run(
            "INSERT INTO restatements SELECT site, day, version, epoch_ms(?::BIGINT),"
            " CASE WHEN version = 1 THEN 'first' ELSE ? END, people, hidden FROM numbered",
            [round(time.time() * 1000), reason],
        )

    def turned(self, logins: pa.Table) -> tuple[pa.Table, list[date]]:
        """Those of the logins that the tables were not made with; and the days (UTC) of others that they were
        made with, of which no more is known here."""
        hold(self.connection, "now", logins)
        run = self.connection.sql
        new = run(f"FROM now WHERE {_MARK} NOT IN (SELECT mark FROM logins)").to_arrow_table()
        gone = run(
            "SELECT DISTINCT CAST(moment AS DATE) FROM logins"
            f" WHERE mark NOT IN (SELECT {_MARK} FROM now) ORDER BY ALL"
        )
        return new, [day for (day,) in gone.fetchall()]

    def known(self, logins: pa.Table) -> pa.Table:
        """Those of the logins that the tables were made with."""
        hold(self.connection, "now", logins)
        return self.connection.sql(f"FROM now WHERE {_MARK} IN (SELECT mark FROM logins)").to_arrow_table()

    def turn(self, new: pa.Table, gone: pa.Table) -> None:
        """Say that what is made next is made with these logins, too, and without those."""
        for logins, change in (
            (new, f"INSERT INTO logins SELECT {_MARK}, moment FROM now"),
            (gone, f"DELETE FROM logins WHERE mark IN (SELECT {_MARK} FROM now)"),
        ):
            hold(self.connection, "now", logins)
            self.connection.execute(change)

    def join(self, logins: pa.Table) -> None:
        """Say which logins the tables are now made with: by a hash, so that whoever is erased is not here."""
        hold(self.connection, "now", logins)
        self.connection.execute("DELETE FROM logins")
        self.connection.execute(f"INSERT INTO logins SELECT {_MARK}, moment FROM now")

    def published(self, without: Iterable[date]) -> pa.Table:
        """(site, day) that `traffic_day` has a row of, except on the days given."""
        if "traffic_day" not in self.versions():
            return pa.table({"site": pa.array([], pa.string()), "day": pa.array([], pa.date32())})
        return self.connection.sql(
            f"SELECT site, day FROM traffic_day WHERE NOT ({named(without)})"
        ).to_arrow_table()

    def replace(
        self,
        report: Report,
        days: Sequence[date] | None,
        table: pa.Table,
        explanation: str,
        standing: pa.Table | None = None,
        still: Collection[str] = (),
    ) -> bool:
        """Put a report's rows in place of those of the same days (None: all). Whether anything changed;
        `changed` collects the days of sites on which it did.

        `standing`: (site, day) whose rows stay as they are: facts no longer say what is in them. `still`:
        groups whose rows stay as they are until more have left.
        """
        run, name = self.connection.execute, report.name
        moves = _moves(report, still)
        if standing is not None and standing.num_rows:
            hold(self.connection, "standing", standing)
            moves = f"{moves} AND NOT {stands(report)}"
        if moves != "true":
            with lent(self.connection, made=table):
                table = self.connection.sql(f"FROM made WHERE {moves}").to_arrow_table()
        there = self._columns(name) == table.column_names
        where = f"({'true' if days is None else named(days)}) AND {moves}"
        old = f"(SELECT * FROM {name} WHERE {where})"
        differ = not there or self._differ(report, table, old)
        said = run("SELECT explanation FROM done_to WHERE report = ?", [name]).fetchall()
        if not differ and said == [(explanation,)]:
            return False
        hold(self.connection, "new_rows", table)
        if not there:
            run(f"CREATE OR REPLACE TABLE {name} AS FROM new_rows WITH NO DATA")
        if differ and report.people and report.grain == "day":
            # A row is there once by its keys: what stands in both twice has stayed as it was.
            self.changed |= set(run(
                f"SELECT DISTINCT site, day FROM (FROM (FROM {old} UNION ALL FROM new_rows)"
                " GROUP BY ALL HAVING count(*) = 1)"
            ).fetchall())  # fmt: skip
        run(f"DELETE FROM {name} WHERE {where}")
        run(f"INSERT INTO {name} FROM new_rows")
        run(
            "INSERT INTO done_to VALUES (?, ?, 1) ON CONFLICT DO UPDATE"
            " SET explanation = excluded.explanation, version = version + 1",
            [name, explanation],
        )
        return True

    def _columns(self, name: str) -> list[str]:
        """Of a report's table; none where there is none yet. `duckdb_columns` would look at every table."""
        try:
            found = self.connection.execute("SELECT name FROM pragma_table_info(?)", [name])
            return [column for (column,) in found.fetchall()]
        except duckdb.CatalogException:
            return []

    def _differ(self, report: Report, table: pa.Table, old: str) -> bool:
        """Whether a report's rows are others than those in `old`, a query. Their keys tell rows apart."""
        by = [(key, "ascending") for key in report.keys]
        return bool(self.connection.sql(f"FROM {old}").to_arrow_table().sort_by(by) != table.sort_by(by))

    def drop(self, others_than: Iterable[str]) -> None:
        """Remove reports that there are no more."""
        for name in set(self.versions()) - set(others_than):
            self.connection.execute(f"DROP TABLE {name}")
            self.connection.execute("DELETE FROM done_to WHERE report = ?", [name])

    def versions(self) -> dict[str, int]:
        """How often each report has changed: what publication compares."""
        return dict(self.connection.execute("SELECT report, version FROM done_to").fetchall())

    def close(self) -> None:
        self.connection.close()


#: Tables that name persons: whom the tables were made without, and who has come back to a restated day.
_NAMING = ("subtracted", "absent")


def subtracted_of(data: Path, absent: Absent) -> int:
    """How many such persons stand in the lists of whom the tables were made without."""
    if not (data / "released" / "work.duckdb").exists():
        return 0
    store = Store.open(data)
    try:
        return sum(int(absent(persons).sum()) for persons in _named(store).values())
    finally:
        store.close()


def forget(data: Path, absent: Absent) -> None:
    """Take such persons out of those lists. A new file stands for the old one: DuckDB leaves what was deleted
    in blocks that it may use again some day."""
    store = Store.open(data)
    try:
        lists = _named(store)
        draft = data / "released" / "work.duckdb.new"
        for leftover in draft.parent.glob(f"{draft.name}*"):
            leftover.unlink()
        run = store.connection.execute
        run(f"ATTACH '{quote(draft)}' AS fresh")
        for statement, name in run(
            "SELECT sql, table_name FROM duckdb_tables() WHERE NOT temporary"
            " AND database_name = current_database()"
        ).fetchall():
            run(statement.replace("CREATE TABLE ", "CREATE TABLE fresh.", 1))
            held = lists.get(name, np.zeros(0, np.uint64))
            with lent(store.connection, leaving=pa.table({"person": held[absent(held)]})):
                where = "WHERE person NOT IN (FROM leaving)" if len(held) else ""
                run(f"INSERT INTO fresh.{name} FROM {name} {where}")
        run("DETACH fresh")
    finally:
        store.close()
    # Its journal is of the old file; everything in it is in the new one.
    (data / "released" / "work.duckdb.wal").unlink(missing_ok=True)
    os.replace(draft, data / "released" / "work.duckdb")


def _named(store: Store) -> dict[str, NDArray[np.uint64]]:
    """The persons that each of those lists names."""
    there = {
        name for (name,) in store.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()
    }
    return {
        name: np.asarray(
            store.connection.execute(f"SELECT DISTINCT person FROM {name}").fetchnumpy()["person"], np.uint64
        )
        for name in _NAMING
        if name in there
    }


def _moves(report: Report, still: Collection[str]) -> str:
    listed = ", ".join("'" + group.replace("'", "''") + "'" for group in sorted(still))
    return f"{report.node(0)} NOT IN ({listed})" if listed else "true"
