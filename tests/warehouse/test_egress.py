"""What may leave as a table: a row about somebody is stopped, whoever drafted it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from consent_filter.errors import Broken
from tests import drafts
from warehouse import draft, egress
from warehouse.draft import Draft


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Draft, dict[str, pa.Table]]:
    data = tmp_path_factory.mktemp("drafts")
    one = drafts.make(data)
    return one, {table.name: draft.table(data, one.id, table.name) for table in one.tables}


def test_what_is_drafted_may_leave(made: tuple[Draft, dict[str, pa.Table]]) -> None:
    egress.inspect(*made)


def _more(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
    return table.append_column("person", pa.array([1] * len(table), pa.uint64())), said


def _key(name: str) -> Callable[[pa.Table, draft.Table], tuple[pa.Table, draft.Table]]:
    def change(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
        return table.append_column(name, pa.array(["x"] * len(table))), replace(said, keys=(*said.keys, name))

    return change


def _few(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
    return table, replace(said, least=49)


def _exact(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
    return table.drop_columns(["people_low"]), said


def _cut(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
    return table.slice(1), said


def _outside(table: pa.Table, said: draft.Table) -> tuple[pa.Table, draft.Table]:
    at = table.column_names.index("people_high")
    return table.set_column(at, "people_high", pa.array([0] * len(table), pa.int64())), said


@pytest.mark.requirement("M89")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_more, "does not name"), (_key("person"), "tells who"), (_key("event_id"), "tells who"),
        (_key("counterpart"), "tells who"), (_key("user_id"), "tells who"), (_key("time"), "tells who"),
        (_key("email"), "tells who"), (_few, "are the fewest"), (_exact, "lacks"), (_cut, "fewer rows"),
        (_outside, "interval"),
    ],
)  # fmt: skip
def test_a_row_about_somebody_may_not(
    made: tuple[Draft, dict[str, pa.Table]], change: Any, why: str, tmp_path: Path
) -> None:
    one, tables = made
    first = one.tables[0]
    table, said = change(tables[first.name], first)
    with pytest.raises(Broken, match=why):
        egress.inspect(replace(one, tables=(said,)), {first.name: table})
