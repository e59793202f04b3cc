"""A click on a row narrows the page to it: what is asked at the gate, what is said where it can't be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import sankey
from dashboards.app import create
from dashboards.narrowed import fits
from dashboards.panels import BY_NAME
from dashboards.sankey import Flow
from dashboards.settings import Dashboards
from dashboards.view import Filter
from dashboards.who import Role
from tests import signed
from tests.dashboards.asking import Asking, asking
from tests.dashboards.serving import serving
from tests.warehouse.crowd import lay, withdraw
from tests.warehouse.tables import fill
from tests.warehouse.test_explore import HOW, crowd
from warehouse import report as reports
from warehouse.askable import BY_NAME as SUBJECTS
from warehouse.released import Store
from warehouse.snapshot import publish

DAYS = "first=2026-09-01&last=2026-09-03"
ROW = re.compile(r'<th scope="row">.*?<span class="text">(.*?)</span></span></th>(.*?)</tr>', re.S)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Facts of a crowd, and released tables of the same three days."""
    one = tmp_path_factory.mktemp("filtered")
    lay(one, crowd())
    withdraw(one, [])
    fill(one, days=3, sites=("shop",), last=date(2026, 9, 3))
    store = Store.open(one)
    publish(one, HOW, store)
    store.close()
    return one


@pytest.fixture(scope="module")
def shop(data: Path) -> Iterator[Asking]:
    with asking(data, warehouse=HOW) as one:
        yield one


def rows(html: str) -> dict[str, list[str]]:
    """The rows of a list: what they are called, and their numbers."""
    return {
        unescape(re.sub(r"<[^>]+>", "", name)): re.findall(r'<td class="n(?: first)?">(.*?)</td>', cells)
        for name, cells in ROW.findall(html)
    }


def asked(shop: Asking, question: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = shop.get(f"/api/explore?q={quote(question)}", accept="*/*").json()["rows"]
    return found


@pytest.mark.requirement("M98")
def test_a_list_under_a_filter_is_what_the_gate_answers(shop: Asking) -> None:
    """The same numbers as the same question has; and what is too small, or not over, is said."""
    got = rows(shop.get(f"/panel/devices?{DAYS}&where=country:DE&bare").text)
    expected = asked(shop, "people, views by device where country = 'DE' from 2026-09-01 to 2026-09-03")
    assert {name.lower(): numbers for name, numbers in got.items()} == {
        row["device"]: [str(row["views"]), str(row["people"])] for row in expected
    }
    events = shop.get(f"/panel/events?{DAYS}&where=country:DE&bare").text
    assert [*rows(events)] == ["sign_up · event"], "page views are no events"
    assert "in rows of too few people" in events
    late = shop.get("/panel/pages?first=2026-09-02&last=2026-09-05&where=country:DE&bare").text
    assert "2 days left out (4 Sep 2026 to 5 Sep 2026): not over yet" in late
    head = shop.get(f"/panel/at-a-glance?{DAYS}&where=country:DE&show=visits").text
    visits = asked(shop, "visits where country = 'DE' from 2026-09-01 to 2026-09-03")[0]["visits"]
    assert f"<strong>{visits}</strong>" in head
    unknown = shop.get(f"/panel/at-a-glance?{DAYS}&where=path:/1&bare").text
    assert unknown.count("<strong>–</strong>") == 4, "of a page only visitors and views are known"


def test_what_can_not_be_narrowed_says_why(shop: Asking) -> None:
    for path, says in (
        ("/panel/sources?where=path:/1", "counted of different things"),
        ("/panel/new-and-returning?where=country:DE", "known from many days at once"),
        ("/panel/pages?where=country:XX", "Which of the two is not told"),
    ):
        text = shop.get(f"{path}&{DAYS}&bare").text
        assert says in text, path
        assert "<table" not in text
    page = shop.get(f"/?{DAYS}&where=country:DE&where=device:mobile").text
    assert page.count("data-panel=") == 11
    assert "Not narrowed by country, device" in page
    assert "New and returning: who is new" in page
    assert 'href="/?site=shop&amp;first=2026-09-01&amp;last=2026-09-03&amp;where=device%3Amobile"' in page
    assert shop.get(f"/panel/devices?{DAYS}&where=country:DE&where=path:/&where=os:x").status_code == 400
    assert shop.get("/panel/none").status_code == 404


def test_a_row_leads_to_the_page_that_it_stands_on_and_to_no_other(shop: Asking) -> None:
    text = shop.get(f"/panel/devices?{DAYS}&where=country:DE&bare&on=javascript:alert(1)//").text
    assert "javascript" not in text
    links = re.findall(r'<a href="([^"]*)" title="Only', text)
    assert links
    assert all(link.startswith("/?site=shop") for link in links)
    other = shop.get(f"/panel/devices?{DAYS}&where=country:DE&bare&on=/audience").text
    assert '<a href="/audience?site=shop' in other


def test_journeys_are_one_question_at_the_gate(shop: Asking) -> None:
    """The page is there at once; its flows add up to the answer. Planted: a path by which visits went."""
    page = shop.get(f"/journeys?{DAYS}")
    assert "data-panel=" in page.text
    assert "script-src 'self'" in page.headers["content-security-policy"]
    text = shop.get(f"/journeys?{DAYS}&bare").text
    question = "visits by referrer_group, entry, leave from 2026-09-01 to 2026-09-03"
    whole = sum(row["visits"] for row in asked(shop, question))
    table = text.partition("<tbody>")[2]
    numbers = re.findall(r'<td class="n first">(.*?)</td>', table)
    assert sum(int(one.replace(",", "")) for one in numbers) == whole > 0
    assert "came from" in text
    assert "Not compared" in text, "there are no days before the first"
    one = shop.get("/journeys?site=shop&period=custom&first=2026-09-03&last=2026-09-03&bare").text
    cells = re.findall(r'<td class="n">([^<]*)</td><td class="n delta">', one)
    then = asked(shop, question.replace("2026-09-01 to 2026-09-03", "2026-09-02 to 2026-09-02"))
    assert sum(int(cell.replace(",", "")) for cell in cells) == sum(row["visits"] for row in then) > 0
    assert "delta" not in shop.get(f"/journeys?{DAYS}&compare=no&bare").text
    narrowed = shop.get(f"/journeys?{DAYS}&where=country:DE&bare").text
    assert "began at" in narrowed
    assert "came from" not in narrowed, "three words at most, one of them the filter"
    for more, says in (
        ("country:DE&where=device:mobile", "take a filter away"),
        ("path:/", "different things"),
    ):
        assert says in shop.get(f"/journeys?{DAYS}&where={more}&bare").text


@given(
    st.lists(
        st.builds(Flow, st.tuples(*[st.sampled_from("abc")] * 3), st.integers(1, 999)),
        min_size=1,
        max_size=12,
    )
)
def test_a_band_is_as_thick_at_both_ends_as_what_it_is_of(flows: list[Flow]) -> None:
    drawn = sankey.drawn(flows, ["one", "two", "three"], "Flows")
    blocks = [float(one) for one in re.findall(r'class="block"[^>]* height="([\d.]+)"', drawn)]
    bands = [float(one) for one in re.findall(r'stroke-width="([\d.]+)"', drawn)]
    # The first and the last column are passed once, the middle one twice.
    assert sum(bands) * 3 == pytest.approx(sum(blocks) * 2, rel=0.05, abs=3 * len(bands))
    assert "nan" not in drawn


def test_who_may_see_another_site_gets_nothing_of_this_one(data: Path, shop: Asking) -> None:
    head = signed.head(data, Role.ANALYST, sites=["blog"])
    for path in ("/panel/countries?", "/panel/countries?site=shop&"):
        answer = shop.get(f"{path}{DAYS}&where=country:DE", **head)
        assert "Germany" not in answer.text
        assert "<table" not in answer.text
    mine = signed.head(data, Role.ANALYST, sites=["shop"])
    assert "Germany" in shop.get(f"/panel/countries?{DAYS}&where=country:DE", **mine).text


def test_what_a_list_filters_by_is_a_dimension_and_its_numbers_are_measures() -> None:
    for panel in BY_NAME.values():
        report = reports.load()[panel.report]
        assert {*panel.keys} <= {*report.keys}
        assert {*panel.dims} <= {*panel.keys}
        if panel.unasked:
            continue
        assert fits(panel.dims.values(), ()) == ""
        dims, sums = {*panel.dims.values()}, {panel.asked[n] for n in panel.sums} - {"people"}
        of = [
            one for one in SUBJECTS.values() if dims <= one.dimensions.keys() and sums <= one.measures.keys()
        ]
        assert of[0].purpose == report.purpose, "a list and its question are of the same people"
    assert fits(["referrer_host"], [Filter("path", "/")])


@pytest.mark.needs("chromium")
@pytest.mark.needs("axe")
def test_click_a_row_and_everything_is_of_it(data: Path, chromium: Any) -> None:
    from tests.whole.place import axe

    with serving(create(data, Dashboards(), HOW)) as address:
        context = chromium.new_context(viewport={"width": 360, "height": 800})
        signed.browser(context, data, address)
        page, wrong = context.new_page(), list[str]()
        page.on("console", lambda said: wrong.append(said.text))
        page.goto(f"{address}/?{DAYS}&compare=no")
        page.get_by_role("link", name="Germany").click()
        page.locator("table:has-text('Mobile')").wait_for()
        page.locator("[data-panel]").first.wait_for(state="detached", timeout=60_000)
        while page.locator("[data-panel]").count():
            page.wait_for_timeout(50)
        assert "where=country%3ADE" in page.url
        assert page.locator(".loading").count() == 0
        edges = "['.metrics', '.top'].map(e => document.querySelector(e).getBoundingClientRect().left)"
        inner, outer = page.evaluate(edges)
        assert inner - outer <= 1, "as wide as its card, as it is without a filter"
        assert axe(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("link", name="Do not filter by").click()
        assert "where" not in page.url
        page.get_by_role("heading", name="From sign-up to hire").wait_for()
        context.close()
    assert wrong == []
