"""The catalog of the lake: a SQLite file in the data folder, or a PostgreSQL database.

PostgreSQL holds names and statistics of files, counts and offsets: no pseudonym (`blur.py`), no event. One
turn at a time is taken there (an advisory lock, gone with its connection), so that jobs of several machines
commit one after the other.
"""

from __future__ import annotations

import errno
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import duckdb

from consent_filter.errors import Broken, Misconfigured
from warehouse.depot import lend
from warehouse.extensions import OFFLINE, load, quote
from warehouse.lake_settings import LakeSettings, secret, settings

FILE = "catalog.sqlite"
#: WAL: readers and the writer don't wait for each other, and a commit is one synced write.
_SQLITE = "META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 10000"
_SECRET = "lake_catalog"
#: Whose turn it is to commit; the lock is of this database alone.
_TURN = 0x7468726F6E67
#: The catalog's own database, as DuckLake attaches it.
META = "__ducklake_metadata_lake"
_DAMAGED = (
    f"lake/{FILE} is damaged: put a backup back with `throng restore`; until then collectors go on, and"
    " nothing of the log is trimmed"
)
#: Every table of a catalog, in the database that is attached as `lake_turn`.
_TABLES = (
    "FROM postgres_query('lake_turn', 'SELECT tablename::text FROM pg_tables"
    " WHERE schemaname = current_schema() AND starts_with(tablename, ''ducklake_'') ORDER BY 1')"
)
_STATISTICS = ("ducklake_file_column_stats", "ducklake_data_file", "ducklake_files_scheduled_for_deletion")


class Catalog:
    """Where a data folder's lake has its catalog."""

    def __init__(self, data: Path, told: LakeSettings) -> None:
        self._data, self._told = data, told
        self.file = (data / "lake" / FILE).resolve()
        self.shared = told.shared

    @classmethod
    def of(cls, data: Path) -> Catalog:
        """As the settings say."""
        return cls(data, settings(data))

    def place(self) -> tuple[object, ...] | None:
        """Tells the place of this catalog from others; None where none is there for certain."""
        if self.shared:
            return self._told.host, self._told.port, self._told.database
        return (self.file.stat().st_ino,) if self.file.exists() else None

    def attach(
        self, connection: duckdb.DuckDBPyConnection, options: str, *, write: bool, name: str = FILE
    ) -> None:
        """Attach it as `lake`. Raises OSError where the database is away, or the disk is full, Misconfigured
        where it does not let us in, Broken where the file is no catalog."""
        if not self.shared:
            more, file = f", {_SQLITE}" if write else "", self.file.with_name(name)
            try:
                # An empty one would be begun anew, and every file of facts swept away as nobody's.
                if name == FILE and not file.stat().st_size:
                    raise Broken(_DAMAGED)
                connection.execute(f"ATTACH 'ducklake:sqlite:{quote(file)}' AS lake ({options}{more})")
            except duckdb.Error as error:
                if any(one in str(error) for one in ("not a database", "malformed", "does not exist")):
                    raise Broken(_DAMAGED) from None
                if any(one in str(error) for one in ("disk I/O error", "disk is full")):
                    said = "the catalog of facts can't be written: its disk is full, or fails"
                    raise OSError(errno.EIO, said) from None
                raise
            return
        self._lend(connection)
        with self._said():
            connection.execute(
                f"ATTACH 'ducklake:postgres:{self._line()}' AS lake ({options}, META_SECRET '{_SECRET}')"
            )

    def _lend(self, connection: duckdb.DuckDBPyConnection) -> None:
        load(connection, "postgres_scanner")
        told = self._told
        parts = {"HOST": told.host, "DATABASE": told.database, "USER": told.username}
        if told.password_file:
            parts["PASSWORD"] = secret(self._data, "password_file", told.password_file)
        said = ", ".join(f"{name} '{quote(value)}'" for name, value in parts.items())
        lend(connection, f"{_SECRET} (TYPE postgres, PORT {told.port}, {said})")

    def _line(self) -> str:
        """What libpq is told besides. A turn must not outlive a machine that is lost."""
        told = self._told
        tls = (
            f"sslmode=verify-full sslrootcert={_value(self._data.resolve() / told.ca)}"
            if told.tls
            else "sslmode=prefer"
        )
        alive = "keepalives_idle=20 keepalives_interval=5 keepalives_count=3"
        return quote(f"connect_timeout={max(2, round(told.timeout_s))} {alive} {tls}")

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Failures to get in, in our words: those of the database may hold what it was asked."""
        try:
            yield
        except duckdb.Error as error:
            text = str(error)
            if "Unable to connect" not in text and "connection" not in text.lower():
                raise
            told, where = self._told, f"{self._told.host}:{self._told.port}"
            if any(one in text for one in ("authentication failed", "no password supplied", "pg_hba")):
                allowed = f"a user that {where} lets in, by the password in lake.password_file"
                raise Misconfigured("lake.username", told.username, allowed) from None
            if "does not exist" in text:
                raise Misconfigured("lake.database", told.database, f"a database of {where}") from None
            if "certificate" in text or "SSL" in text:
                raise Misconfigured("lake.ca", told.ca, f"who vouches for {where}") from None
            raise OSError(errno.EHOSTUNREACH, f"no answer from the catalog at {where}") from None

    def made(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Tells this catalog from another one that stood at the same place: restored, made anew, moved."""
        if not self.shared:
            return self.file.stat().st_ino
        ((text,),) = connection.execute(
            f"FROM postgres_query('{META}', 'SELECT concat_ws(''/'', system_identifier, timeline_id,"
            " ''ducklake_metadata''::regclass::oid) AS said FROM pg_control_system(),"
            " pg_control_checkpoint()')"
        ).fetchall()
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest())

    @contextmanager
    def turn(self, engine: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Be the only one who commits to this catalog. With SQLite pipeline.lock sees to it."""
        if not self.shared:
            yield
            return
        connection = engine.cursor()
        try:
            self._lend(connection)
            with self._said():
                connection.execute(
                    f"ATTACH IF NOT EXISTS '{self._line()}' AS lake_turn (TYPE postgres, SECRET {_SECRET})"
                )
            connection.execute("BEGIN")
            connection.execute(
                f"FROM postgres_query('lake_turn', 'SELECT pg_advisory_xact_lock({_TURN})::text')"
            ).fetchall()
            yield
        finally:
            with suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            connection.close()

    def leave(self, engine: duckdb.DuckDBPyConnection) -> None:
        """Let an engine know nothing of it any more."""
        engine.execute("DETACH DATABASE IF EXISTS lake")
        if self.shared:
            engine.execute("DETACH DATABASE IF EXISTS lake_turn")
            engine.execute(f"DROP SECRET IF EXISTS {_SECRET}")

    def vacant(self) -> bool:
        """Whether no catalog is there."""
        if not self.shared:
            return not self.file.exists()
        with self._asked() as connection:
            return not connection.execute(_TABLES).fetchall()

    def raze(self) -> None:
        """Take it away, whole. Its files stay."""
        if not self.shared:
            # The log first: left alone, it would be taken for that of the next one of this name.
            for more in ("-wal", "-shm", ""):
                self.file.with_name(f"{FILE}{more}").unlink(missing_ok=True)
            return
        with self._asked() as connection:
            names = [f'"{name}"' for (name,) in connection.execute(_TABLES).fetchall()]
            if names:
                gone = f"DROP TABLE {', '.join(names)}"
                connection.execute(f"CALL postgres_execute('lake_turn', '{quote(gone)}')")

    def wipe(self) -> bool:
        """Take persons out of a SQLite catalog: of the table it keeps the smallest and largest ever seen,
        and of rows that were deleted their bytes. True when all of it is in the file; a reader in the way
        makes it False. A PostgreSQL catalog has never known one; there, what deleted rows held is given back.

        The range of all numbers is always right, whatever is added later, and says nothing.
        """
        if self.shared:
            return self._vacuum()
        with closing(sqlite3.connect(self.file, isolation_level=None, timeout=10)) as catalog:
            catalog.execute("PRAGMA secure_delete=ON")
            catalog.execute(
                "UPDATE ducklake_table_column_stats SET min_value = '0', max_value = ?"
                " WHERE (table_id, column_id) IN"
                " (SELECT c.table_id, c.column_id FROM ducklake_column c"
                " JOIN ducklake_table t USING (table_id)"
                " WHERE t.table_name = 'events' AND c.column_name = 'person')",
                (str(2**64 - 1),),
            )
            try:
                catalog.execute("VACUUM")
                ((busy, _, _),) = catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except sqlite3.OperationalError:
                return False
        return not busy

    @contextmanager
    def _asked(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The database itself, as `lake_turn`."""
        with closing(duckdb.connect(":memory:", config={**OFFLINE})) as connection:
            self._lend(connection)
            with self._said():
                connection.execute(f"ATTACH '{self._line()}' AS lake_turn (TYPE postgres, SECRET {_SECRET})")
            yield connection

    def _vacuum(self) -> bool:
        with self._asked() as connection:
            for table in _STATISTICS:
                connection.execute(
                    f"CALL postgres_execute('lake_turn', 'VACUUM {table}', use_transaction => false)"
                )
        return True


def _value(path: Path) -> str:
    """A value of a connection's line, in its quotes."""
    return "'" + str(path).replace("\\", "\\\\").replace("'", "\\'") + "'"
