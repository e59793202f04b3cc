"""One read-only statement on the published tables, with everything else locked.

External access is off (no file, no network, no attaching), settings are locked after they are made, time and
memory are bounded. Writing is impossible because the file is opened read-only.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from consent_filter.errors import Refused
from warehouse.extensions import OFFLINE
from warehouse.settings import Warehouse
from warehouse.snapshot import latest

FORMATS = ("table", "csv", "json", "parquet")
#: Rows that an answer has at most where a person reads it.
MANY = 100_000


@contextmanager
def opened(data: Path, settings: Warehouse) -> Iterator[duckdb.DuckDBPyConnection]:
    """The published database, locked down. Raises Refused before the first publication."""
    file = latest(data)
    if file is None:
        raise Refused(404, "nothing_published", "nothing is published yet: run throng up, or facts, reports, publish")
    connection = duckdb.connect(
        str(file),
        read_only=True,
        config={
            **OFFLINE,
            "enable_external_access": "false",
            "memory_limit": settings.query_memory,
            "threads": str(settings.threads),
            "temp_directory": "",
        },
    )
    try:
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def ask(data: Path, sql: str, settings: Warehouse, values: list[object] | None = None) -> pa.Table:
    """The answer as a table of at most MANY rows. Raises Refused for a wrong, forbidden or long statement."""
    with opened(data, settings) as connection:
        timer = threading.Timer(settings.query_seconds, connection.interrupt)
        timer.start()
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise Refused(400, "one_statement", f"one statement at a time; these are {len(statements)}")
            if statements[0].type not in _READS:
                raise Refused(403, "read_only", "only SELECT, FROM, DESCRIBE, SUMMARIZE, SHOW and EXPLAIN")
            relation = connection.execute(statements[0], values or [])
            reader = relation.to_arrow_reader(10_000)
            batches, rows = [], 0
            for batch in reader:
                batches.append(batch)
                rows += batch.num_rows
                if rows >= MANY:
                    break
            return pa.Table.from_batches(batches, schema=reader.schema).slice(0, MANY)
        except duckdb.InterruptException:
            raise Refused(
                408, "too_long", f"stopped after {settings.query_seconds:g} s: ask for less, or group first"
            ) from None
        except duckdb.Error as error:
            raise Refused(400, "bad_query", str(error).strip()) from None
        finally:
            timer.cancel()


_READS = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


def run(data: Path, sql: str, format: str, settings: Warehouse | None = None) -> bytes:
    """The answer in one of FORMATS, as bytes."""
    return render(ask(data, sql, settings or Warehouse()), format)


def render(table: pa.Table, format: str) -> bytes:
    """A table as text for people (table), csv, json (a list of objects) or a Parquet file."""
    if format == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()
    if format == "csv":
        out = io.BytesIO()
        pyarrow.csv.write_csv(_plain(table), out)
        return out.getvalue()
    if format == "json":
        return (json.dumps(table.to_pylist(), default=str) + "\n").encode()
    return _text(table).encode()


def _plain(table: pa.Table) -> pa.Table:
    """Nested columns as JSON text, which CSV can hold."""
    for i, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [None if v is None else json.dumps(v, default=str) for v in table.column(i).to_pylist()]
            table = table.set_column(i, field.name, pa.array(texts, pa.string()))
    return table


def _text(table: pa.Table) -> str:
    """Columns under their names, numbers to the right."""
    columns = []
    for i, field in enumerate(table.schema):
        cells = ["" if v is None else str(v) for v in table.column(i).to_pylist()]
        width = max([len(field.name), *map(len, cells)])
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        fit = str.rjust if right else str.ljust
        columns.append([fit(text, width) for text in (field.name, "─" * width, *cells)])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    n = table.num_rows
    return "\n".join([*lines, f"{n} row{'' if n == 1 else 's'}"]) + "\n"
