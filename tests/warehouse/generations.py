"""Released tables whose every number is the number of their step: a reader can tell half of one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.warehouse.tables import LAST, table
from warehouse import report
from warehouse.query import unlock
from warehouse.released import Store
from warehouse.settings import Warehouse

#: Few are enough to have halves, and quick.
NAMES = ("balance", "pages", "traffic_day")


def change(data: Path, step: int) -> None:
    """Put the number of the step into every row of every table."""
    store = Store.open(data)
    for name in NAMES:
        one = report.load()[name]
        if name not in store.versions():
            store.replace(one, None, table(one, 2, ("market",), LAST), "whole")
        store.connection.execute(
            f"UPDATE {name} SET {', '.join(f'{number} = {step}' for number in one.sums)}"
        )
        store.connection.execute("UPDATE done_to SET version = ?", [step])
    store.close()


def whole(data: Path) -> int:
    """The one step that everything published is of. AssertionError where something differs."""
    folder = (data / "published" / "current").resolve()
    made = json.loads((folder / "manifest.json").read_text())
    seen = set()
    con = unlock(folder / "reports.duckdb", Warehouse(threads=1))  # as a reader has it in this process
    for name in NAMES:
        numbers = report.load()[name].sums
        for number in numbers:
            seen |= {n for (n,) in con.execute(f"SELECT DISTINCT {number} FROM {name}").fetchall()}
        file = folder / f"{name}.parquet"
        assert hashlib.sha256(file.read_bytes()).hexdigest() == made["tables"][name]["sha256"]
        rows = pq.read_table(file)
        assert rows.num_rows == made["tables"][name]["rows"]
        assert rows.to_pylist() == con.execute(f"FROM {name} ORDER BY ALL").to_arrow_table().to_pylist()
    (published,) = con.execute("SELECT generation FROM published").fetchall()
    con.close()
    assert published == (made["generation"],)
    assert len(seen) == 1, seen
    return int(seen.pop())
