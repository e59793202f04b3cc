"""The page of a report: its columns order it, what is typed narrows it, its rows lead to themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dashboards.panels import PAGES
from dashboards.report_page import Columns, Order, arranged
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import LAST, fill_published, put, table
from warehouse import report as reports
from warehouse.released import Store
from warehouse.report import OTHER
from warehouse.settings import Warehouse
from warehouse.snapshot import publish


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    data: Path = tmp_path_factory.mktemp("market")
    fill_published(data, days=20, sites=("market", "blog"))
    with asking(data) as pages:
        yield pages


def _first(text: str) -> list[str]:
    """The first cell of each row."""
    (body,) = re.findall(r"<tbody>(.*?)</tbody>", text, re.S)
    return [unescape(re.sub(r"<.*?>", "", one)) for one in re.findall(r"<tr><td>(.*?)</td>", body)]


ROWS: list[dict[str, Any]] = [
    {"path": OTHER, "people": 90, "views": 90, "scrolled": 0, "scrolls": 0, "duration_ms": 0},
    {"path": "/b", "people": 20, "views": 40, "scrolled": 900, "scrolls": 10, "duration_ms": 80_000},
    {"path": "/A", "people": 30, "views": 30, "scrolled": 500, "scrolls": 10, "duration_ms": 90_000},
    {"path": "/c", "people": 10, "views": None, "scrolled": None, "scrolls": None, "duration_ms": None},
]
OF = Columns(["path"], ["people", "views", "duration_ms"], PAGES.rates, PAGES)


@pytest.mark.parametrize(
    ("order", "paths"),
    [
        (Order(), [OTHER, "/b", "/A", "/c"]),
        (Order("people"), ["/A", "/b", "/c", OTHER]),
        (Order("people", up=True), ["/c", "/b", "/A", OTHER]),
        (Order("path", up=True), ["/A", "/b", "/c", OTHER]),
        (Order("scroll"), ["/b", "/A", OTHER, "/c"]),  # of the last two nothing is told
        (Order("read"), ["/A", "/b", OTHER, "/c"]),
        (Order(find="A"), ["/A"]),
        (Order("people", find="/"), ["/A", "/b", "/c"]),
    ],
)
def test_rows_stand_in_the_order_that_is_asked(order: Order, paths: list[str]) -> None:
    """What is put together, and what has no such number, comes last either way. Planted: without that."""
    shown, n = arranged(ROWS, OF, order)
    assert ([one["path"] for one in shown], n) == (paths, len(paths))
    assert ([one["path"] for one in arranged(ROWS, OF, order, 1)[0]], n) == (paths[:1], len(paths))


def test_a_head_orders_and_then_turns_round(market: Asking) -> None:
    page = market.get("/report/countries?site=market&period=7&sort=people").text
    assert re.findall(r'aria-sort="(\w+)"', page) == ["descending"]
    assert "/report/countries?site=market&amp;period=7&amp;sort=-people" in page
    assert "/report/countries?site=market&amp;period=7&amp;sort=-country" in page, "words by the alphabet"
    said = _first(market.get("/report/countries?site=market&sort=-country").text)
    assert said[:-1] == sorted(said[:-1]), "by what they are called, not by their codes"
    assert said[-1] == "Other"


def test_rows_are_found_by_what_they_are_called(market: Asking) -> None:
    page = market.get("/report/countries?site=market&find=UNITED").text
    assert sorted(_first(page)) == ["United Kingdom", "United States"]
    assert "<tfoot>" not in page, "some rows have no total of all"
    assert "No row has that in it" in market.get("/report/countries?site=market&find=%3Cb%3E").text
    assert "<b>" not in market.get("/report/countries?site=market&find=%3Cb%3E").text


def test_a_row_leads_to_the_overview_of_it_alone(market: Asking) -> None:
    page = market.get("/report/countries?site=market&period=7").text
    assert 'href="/?site=market&amp;period=7&amp;where=country%3ADE"' in page
    assert page.count("where=country") == len([one for one in _first(page) if one != "Other"])


def test_a_column_that_is_not_there_is_refused(market: Asking) -> None:
    answer = market.get("/report/pages?site=market&sort=nothing")
    assert answer.status_code == 400
    assert "path, people, views" in answer.text


def test_sums_that_mean_nothing_alone_are_told_as_what_they_are_for(market: Asking) -> None:
    (head,) = re.findall(r"<thead>(.*?)</thead>", market.get("/report/pages?site=market").text, re.S)
    told = re.findall(r">([^<]+)</a>", head)
    assert told == ["page", "visitors", "views", "time", "read", "scroll"]


def test_a_number_that_is_not_told_is_a_dash_everywhere(tmp_path: Path) -> None:
    """Release publishes 0 where fewer than a group of people added to a number; requests are counted as they
    are. Planted: each of the three places with the 0."""
    store = Store.open(tmp_path)
    for one in reports.load().values():
        rows = table(one, 3, ("market",), LAST)
        if one.name == "conversions":
            at = rows.schema.get_field_index("refunds")
            rows = rows.set_column(
                at, rows.schema.field("refunds"), pa.array([0] * len(rows), rows["refunds"].type)
            )
        put(store, one, rows)
    publish(tmp_path, Warehouse(), store)
    store.close()
    with asking(tmp_path) as pages:
        report = pages.get("/report/conversions?site=market").text
        assert "it is not nought" in report
        for path in ("/report/conversions", "/events", "/attribution"):
            text = pages.get(f"{path}?site=market").text
            assert re.search(r'<td class="n">–</td>', text), path
            assert not re.search(r'<td class="n">0</td>', text), path
        assert "it is not nought" not in pages.get("/report/refused?site=market").text
