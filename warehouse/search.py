"""Looking for values inside files that compress them: Parquet and DuckDB, every table, column and row."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.depot import Place, reading
from warehouse.extensions import OFFLINE, quote
from warehouse.facts import Absent


def parquet(file: Place, texts: Collection[str], persons: Collection[int], absent: Absent) -> Iterator[str]:
    """Where a Parquet file holds one of these texts (anywhere in a cell), numbers or persons: columns."""
    with reading(file) as source, pq.ParquetFile(source) as one:
        schema, found = one.schema_arrow, set[str]()
        for batch in one.iter_batches(1 << 16):
            for name in schema.names:
                if name not in found and _holds(batch[name], name, texts, persons, absent):
                    found.add(name)
        yield from sorted(found)


def _holds(
    column: pa.Array, name: str, texts: Collection[str], persons: Collection[int], absent: Absent
) -> bool:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary
    if pa.types.is_string(column.type):
        distinct = column.unique()
        return any(pc.any(pc.match_substring(distinct, text)).as_py() for text in texts)
    if column.type == pa.uint64():
        distinct = column.drop_null().unique().to_numpy()
        wanted = np.array(sorted(persons), np.uint64)
        return bool(np.isin(distinct, wanted).any() or (name == "person" and absent(distinct).any()))
    return False


def database(file: Path, texts: Collection[str], persons: Collection[int]) -> Iterator[str]:
    """Where a DuckDB file holds one of these texts or numbers: `table.column`."""
    con = duckdb.connect(":memory:", config=dict(OFFLINE))
    try:
        con.execute(f"ATTACH '{quote(file)}' AS one (READ_ONLY)")
        columns = con.execute(
            "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'one'"
        ).fetchall()
        for table, column in columns:
            cell = f'"{column}"::VARCHAR'
            either = [f"contains({cell}, '{quote(text)}')" for text in texts]
            either += [f"{cell} = '{person}'" for person in persons]
            for asked in either:
                ((there,),) = con.execute(f'SELECT count(*) FROM one."{table}" WHERE {asked}').fetchall()
                if there:
                    yield f"{table}.{column}"
                    break
    finally:
        con.close()
