"""The statement by HTTP, in each form; what is kept under a name; and who may send one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dashboards.saved import LONGEST
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import fill_published
from warehouse.settings import Warehouse

SQL = "SELECT day, sum(people)::BIGINT AS people FROM traffic_day GROUP BY day ORDER BY day LIMIT 5"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    data = tmp_path_factory.mktemp("sql")
    fill_published(data, days=40)
    with asking(data, warehouse=Warehouse(query_seconds=1.0)) as one:
        yield one


def code(answer: object) -> str:
    found: str = answer.json()["error"]["code"]  # type: ignore[attr-defined]
    return found


def test_every_form_says_the_same_however_it_is_asked(desk: Asking) -> None:
    at = f"/api/sql?q={quote(SQL)}"
    said = desk.get(at, accept="application/json").json()
    assert [one["name"] for one in said["columns"]] == ["day", "people"]
    assert (said["cut"], len(said["rows"])) == (False, 5)
    expected = [row["people"] for row in said["rows"]]
    by_name = {form: desk.get(f"{at}&format={form}").content for form in ("csv", "arrow", "parquet")}
    read = {
        "csv": pyarrow.csv.read_csv(io.BytesIO(by_name["csv"])),
        "arrow": pa.ipc.open_stream(by_name["arrow"]).read_all(),
        "parquet": pq.read_table(io.BytesIO(by_name["parquet"])),
    }
    for form, table in read.items():
        assert table["people"].to_pylist() == expected, form
    accepted = desk.get(at, accept="application/vnd.apache.arrow.stream;q=0.9, */*;q=0.1")
    assert accepted.content == by_name["arrow"]
    for kind, body in (("application/json", f'{{"sql": "{SQL}"}}'), ("text/plain", SQL)):
        posted = desk.send("/api/sql", body, content_type=kind, accept="text/csv")
        assert posted.content == by_name["csv"], kind


@pytest.mark.parametrize(
    ("path", "head", "status", "why"),
    [
        ("/api/sql", {}, 400, "empty"),
        ("/api/sql?q=SELECT+1&format=xml", {}, 400, "format"),
        ("/api/sql?q=SELECT+1", {"accept": "image/png"}, 406, "format"),
        ("/api/sql?q=DROP+TABLE+pages", {}, 403, "read_only"),
        ("/api/sql?q=FROM+read_csv('/etc/passwd')", {}, 403, "closed"),
        ("/api/sql?q=FROM+page", {}, 404, "no_such_table"),
        ("/api/sql?q=SELECT+count(*)+FROM+range(1000000000000)", {}, 408, "too_long"),
    ],
)
def test_a_refusal_is_one_shape_and_teaches(
    path: str, head: dict[str, str], status: int, why: str, desk: Asking
) -> None:
    answer = desk.get(path, **head)
    assert (answer.status_code, code(answer)) == (status, why)
    assert len(answer.json()["error"]["message"]) > 15


def test_bombs_end_and_the_next_question_is_answered(desk: Asking) -> None:
    for bomb, ends in (
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n", (408,)),
        (f"SELECT {'(' * 3000}1{')' * 3000}", (200, 400)),
        (f"SELECT '{'x' * 90_000}' || repeat('y', 3900000000)", (400, 408, 413)),
    ):
        answer = desk.send("/api/sql", bomb, content_type="text/plain")
        assert answer.status_code in ends, bomb[:60]
    assert desk.send("/api/sql", "x" * 200_000, content_type="text/plain").status_code == 413
    assert desk.send("/api/sql", "SELECT 1 AS one").json()["rows"] == [{"one": 1}]


def test_what_the_editor_completes_is_every_table_with_words(desk: Asking) -> None:
    tables = {one["name"]: one for one in desk.get("/api/sql/tables").json()["tables"]}
    assert {"pages", "traffic_day", "reports", "restatements"} <= tables.keys()
    columns = {one["name"]: one["says"] for one in tables["pages"]["columns"]}
    assert list(columns)[:3] == ["site", "day", "path"]
    assert all(columns.values())


def test_a_statement_is_kept_shared_and_removed(desk: Asking) -> None:
    form = urlencode({"name": "Days of <b>", "q": SQL})
    made = desk.send("/sql/saved", form, content_type=FORM, sec_fetch_site="same-origin")
    assert (made.status_code, made.headers["location"]) == (303, "/sql?saved=days-of-b")
    page = desk.get(made.headers["location"]).text
    assert "5 rows" in page
    assert "<b>" not in page
    assert 'href="/sql?saved=days-of-b"' in desk.get("/sql").text
    for name, text in (("", SQL), ("--", SQL), ("x", ""), ("x", "y" * (LONGEST + 1))):
        said = urlencode({"name": name, "q": text})
        assert desk.send("/sql/saved", said, content_type=FORM).status_code == 400
    desk.send("/sql/saved", "remove=days-of-b", content_type=FORM)
    assert desk.get("/sql?saved=days-of-b").status_code == 404


@pytest.mark.parametrize(
    "head",
    [
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"host": "evil.example"},
        {"host": "numbers.example"},
    ],
)
def test_another_sites_page_can_send_nothing(head: dict[str, str], desk: Asking) -> None:
    for path, body in (("/api/sql", "SELECT 1"), ("/sql/saved", urlencode({"name": "x", "q": "SELECT 1"}))):
        assert desk.send(path, body, content_type=FORM, **head).status_code in (403, 404, 421)
    assert desk.get("/sql?saved=x").status_code == 404


def test_an_answer_is_drawn(desk: Asking) -> None:
    for chart, mark in (("line", 'class="now"'), ("bars", 'class="bar"')):
        assert mark in desk.get(f"/sql?q={quote(SQL)}&chart={chart}").text
    assert "needs a column" in desk.get("/sql?q=SELECT+'a'+AS+a&chart=bars").text
    assert desk.get("/sql?q=SELECT+1&chart=pie").status_code == 400


def test_texts_are_of_a_folder_and_stay(tmp_path: Path) -> None:
    with asking(tmp_path) as one:
        form = urlencode({"name": "Mine", "q": "FROM pages"})
        assert one.send("/sql/saved", form, content_type=FORM).status_code == 303
    assert "FROM pages" in (tmp_path / "queries.json").read_text()
