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
#: How often an engine is used. Each lake that was attached to one leaves 0.2 MB in it, which closing it gives
#: back and detaching does not (DuckDB 1.5.5): a pipeline that ran for days would have grown by gigabytes.
MOST = 40
_used: dict[int, int] = {}


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
        _used[id(engine)] = 0
    engine.execute(f"SET threads = {threads:d}")
    return engine


def give(engine: duckdb.DuckDBPyConnection) -> None:
    """Keep an engine for the next one who asks, unless it has served often enough. Nothing may be attached to
    it any more."""
    _used[id(engine)] = used = _used.get(id(engine), 0) + 1
    if used < MOST:
        _IDLE.append(engine)
        return
    del _used[id(engine)]
    engine.close()


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
