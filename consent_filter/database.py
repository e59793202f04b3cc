"""Small SQLite files: nobody else's to read, deleted when they delete, changed wholly or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path, tables: str) -> Iterator[sqlite3.Connection]:
    """That file, made with these tables if there is none. Waits for other processes for half a minute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        path.chmod(0o600)
        database.execute("PRAGMA secure_delete=ON")
        database.executescript(tables)
        yield database


@contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[None]:
    """All or nothing, on the disk when it ends."""
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise
