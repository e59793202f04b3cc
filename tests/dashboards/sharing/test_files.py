"""What is taken along is what the page shows: the same rows, the same rights, and nothing that runs."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime

import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from PIL import Image

from dashboards.sharing import drawn
from dashboards.sharing.workbook import xlsx
from tests.dashboards.browsing import House
from tests.dashboards.sharing.test_views import someone

WHEN = "site=market&period=28"
FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\n=1",
    "＝1+1",
    '=HYPERLINK("http://x")',
    "http://x/",
    "1e3",
]


@pytest.mark.parametrize("report", ["pages", "sources", "traffic_day"])
def test_each_form_has_the_rows_of_the_page(market: House, report: str) -> None:
    ann = someone(market, "ann@shop.example")
    known = pyarrow.csv.read_csv(io.BytesIO(ann.get(f"/csv/{report}.csv?{WHEN}").content))
    found = pq.read_table(io.BytesIO(ann.get(f"/files/{report}.parquet?{WHEN}").content))
    assert found.cast(known.schema).equals(known)
    answer = ann.get(f"/files/{report}.xlsx?{WHEN}")
    assert answer.headers["content-disposition"] == f'attachment; filename="{report}.xlsx"'
    book = openpyxl.load_workbook(io.BytesIO(answer.content))
    rows = [list(row) for row in book["Table"].iter_rows(min_row=2, values_only=True)]
    assert [[str(cell)[:10] if isinstance(cell, datetime) else cell for cell in row] for row in rows] == [
        [str(cell) if isinstance(cell, date) else cell for cell in row.values()] for row in known.to_pylist()
    ]
    assert "groups of at least 10" in " ".join(
        str(cell) for (cell,) in book["About"].iter_rows(values_only=True)
    )
    picture = Image.open(io.BytesIO(ann.get(f"/files/{report}.png?{WHEN}").content))
    assert picture.size == (1200, 550)


def test_rights_days_and_filters_are_the_pages(market: House) -> None:
    ann, carl = someone(market, "ann@shop.example"), someone(market, "carl")
    for path in ("pages.xlsx", "pages.parquet", "pages.png", "curve.png"):
        assert carl.get(f"/files/{path}?{WHEN}").status_code == 404, path
        assert carl.get(f"/files/{path}?site=blog&period=7").status_code == 200, path
        assert someone(market, "dora").get(f"/files/{path}?{WHEN}").status_code == 403, path
        assert ann.get(f"/files/{path}?{WHEN}&where=country:DE").status_code == 400, path
    for path in ("/csv/pages.csv", "/report/pages"):
        assert "of everybody" in ann.get(f"{path}?{WHEN}&where=country:DE").text, path
    assert ann.get(f"/files/curve.png?{WHEN}&show=bounce").status_code == 200
    assert ann.get(f"/files/curve.png?{WHEN}&show=x").status_code == 400
    assert ann.get("/files/nothing.xlsx").status_code == 404
    page = ann.text(f"/report/pages?{WHEN}")
    for end in ("xlsx", "parquet", "png"):
        assert f'href="/files/pages.{end}?{WHEN}"' in page
    assert f'href="/files/curve.png?{WHEN}&show=views"' in ann.text(f"/?{WHEN}&show=views")


def test_nothing_of_a_table_runs_in_a_spreadsheet_or_a_picture() -> None:
    table = pa.table({"path": FORMULAS, "people": list(range(len(FORMULAS)))})
    made = xlsx(table, ["path", "people"], ["=About"], datetime(2026, 11, 2, tzinfo=UTC))
    book = openpyxl.load_workbook(io.BytesIO(made))
    cells = [row[0] for row in book["Table"].iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.value for cell in cells] == FORMULAS
    assert all(cell.hyperlink is None for cell in cells)
    assert book["About"]["A1"].data_type == "s"
    assert made == xlsx(table, ["path", "people"], ["=About"], datetime(2026, 11, 2, tzinfo=UTC))
    assert drawn.bars(["$\\undefined{x}$", "a_b^c", "$"], [3, 2, None], "$\\x$", "$")[:4] == b"\x89PNG"
