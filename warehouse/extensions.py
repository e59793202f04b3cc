"""DuckDB with its extensions loaded by path from installed packages: nothing is ever downloaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import duckdb

from consent_filter.errors import Broken

#: Never look elsewhere for an extension, whatever a statement names.
OFFLINE = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def load(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    """Load extensions such as "ducklake". Raises Broken where the package is missing."""
    for name in names:
        spec = find_spec(f"duckdb_extension_{name}")
        folder = Path(spec.origin).parent if spec and spec.origin else None
        found = next(folder.rglob("*.duckdb_extension"), None) if folder else None
        if found is None:
            raise Broken(f"the package duckdb-extension-{name.replace('_', '-')} is missing: make setup")
        connection.execute(f"LOAD '{quote(found)}'")


def quote(value: object) -> str:
    """A value inside single quotes in SQL."""
    return str(value).replace("'", "''")
