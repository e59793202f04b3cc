"""One read-only statement on the published tables, with everything else locked.

The file is opened read-only; external access is off (no file, no network, no attaching); extensions are never
loaded; settings are locked after they are made; time, memory and the size of an answer are bounded; and
`statement.py` lets only released tables be named.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
import pyarrow as pa

from consent_filter.errors import Refused
from warehouse.answer import FORMATS, narrow, render
from warehouse.extensions import OFFLINE
from warehouse.settings import Warehouse
from warehouse.snapshot import latest
from warehouse.statement import permit

__all__ = ["FORMATS", "MANY", "ask", "cut", "read", "render", "run"]
#: Rows and bytes that an answer has at most.
MANY = 100_000
_LARGE = 64_000_000
_CUT = {b"throng": b"the answer was longer"}


def unlock(file: Path, settings: Warehouse) -> duckdb.DuckDBPyConnection:
    """A published database, opened so that nothing but its tables can be reached."""
    connection = duckdb.connect(
        str(file),
        read_only=True,
        config={
            **OFFLINE,
            "enable_external_access": "false",
            "python_enable_replacements": "false",
            "allow_community_extensions": "false",
            "memory_limit": settings.query_memory,
            "threads": str(settings.threads),
            "temp_directory": "",
        },
    )
    # A process has one instance of a file, however often it is opened: another thread may have locked it.
    with suppress(duckdb.InvalidInputException):
        connection.execute("SET lock_configuration = true")
    return connection


def published(data: Path) -> Path:
    """The database published now. Raises Refused before the first publication."""
    file = latest(data)
    if file is None:
        raise Refused(
            404, "nothing_published", "nothing is published yet: run throng up, or facts, reports, publish"
        )
    return file


@contextmanager
def bounded(connection: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
    """Interrupt the connection after so long, and turn DuckDB's errors into Refused."""
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        with told(seconds):
            yield
    finally:
        timer.cancel()


@contextmanager
def told(seconds: float) -> Iterator[None]:
    """Turn DuckDB's errors into Refused. seconds: after which a statement is interrupted."""
    try:
        yield
    except duckdb.InterruptException:
        raise Refused(
            408, "too_long", "stopped after {seconds} s: ask for fewer days, or group first",
            seconds=f"{seconds:g}",
        ) from None  # fmt: skip
    except duckdb.OutOfMemoryException:
        raise Refused(
            413, "too_large", "this needs more memory than a query may take: group or filter first"
        ) from None
    except (duckdb.Error, MemoryError, pa.ArrowException) as error:
        raise Refused(400, "bad_query", str(error).strip()) from None


def read(connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object] = ()) -> pa.Table:
    """The answer's first MANY rows or 64 MB, whichever is less; see `cut`."""
    reader = connection.execute(sql, list(values)).to_arrow_reader(2_048)
    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if rows > MANY or size > _LARGE:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    kept = table.slice(0, MANY)
    while kept.nbytes > _LARGE and kept.num_rows > 1:
        kept = kept.slice(0, kept.num_rows // 2)
    found = narrow(kept)
    return found.replace_schema_metadata(_CUT) if kept.num_rows < table.num_rows else found


def cut(table: pa.Table) -> bool:
    """Whether the answer was longer than this."""
    return bool(table.schema.metadata == _CUT)


def tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The tables of a published database."""
    found = connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
    return {name for (name,) in found}


def answer(file: Path, sql: str, settings: Warehouse) -> pa.Table:
    """What an analyst's statement gives on one published file. Raises Refused, with words that teach."""
    connection = unlock(file, settings)
    try:
        return on(connection, sql, settings)
    finally:
        connection.close()


def on(connection: duckdb.DuckDBPyConnection, sql: str, settings: Warehouse, purpose: str = "") -> pa.Table:
    """The same on a published file that is open (`unlock`), whoever has asked of it before: a statement that
    is let pass leaves nothing behind. `purpose`: of a session for one alone, which reads what was made for it
    (S7)."""
    with bounded(connection, settings.query_seconds):
        permit(sql, tables(connection))
        if purpose:
            _within(connection, sql, purpose)
        return read(connection, sql)


def _within(connection: duckdb.DuckDBPyConnection, sql: str, purpose: str) -> None:
    """Refuse a statement that reads a table of another purpose, by itself or beside one of this."""
    made = dict(connection.execute("SELECT name, purpose FROM reports").fetchall())
    if purpose not in made.values():
        purposes = ", ".join(sorted(set(made.values())))
        raise Refused(400, "purpose", "tables are made for {purposes}", purposes=purposes)
    others = {name for name, of in made.items() if of != purpose}
    try:
        permit(sql, tables(connection) - others)
    except Refused as error:
        mine = ", ".join(sorted(made.keys() - others))
        raise Refused(
            403, "purpose", "this session is for {purpose}, and tables of other purposes are neither read"
            " nor joined; those of it are {tables}", purpose=purpose, tables=mine,
        ) from error  # fmt: skip


def ask(data: Path, sql: str, settings: Warehouse) -> pa.Table:
    """What an analyst's statement gives on what is published now. Raises Refused."""
    return answer(published(data), sql, settings)


def run(data: Path, sql: str, format: str, settings: Warehouse | None = None) -> bytes:
    """The answer in one of FORMATS, as bytes."""
    return render(ask(data, sql, settings or Warehouse()), format)
