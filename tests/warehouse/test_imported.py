"""What another tool has counted: few are put together or left out; days before the first own are shown."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Broken, Refused
from tests.dashboards.asking import asking
from tests.warehouse.tables import LAST, fill
from warehouse import imported
from warehouse.imported import gate
from warehouse.released import Store
from warehouse.report import OTHER
from warehouse.settings import Warehouse
from warehouse.snapshot import latest, publish

DAY = date(2026, 1, 1)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("abcdef"), st.integers(0, 30), st.integers(0, 90)),
    max_size=20,
)


def pages(rows: list[tuple[int, str, int, int]]) -> pa.Table:
    days = [date.fromordinal(DAY.toordinal() + day) for day, *_ in rows]
    return pa.table(
        {
            "day": pa.array(days, pa.date32()),
            "path": pa.array([f"/{name}{at}" for at, (_, name, *_) in enumerate(rows)], pa.string()),
            "people": pa.array([people for *_, people, _ in rows], pa.int64()),
            "views": pa.array([views for *_, views in rows], pa.int64()),
        }
    )


@pytest.mark.requirement("M54")
@given(ROWS, st.integers(2, 12))
def test_no_row_is_of_fewer_than_a_group_and_all_are_accounted_for(
    rows: list[tuple[int, str, int, int]], least: int
) -> None:
    found = gate(pages(rows), least)
    small = [row for row in rows if row[2] < least]
    assert found.folded + found.few == len(small)
    for row in found.rows.to_pylist():
        if row["path"] != OTHER:
            assert row["people"] >= least
            continue
        mine = [one for one in small if DAY.toordinal() + one[0] == row["day"].toordinal()]
        assert row["people"] is None
        assert len(mine) > 1
        assert sum(one[2] for one in mine) >= least
        assert row["views"] == sum(one[3] for one in mine)
    days = [row["day"] for row in found.rows.to_pylist() if row["path"] == OTHER]
    assert len(days) == len(set(days))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill(tmp_path)
    again(tmp_path)
    return tmp_path


def days(*when: date, people: int = 40, views: int = 90) -> dict[str, pa.Table]:
    rows = {
        "day": pa.array(when, pa.date32()),
        "people": pa.array([people] * len(when), pa.int64()),
        "visits": pa.array([people] * len(when), pa.int64()),
        "views": pa.array([views] * len(when), pa.int64()),
    }
    return {"traffic_day": pa.table(rows)}


def again(data: Path) -> Path:
    store = Store.open(data)
    publish(data, Warehouse(), store)
    store.close()
    file = latest(data)
    assert file is not None
    return file


def test_it_is_shown_on_days_before_the_first_own_and_goes_without_a_trace(data: Path) -> None:
    old = date.fromordinal(LAST.toordinal() - 300)
    first = imported.add(data, "market", "plausible", days(old, LAST), 10, 0.0)
    second = imported.add(data, "market", "ga4", days(old, people=50), 10, 1.0)
    assert (first.number, second.number) == (1, 2)
    with pytest.raises(Refused, match="number 1"):
        imported.add(data, "market", "plausible", days(old, LAST), 10, 2.0)
    with duckdb.connect(str(again(data)), read_only=True) as con:
        rows = con.execute("SELECT site, day, people, origin FROM imported_traffic_day").fetchall()
    assert rows == [("market", old, 50, "ga4")]  # the newer holds; the last day is counted here
    with asking(data) as pages:
        span = f"first={old}&last={old}"
        text = pages.get(f"/?site=market&{span}").text
        assert "were counted by ga4" in text
        assert "<strong>50</strong>" in text
        assert "<strong>50</strong>" not in pages.get(f"/?site=market&{span}&imported=no").text
        assert "were counted by" not in pages.get("/?site=market&period=day").text
    assert imported.remove(data, 2).origin == "ga4"
    with duckdb.connect(str(again(data)), read_only=True) as con:
        assert con.execute("SELECT people, origin FROM imported_traffic_day").fetchall() == [
            (40, "plausible")
        ]
    imported.remove(data, 1)
    with duckdb.connect(str(again(data)), read_only=True) as con:
        assert con.execute("SELECT 1 FROM duckdb_tables() WHERE table_name LIKE 'imported%'").fetchall() == []
    assert not list((data / "imported").iterdir())


def test_beside_days_of_another_tool_no_total_of_ones_own_is_shown(data: Path) -> None:
    old = date.fromordinal(LAST.toordinal() - 60)
    rows = {"device": ["desktop"], "people": pa.array([40], pa.int64()), "views": pa.array([90], pa.int64())}
    found = days(old) | {"devices": pa.table({"day": pa.array([old], pa.date32()), **rows})}
    imported.add(data, "market", "ga4", found, 10, 0.0)
    again(data)
    with asking(data) as pages:
        path = f"/report/devices?site=market&first={old}&last={LAST}"
        assert "In no row" in pages.get(f"{path}&imported=no").text
        assert "In no row" not in pages.get(path).text


def test_what_is_of_few_only_is_refused_and_nothing_is_written(data: Path) -> None:
    with pytest.raises(Refused, match="nothing was kept"):
        imported.add(data, "market", "ga4", days(DAY, people=9), 10, 0.0)
    assert imported.add(data, "market", "ga4", days(DAY), 10, 0.0, dry=True).rows == 1
    assert not (data / "imported").exists()
    with pytest.raises(Refused, match="no import 1"):
        imported.remove(data, 1)


def test_an_import_that_was_damaged_is_named(data: Path) -> None:
    imported.add(data, "market", "ga4", days(DAY), 10, 0.0)
    (data / "imported" / "1" / "import.json").write_text("{")
    with pytest.raises(Broken, match="remove it"):
        imported.listed(data)
