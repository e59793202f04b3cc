"""The analyst's statement: what is open, what is closed, and that each lock holds by itself."""

from __future__ import annotations

import io
import json
from contextlib import suppress
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.errors import Refused
from warehouse import report
from warehouse.answer import FORMATS, narrow, render
from warehouse.query import MANY, ask, cut, read, run, unlock
from warehouse.settings import Warehouse
from warehouse.snapshot import latest
from warehouse.statement import permit

#: First line: `-- code[, outside]: why`. `outside`: the database itself must refuse it, too.
ATTACKS = sorted((Path(__file__).parent / "attacks").glob("*.sql"))
OPEN = (
    "FROM pages",
    "SELECT day, sum(people) FROM main.traffic_day GROUP BY ALL",
    "WITH busy AS (FROM pages WHERE views > 100) SELECT count(*) FROM busy b, busy c WHERE b.day = c.day",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "DESCRIBE pages",
    "DESCRIBE SELECT 1",
    "SUMMARIZE traffic_day",
    "EXPLAIN FROM pages",
    "/* why */ EXPLAIN ANALYZE -- so\n SELECT 1",
    "VALUES (1), (2)",
    "TABLE pages",
    "PIVOT traffic_hour ON hour IN (1, 2) USING sum(views) GROUP BY day",
    "UNPIVOT traffic_day ON views, visits",
    "SELECT * FROM range(3), unnest([1, 2]), generate_series(1, 2)",
    "FROM information_schema.columns",
    "FROM duckdb_columns()",
    "SELECT path FROM pages UNION SELECT path FROM entry_pages EXCEPT FROM (VALUES ('/'))",
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) FROM n",
    "SELECT regexp_extract(path, '/([^/]+)', 1) AS part, list(views ORDER BY day) FROM pages GROUP BY ALL",
    "FROM reports SELECT name, keys",
    "SELECT 1;",
)


def refusal(data: Path, sql: str, settings: Warehouse | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        ask(data, sql, settings or Warehouse())
    return caught.value


@pytest.mark.requirement("M89", "M98")
@pytest.mark.parametrize("file", ATTACKS, ids=lambda file: file.stem)
def test_an_attack_is_refused_and_told_what_to_do(file: Path, market: Path) -> None:
    head, sql = file.read_text().split("\n", 1)
    code = head.removeprefix("-- ").partition(":")[0].split(", ")
    before = sorted(path.name for path in market.rglob("*"))
    error = refusal(market, sql.replace("{data}", str(market)))
    assert error.code == code[0]
    assert len(error.message) > 20
    assert str(market) not in error.message
    assert sorted(path.name for path in market.rglob("*")) == before


@pytest.mark.requirement("M89", "M98")
@pytest.mark.parametrize(
    "file", [f for f in ATTACKS if "outside:" in f.read_text()], ids=lambda file: file.stem
)
def test_the_database_refuses_what_leads_outside_without_the_second_lock(file: Path, market: Path) -> None:
    sql = file.read_text().split("\n", 1)[1].replace("{data}", str(market))
    where = latest(market)
    assert where is not None
    connection = unlock(where, Warehouse())
    with pytest.raises(duckdb.Error):
        connection.execute(sql).fetchall()
    connection.close()
    assert not (market / "stolen").exists()
    assert not (market / "stolen.csv").exists()


@pytest.mark.parametrize("sql", OPEN)
def test_what_an_analyst_needs_is_open(sql: str, market: Path) -> None:
    assert ask(market, sql, Warehouse()).num_columns


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60), st.sampled_from(["", "FROM ", "SELECT * FROM pages WHERE ", "SELECT '"]))
def test_any_text_is_answered_or_refused(text: str, before: str) -> None:
    with suppress(Refused):
        permit(before + text, {"pages"})


def test_every_report_is_there_with_words_for_its_columns(market: Path) -> None:
    names = {row["name"] for row in ask(market, "FROM reports", Warehouse()).to_pylist()}
    assert names == set(report.load())
    silent = ask(
        market,
        "SELECT DISTINCT column_name FROM duckdb_columns() WHERE comment IS NULL AND table_name IN"
        " (SELECT name FROM reports)",
        Warehouse(),
    )
    assert silent.to_pylist() == []


def test_a_wrong_name_is_answered_with_the_right_one(market: Path) -> None:
    assert "did you mean pages?" in refusal(market, "FROM page").message
    assert "views" in refusal(market, "SELECT view FROM pages").message
    assert "PIVOT needs IN" in refusal(market, "PIVOT traffic_hour ON hour USING sum(views)").message


def test_before_the_first_publication_there_is_a_sentence(tmp_path: Path) -> None:
    assert refusal(tmp_path, "SELECT 1").code == "nothing_published"


def test_a_long_question_is_stopped(market: Path) -> None:
    error = refusal(market, "SELECT count(*) FROM range(100_000_000_000)", Warehouse(query_seconds=0.3))
    assert (error.status, error.code) == (408, "too_long")


def test_a_large_question_is_stopped(market: Path) -> None:
    error = refusal(market, "SELECT list(range) FROM range(100_000_000_000)", Warehouse(query_memory="100MB"))
    assert (error.status, error.code) == (413, "too_large")


def test_an_answer_has_an_end(market: Path) -> None:
    assert ask(market, "FROM range(1_000_000)", Warehouse()).num_rows == MANY
    wide = ask(market, "SELECT repeat('x', 1_000_000) FROM range(200)", Warehouse())
    assert 0 < wide.nbytes <= 64_000_000
    assert cut(wide)
    assert cut(ask(market, "FROM range(1_000_000)", Warehouse()))
    assert not cut(ask(market, f"FROM range({MANY})", Warehouse()))


def test_two_threads_of_a_process_may_ask_at_once(market: Path) -> None:
    where = latest(market)
    assert where is not None
    one, two = unlock(where, Warehouse()), unlock(where, Warehouse())
    assert read(one, "SELECT count(*) AS n FROM pages").equals(read(two, "SELECT count(*) AS n FROM pages"))
    one.close()
    two.close()


def test_the_forms_say_the_same(market: Path) -> None:
    sql = "SELECT day, sum(people) AS people, 0.5 AS half FROM traffic_day GROUP BY ALL ORDER BY day LIMIT 3"
    table = ask(market, sql, Warehouse())
    found = {form: run(market, sql, form) for form in FORMATS}
    assert pq.read_table(io.BytesIO(found["parquet"])).equals(table)
    rows = json.loads(found["json"])
    assert [row["people"] for row in rows] == table["people"].to_pylist()
    assert rows[0]["half"] == 0.5
    assert rows[0]["day"] == table["day"][0].as_py().isoformat()
    assert pyarrow.csv.read_csv(io.BytesIO(found["csv"]))["people"].to_pylist() == table["people"].to_pylist()
    lines = found["table"].decode().splitlines()
    assert lines[0].split() == ["day", "people", "half"]
    assert lines[-1] == "3 rows"


def test_numbers_that_json_has_not_are_null() -> None:
    table = pa.table({"a": [float("nan"), float("inf"), 1.5], "b": [[1.0], [float("nan")], None]})
    rows = json.loads(render(table, "json"))
    assert rows == [{"a": None, "b": [1.0]}, {"a": None, "b": [None]}, {"a": 1.5, "b": None}]


def test_a_terminal_is_not_obeyed() -> None:
    text = render(pa.table({"path": ["/\x1b[2J\x1b]0;x\x07", "/\u202eevil"]}), "table").decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\x1b[2J" in text


def test_a_spreadsheet_runs_nothing() -> None:
    table = pa.table({"path": ["=cmd|x", "+1", "-1", "@a", "\tx", "/ok", None], "n": [-1, 2, 3, 4, 5, 6, 7]})
    safe = render(table, "csv", for_spreadsheets=True).decode().splitlines()
    assert safe[1] == '"\'=cmd|x",-1'
    assert safe[6] == '"/ok",6'
    assert render(table, "csv").decode().splitlines()[1] == '"=cmd|x",-1'


def test_wide_sums_become_numbers() -> None:
    table = pa.table(
        {"n": pa.array([1, 2], pa.decimal128(38, 0)), "m": pa.array([10**30, 1], pa.decimal128(38, 0))}
    )
    assert narrow(table).schema.types == [pa.int64(), pa.float64()]
    assert narrow(pa.table([[1], [2]], names=["a", "a"])).column_names == ["a", "a_2"]
