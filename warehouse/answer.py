"""An answer as bytes: a table for people, CSV, JSON, Arrow or Parquet."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

FORMATS = ("table", "csv", "json", "arrow", "parquet")
#: A spreadsheet runs what begins like this (OWASP, CSV injection); paths and names are anyone's to choose.
_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"


def narrow(table: pa.Table) -> pa.Table:
    """Whole decimals as 64-bit integers where they fit: DuckDB's sums are 128 bits wide, which JSON is not.

    Columns of the same name are told apart by a number.
    """
    names: list[str] = []
    for i, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type) and field.type.scale == 0:
            try:
                table = table.set_column(i, field.name, table.column(i).cast(pa.int64()))
            except pa.ArrowInvalid:
                table = table.set_column(i, field.name, table.column(i).cast(pa.float64()))
        names.append(field.name if field.name not in names else f"{field.name}_{i + 1}")
    return table.rename_columns(names)


def coded(table: pa.Table, names: Collection[str] | None = None) -> pa.Table:
    """The same with texts (or those columns) as codes, in one piece: a tenth of the memory, and whatever adds
    rows up by them compares numbers."""
    columns = {
        field.name: table[field.name].combine_chunks().dictionary_encode()
        if (pa.types.is_string(field.type) if names is None else field.name in names)
        else table[field.name]
        for field in table.schema
    }
    return pa.table(columns)


def render(table: pa.Table, format: str, *, for_spreadsheets: bool = False) -> bytes:
    """A table in one of FORMATS. `for_spreadsheets` puts an apostrophe before what one would run."""
    if format == "parquet":
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        return sink.getvalue()
    if format == "arrow":
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table)
        return stream.getvalue()
    if format == "csv":
        out = io.BytesIO()
        pyarrow.csv.write_csv(_plain(table, for_spreadsheets), out)
        return out.getvalue()
    if format == "json":
        rows = [{name: _value(cell) for name, cell in row.items()} for row in table.to_pylist()]
        return (json.dumps(rows, ensure_ascii=False, allow_nan=False) + "\n").encode()
    return _text(table).encode()


def _value(cell: Any) -> Any:
    """A cell as JSON has it: dates in ISO 8601, numbers as numbers, and no NaN."""
    if cell is None or isinstance(cell, (bool, int, str)):
        return cell
    if isinstance(cell, (float, Decimal)):
        number = float(cell)
        return number if math.isfinite(number) else None
    if isinstance(cell, (datetime, date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, dict):
        return {str(name): _value(one) for name, one in cell.items()}
    if isinstance(cell, (list, tuple)):
        return [_value(one) for one in cell]
    return str(cell)


def _plain(table: pa.Table, for_spreadsheets: bool) -> pa.Table:
    """Columns that CSV can hold: nested ones, and those it has no form for, as text."""
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if (
            pa.types.is_nested(field.type)
            or pa.types.is_decimal(field.type)
            or pa.types.is_interval(field.type)
        ):
            texts = [
                None if v is None else json.dumps(_value(v), ensure_ascii=False) for v in column.to_pylist()
            ]
            column = pa.chunked_array([pa.array(texts, pa.string())])
        if for_spreadsheets and pa.types.is_string(column.type):
            runs = pc.match_substring_regex(column, _FORMULA)
            column = pc.if_else(runs, pc.binary_join_element_wise("'", column, ""), column)
        if column.type != field.type or for_spreadsheets:
            table = table.set_column(i, field.name, column)
    return table


def shown(cell: Any) -> str:
    """A cell for people. Control characters are written out: a terminal would obey them."""
    if cell is None:
        return ""
    text = cell if isinstance(cell, str) else json.dumps(_value(cell), ensure_ascii=False).strip('"')
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _text(table: pa.Table) -> str:
    """Columns under their names, numbers to the right."""
    columns = []
    for i, field in enumerate(table.schema):
        cells = [shown(v) for v in table.column(i).to_pylist()]
        name = shown(field.name)
        width = max([len(name), *map(len, cells)])
        right = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        fit = str.rjust if right else str.ljust
        columns.append([fit(text, width) for text in (name, "─" * width, *cells)])
    lines = ["  ".join(row).rstrip() for row in zip(*columns, strict=True)]
    n = table.num_rows
    return "\n".join([*lines, f"{n} row{'' if n == 1 else 's'}"]) + "\n"
