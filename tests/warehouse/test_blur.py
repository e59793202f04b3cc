"""A file's own statistics: ranges of persons that let readers skip row groups, and no pseudonym."""

from __future__ import annotations

import io
import re
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Broken
from consent_filter.fields import EVENT
from warehouse.blur import blur
from warehouse.facts import FORMAT

LOW = (1 << 52) - 1
numbers = st.integers(0, 2**64 - 1) | st.none()
PAIRS = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=40)


def written(persons: list[int | None], ids: list[int | None], rows: int) -> io.BytesIO:
    """A file of facts as the jobs write it, in row groups of so many rows."""
    known = {"person": persons, "event_id": ids, "path": ["/a"] * len(persons)}
    table = pa.table(
        [pa.array(known.get(field.name, [None] * len(persons)), field.type) for field in EVENT], schema=EVENT
    )
    out = io.BytesIO()
    pq.write_table(table, out, row_group_size=rows, **FORMAT)
    return out


def ranges(file: io.BytesIO, column: str) -> list[tuple[int, int] | None]:
    at, found = EVENT.get_field_index(column), []
    meta = pq.read_metadata(file)
    for group in range(meta.num_row_groups):
        said = meta.row_group(group).column(at).statistics
        found.append((said.min, said.max) if said.has_min_max else None)
    return found


@settings(max_examples=60, deadline=None)
@given(PAIRS, st.integers(1, 9))
def test_ranges_are_rounded_outwards_and_nothing_else_changes(
    pairs: list[tuple[int | None, int | None]], rows: int
) -> None:
    persons, ids = [one for one, _ in pairs], [one for _, one in pairs]
    exact, rounded = written(persons, ids, rows), written(persons, ids, rows)
    blur(rounded)
    assert len(rounded.getvalue()) == len(exact.getvalue())
    assert pq.read_table(rounded).equals(pq.read_table(exact))
    for column in ("person", "event_id"):
        for one, other in zip(ranges(exact, column), ranges(rounded, column), strict=True):
            assert other == (None if one is None else (one[0] & ~LOW, one[1] | LOW))
    assert ranges(rounded, "path") == ranges(exact, "path")


def test_no_pseudonym_is_left_in_the_footer_and_readers_still_find_everybody(tmp_path: Path) -> None:
    persons = np.sort(np.random.default_rng(1).integers(1 << 40, 2**63, 500, np.uint64)).tolist()
    file = written(persons, persons[::-1], 50)
    data = file.getvalue()
    assert any(int(one).to_bytes(8, "little") in footer(data) for one in persons), "nothing to look for"
    blur(file)
    data = file.getvalue()
    assert not any(
        int(one).to_bytes(8, order) in footer(data) for one in persons for order in ("little", "big")
    )
    (tmp_path / "x.parquet").write_bytes(data)
    for one in persons[::25]:
        (n,) = duckdb.execute(
            f"SELECT count(*) FROM read_parquet('{tmp_path}/x.parquet') WHERE person = {one}"
        ).fetchone() or (0,)
        assert n == 1
    assert len(set(ranges(file, "person"))) > 5, "row groups can no longer be told apart"


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(Broken, match=re.escape("another way than Parquet")):
        blur(io.BytesIO(b"x" * 100))


def footer(data: bytes) -> bytes:
    return data[-8 - int.from_bytes(data[-8:-4], "little") :]
