"""What pages read: the published tables, one whole generation at a time, kept open between questions.

Opening a database takes 10 to 40 ms and a page asks twenty questions, so the newest generation stays open and
is shared by threads. A page that began on an older one ends on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from consent_filter.errors import Refused
from warehouse.query import bounded, read, unlock
from warehouse.settings import Warehouse
from warehouse.snapshot import folder, manifest


class Reading:
    """One generation, for one page. Its statements are ours: `?` stands for every value that is not."""

    def __init__(self, made: dict[str, Any], cursor: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self.made, self._cursor, self._seconds = made, cursor, seconds

    @property
    def tables(self) -> set[str]:
        """The reports of this generation."""
        return set(self.made["tables"])

    @property
    def imported(self) -> set[str]:
        """The reports of which another tool has counted days before (`imported.py`)."""
        return {name.removeprefix("imported_") for name in self.made.get("imported", {})}

    def table(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """The answer as a table. Raises Refused where it takes too long."""
        with bounded(self._cursor, self._seconds):
            return read(self._cursor, sql, values)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """The answer as rows."""
        found: list[dict[str, Any]] = self.table(sql, values).to_pylist()
        return found


class _Open(Struct):
    generation: int
    connection: duckdb.DuckDBPyConnection
    users: int = 0


class Reader:
    """The published tables of one data folder, for any number of threads."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        self._data, self._settings = data, settings
        self._lock = threading.Lock()
        self._open: _Open | None = None

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The newest generation, held open until the page is done. Raises Refused where there is none."""
        made = manifest(self._data)
        if made is None:
            raise Refused(
                404,
                "nothing_published",
                "nothing is published yet: run throng up, or facts, reports, publish",
            )
        with self._lock:
            if self._open is None or self._open.generation < made["generation"]:
                old, self._open = self._open, _Open(made["generation"], self._connect(made))
                if old is not None and not old.users:
                    old.connection.close()
            mine = self._open
            mine.users += 1
            cursor = mine.connection.cursor()
        try:
            yield Reading(made, cursor, self._settings.query_seconds)
        finally:
            cursor.close()
            with self._lock:
                mine.users -= 1
                if not mine.users and mine is not self._open:
                    mine.connection.close()

    def close(self) -> None:
        """Close what is open; pages that are being made keep theirs."""
        with self._lock:
            if self._open is not None and not self._open.users:
                self._open.connection.close()
            self._open = None

    def _connect(self, made: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        return unlock(folder(self._data) / made["database"], self._settings)
