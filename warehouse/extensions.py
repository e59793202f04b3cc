"""DuckDB with its extensions loaded by path from installed packages: nothing is ever downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import duckdb

from consent_filter.errors import Broken

#: Never look elsewhere for an extension, whatever a statement names.
OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
#: Engines with both extensions loaded and nothing attached: loading takes as long as a whole refresh.
_IDLE: list[duckdb.DuckDBPyConnection] = []


def load(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Load extensions such as "ducklake". Raises Broken where the package is missing."""
    for name in names:
        spec = find_spec(f"duckdb_extension_{name}")
        folder = Path(spec.origin).parent if spec and spec.origin else None
        found = next(folder.rglob("*.duckdb_extension"), None) if folder else None
        if found is None:
            raise Broken(f"the package duckdb-extension-{name.replace('_', '-')} is missing: make setup")
        connection.execute(f"LOAD '{quote(found)}'")


def take(threads: int) -> duckdb.DuckDBPyConnection:
    """An engine of its own with `ducklake` and `sqlite_scanner`; hand it back with `give`."""
    try:
        engine = _IDLE.pop()
    except IndexError:
        engine = duckdb.connect(":memory:", config={**OFFLINE, "threads": str(threads)})
        load(engine, "ducklake", "sqlite_scanner")
    engine.execute(f"SET threads = {threads:d}")
    return engine


def give(engine: duckdb.DuckDBPyConnection) -> None:
    """Keep an engine for the next one who asks. Nothing may be attached to it any more."""
    _IDLE.append(engine)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of it or nothing, also where the disk is full at COMMIT."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(duckdb.Error):  # a failed COMMIT has ended it already
            connection.execute("ROLLBACK")
        raise


def quote(value: object) -> str:
    """A value inside single quotes in SQL."""
    return str(value).replace("'", "''")
