"""What may not be published is not, says why without a cell, and asks nobody outside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import publish
from tests.warehouse.tables import fill
from warehouse import report, snapshot
from warehouse.checks import tables
from warehouse.checks.documents import plain
from warehouse.checks.expectations import Outcome, validate
from warehouse.released import Store
from warehouse.settings import Warehouse

#: In a cell of the planted row: it may be nowhere in what is said about it.
CANARY = "/canary-4711"
#: What is planted → the expectation that must fail, and the report it must name.
PLANTED = {
    "ALTER TABLE pages ADD COLUMN note VARCHAR": ("columns_not_named", "pages"),
    "ALTER TABLE pages ADD COLUMN person UBIGINT": ("columns_that_single_out", "pages"),
    "ALTER TABLE sources ADD COLUMN address VARCHAR": ("columns_that_single_out", "sources"),
    "ALTER TABLE pages DROP COLUMN people": ("columns_missing", "pages"),
    "ALTER TABLE balance DROP COLUMN refused": ("columns_missing", "balance"),
    "ALTER TABLE pages ALTER path TYPE BLOB USING path::BLOB": ("columns_of_wrong_type", "pages"),
    "ALTER TABLE devices ALTER device TYPE UBIGINT USING hash(device)": ("columns_of_wrong_type", "devices"),
    "ALTER TABLE traffic_hour ALTER day TYPE TIMESTAMP": ("columns_of_wrong_type", "traffic_hour"),
    "ALTER TABLE pages ALTER people TYPE VARCHAR": ("columns_of_wrong_type", "pages"),
    f"UPDATE pages SET people = 9 WHERE path = '{CANARY}'": ("rows_of_too_few_people", "pages"),
    f"UPDATE pages SET people = NULL WHERE path = '{CANARY}'": ("numbers_missing", "pages"),
    f"UPDATE pages SET views = -1 WHERE path = '{CANARY}'": ("negative_numbers", "pages"),
    f"INSERT INTO pages FROM pages WHERE path = '{CANARY}'": ("rows_twice", "pages"),
    f"UPDATE pages SET day = DATE '1970-01-01' WHERE path = '{CANARY}'": ("days_out_of_range", "pages"),
    f"UPDATE pages SET day = NULL WHERE path = '{CANARY}'": ("days_out_of_range", "pages"),
    f"UPDATE pages SET path = path || '@example.com' WHERE path = '{CANARY}'": (
        "values_like_an_address",
        "pages",
    ),
    f"UPDATE pages SET path = path || '%40b.de' WHERE path = '{CANARY}'": ("values_like_an_address", "pages"),
    "UPDATE balance SET stored = stored - 1 WHERE stored > 0": ("rows_absurd", "balance"),
    "UPDATE experiments SET step = 2 WHERE step = 1": ("rows_absurd", "experiments"),
    "UPDATE sessions SET bounces = visits + 1": ("rows_absurd", "sessions"),
    "UPDATE traffic_hour SET hour = 24 WHERE hour = 20": ("rows_absurd", "traffic_hour"),
    "INSERT INTO audited VALUES ('countries', 'market' || chr(31) || '2026-11-21', 3, 1)": (
        "hidden_rows_that_follow",
        "countries (2026-11-21)",
    ),
    "UPDATE funnel SET people = 100_000 WHERE step = 3": ("rows_out_of_order", "funnel"),
}  # fmt: skip


#: Rows of a control table, and what is known of the places.
Control = tuple[list[dict[str, Any]], dict[str, str]]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with released tables; one row of pages has the canary for its path."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder, days=3)
    store = Store.open(folder)
    store.connection.execute(
        f"UPDATE pages SET path = '{CANARY}' WHERE path = '/pricing' AND day = (SELECT max(day) FROM pages)"
    )
    store.close()
    return folder


@pytest.fixture
def data(filled: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(filled, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def planted(filled: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Control]:
    """By what is planted: the rows that are not as expected, and what is known of the place."""
    found = {}
    for statement in PLANTED:
        data = tmp_path_factory.mktemp("planted") / "data"
        one = Store.open(shutil.copytree(filled, data))
        one.connection.execute(statement)
        rows = [row for row in tables.control(one, Warehouse()) if any(row[name] for name in tables.EXPECTED)]
        found[statement] = rows, tables.where(one)
        one.close()
        shutil.rmtree(data)
    return found


@pytest.fixture
def store(data: Path) -> Iterator[Store]:
    one = Store.open(data)
    yield one
    one.close()


def looked(store: Store, docs: Path, settings: Warehouse, *, document: bool = False) -> Outcome:
    rows, where = tables.control(store, settings), tables.where(store)
    return validate(tables.SUITE, rows, docs, document=document, where=where)


def plant(data: Path, statement: str) -> None:
    """Change the released tables as a fault of release would, so that they count as new."""
    one = Store.open(data)
    one.connection.execute(statement)
    one.connection.execute("UPDATE done_to SET version = version + 1")
    one.close()


def test_the_suite_looks_at_every_report_and_lets_good_tables_pass(store: Store, tmp_path: Path) -> None:
    rows = tables.control(store, Warehouse())
    assert [row["report"] for row in rows] == sorted(report.load())
    assert all(list(row)[1:] == list(tables.EXPECTED) for row in rows)
    assert not [(row["report"], name) for row in rows for name in tables.EXPECTED if row[name]]
    assert looked(store, tmp_path / "docs", Warehouse()).ok
    assert not (tmp_path / "docs").exists()


@pytest.mark.parametrize("statement", PLANTED)
def test_a_fault_is_found_where_it_is(statement: str, planted: dict[str, Control]) -> None:
    (column, name), (rows, _) = PLANTED[statement], planted[statement]
    assert (name.split(" ")[0], column) in {(row["report"], at) for row in rows for at in row if row[at]}


def test_every_fault_is_named_without_a_cell(planted: dict[str, Control], tmp_path: Path) -> None:
    """All of them in one run of the suite, which takes two seconds whatever it looks at."""
    rows = [row for some, _ in planted.values() for row in some]
    where = {column: text for _, known in planted.values() for column, text in known.items()}
    outcome = validate(tables.SUITE, rows, tmp_path / "docs", where=where)
    assert not outcome.ok
    assert outcome.docs is not None
    page = Path(outcome.docs).read_text()
    for column, name in PLANTED.values():
        assert any(said.startswith(tables.EXPECTED[column]) and name in said for said in outcome.failures)
        assert column in page
        assert name.split(" ")[0] in page
    for text in (page, *outcome.failures):
        assert CANARY[1:] not in text


def test_a_larger_group_is_asked_for_by_a_setting(store: Store, tmp_path: Path) -> None:
    outcome = looked(store, tmp_path / "docs", Warehouse(min_group=1_000_000))
    assert any("whole group" in said for said in outcome.failures)


def test_a_table_whose_report_is_gone_is_not_looked_at(store: Store, tmp_path: Path) -> None:
    store.connection.execute("INSERT INTO done_to VALUES ('long_gone', '', 1)")
    assert "long_gone" not in [row["report"] for row in tables.control(store, Warehouse())]
    assert "long_gone" not in snapshot.made_of(tmp_path, store, Warehouse())["reports"]


def test_a_failing_check_keeps_what_is_published_and_says_why_until_it_passes(data: Path) -> None:
    first = publish.run(data, Warehouse())
    assert (first.generation, first.changed, first.failures) == (1, True, [])
    manifest = snapshot.manifest(data)
    plant(data, "UPDATE traffic_day SET people = 3")
    for _ in range(2):
        held = publish.run(data, Warehouse())
        assert (held.generation, held.changed) == (1, False)
        assert held.failures == [f"{tables.EXPECTED['rows_of_too_few_people']}: not so in traffic_day"]
        assert snapshot.manifest(data) == manifest
    why = snapshot.held(data)
    assert why is not None
    assert why["failures"] == held.failures
    assert Path(why["docs"]).is_file()
    plant(data, "UPDATE traffic_day SET people = 30")
    assert publish.run(data, Warehouse()).generation == 2
    assert snapshot.held(data) is None


def test_nothing_is_published_before_there_are_tables(tmp_path: Path) -> None:
    assert publish.run(tmp_path, Warehouse()) == publish.Published()
    assert list(tmp_path.iterdir()) == []


def test_the_docs_are_written_the_first_time_and_then_hourly(data: Path) -> None:
    first = publish.run(data, Warehouse())
    assert first.docs is not None
    page = Path(first.docs)
    plant(data, "UPDATE pages SET views = views + 1")
    assert publish.run(data, Warehouse()).docs is None
    os.utime(page, (1, 1))
    plant(data, "UPDATE pages SET views = views + 1")
    assert publish.run(data, Warehouse()).docs == first.docs
    assert page.stat().st_mtime > 1


def test_the_docs_need_nobody_outside(store: Store, tmp_path: Path) -> None:
    docs = looked(store, tmp_path / "docs", Warehouse(), document=True).docs
    assert docs is not None
    page = Path(docs).read_text()
    assert "before publication" in page or "released tables" in page
    assert re.findall(r"(?i)<(?:script|link|img|iframe|object)\b|\bsrc=|url\(|https?://", page) == []
    assert "default-src 'none'" in page


def test_a_page_is_copied_without_what_runs_or_fetches() -> None:
    page = (
        '<html><head><script src="//x/a.js">alert("<b>")</script><link href="//x"></head><body onload="x()">'
        '<img src="//x"><p class="a" style="background:url(//x)">1 &lt; 2</p><a href="//x">out</a><svg>'
        "<script>"
        "</script></svg><a href='#in'>in</a></body></html>"
    )
    plainly = plain(page)
    assert "//x" not in plainly
    assert "alert" not in plainly
    assert "onload" not in plainly
    assert '<p class="a">1 &lt; 2</p><a>out</a><a href="#in">in</a>' in plainly


@pytest.mark.requirement("M75", "M89")
def test_nothing_connects_anywhere(data: Path) -> None:
    script = f"""
import sys
def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        print("REACHED OUT", event, file=sys.stderr)
        raise SystemExit(3)
sys.addaudithook(watch)
from pathlib import Path
from pipelines import publish
from warehouse.settings import Warehouse
assert publish.run(Path({str(data)!r}), Warehouse()).changed
assert "great_expectations" in sys.modules
looked = [vars(module) for module in list(sys.modules.values())]  # as Beam does (objsize)
assert not {{"altair.vegalite", "scipy.stats._stats_py"}} & sys.modules.keys(), "warehouse/lazily.py"
from scipy import stats
assert stats.norm.cdf(0) == 0.5
import altair.utils
assert altair.Chart
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "REACHED OUT" not in done.stderr
