"""What a Parquet file holds beside its cells: notes in its schema, and words that stand in no cell (S19).

Whoever receives a file has all of its bytes. Its dictionaries keep words of rows that were taken out where a
column was cut after it was made, its statistics the smallest and largest of them, its schema whatever its
maker wrote there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter.errors import Broken

#: What every writer of Arrow's notes: the schema itself, once more.
_SCHEMA = b"ARROW:schema"


def beside(data: bytes) -> list[str]:
    """What the file says that no cell of it does, a line each, without saying what that is."""
    return list(_beside(data))


def clean(name: str, data: bytes) -> None:
    """Raises Broken where that table's file says more than its cells; the message repeats nothing of it."""
    if found := beside(data):
        raise Broken(f"the file of the table {name} may not leave: {'; '.join(found)}")


def _beside(data: bytes) -> Iterator[str]:
    table = pq.read_table(io.BytesIO(data))
    words = [field.name for field in table.schema if _text(field.type)]
    file = pq.ParquetFile(io.BytesIO(data), read_dictionary=words)
    if file.metadata.metadata and file.metadata.metadata.keys() - {_SCHEMA}:
        yield "its schema has notes"
    if any(set(field.metadata or ()) - {b"PARQUET:field_id"} for field in file.schema_arrow):
        yield "a column has notes"
    read = file.read()
    for name in table.column_names:
        cells = {one for one in table[name].to_pylist() if one is not None}
        if name in words and not all(cells.issuperset(_known(chunk)) for chunk in read[name].chunks):
            yield f"the column {name} has words that no cell has"
        if not cells.issuperset(_ends(file.metadata, table.column_names.index(name))):
            yield f"the statistics of {name} have a value that no cell has"


def _text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))


def _known(chunk: pa.Array) -> list[object]:
    words: pa.Array = chunk.dictionary if pa.types.is_dictionary(chunk.type) else chunk
    return list(words.to_pylist())


def _ends(metadata: pq.FileMetaData, column: int) -> set[object]:
    """The least and the largest value that the file names, of every part of a column."""
    parts = [metadata.row_group(n).column(column) for n in range(metadata.num_row_groups)]
    return {
        end for part in parts if part.is_stats_set and part.statistics.has_min_max
        for end in (part.statistics.min, part.statistics.max)
    }  # fmt: skip
