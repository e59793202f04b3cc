"""An analyst's statements in a process of their own, that can be ended whatever they do (`apart.py`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pyarrow as pa

from warehouse.apart import Apart, serve
from warehouse.query import on, published, unlock
from warehouse.settings import Warehouse


class Desk(Apart):
    """Statements on what is published in one data folder."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        super().__init__([sys.executable, "-m", "warehouse.analyst"], settings.query_seconds)
        self._data, self._settings = data, settings

    def ask(self, sql: str, purpose: str = "") -> pa.Table:
        """What the statement gives on what is published now; where a purpose is named, on what was made for
        it. Raises Refused."""
        how = {"settings": msgspec.to_builtins(self._settings), "purpose": purpose}
        return self.put({"file": str(published(self._data)), "sql": sql, **how})[0]


class _Open:
    """The generation that was asked last, kept open: it is never changed."""

    def __init__(self) -> None:
        self._file = ""
        self._connection: duckdb.DuckDBPyConnection | None = None

    def answer(self, asked: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
        settings = msgspec.convert(asked["settings"], Warehouse)
        if self._connection is None or self._file != asked["file"]:
            if self._connection is not None:
                self._connection.close()
            self._file, self._connection = asked["file"], unlock(Path(asked["file"]), settings)
        return on(self._connection, asked["sql"], settings, asked["purpose"]), {}


def main() -> None:
    """Answer until the input ends."""
    serve(_Open().answer)


if __name__ == "__main__":
    main()
