"""Pages of their own: what stands on them is what the tables have, and everybody can read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dashboards import world
from dashboards.app import create
from dashboards.settings import Dashboards
from dashboards.topics import TOPICS
from dashboards.words import countries, short
from tests import signed
from tests.dashboards.asking import Asking, asking
from tests.dashboards.serving import serving
from tests.dashboards.unmarked import unmarked
from tests.warehouse.tables import LAST, fill_published, put, table
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import folder, publish

PATHS = [*(topic.path for topic in TOPICS), "/live", "/funnels", "/returning"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    one = tmp_path_factory.mktemp("topics")
    fill_published(one, days=16, sites=("market", "blog"))
    return one


@pytest.fixture(scope="module")
def market(data: Path) -> Iterator[Asking]:
    with asking(data) as one:
        yield one


def released(data: Path, name: str) -> list[dict[str, Any]]:
    rows = pq.read_table(folder(data) / "current" / f"{name}.parquet").to_pylist()
    return [row for row in rows if row["site"] == "market"]


def test_each_country_has_one_square_of_its_own() -> None:
    assert len(set(world.places().values())) == len(world.places())
    assert world.places().keys() == countries().keys(), "none is forgotten, and none invented"
    drawn = world.drawn({"DE": 100, "FR": 1, "ZZ": 900})
    assert drawn.count('class="land s0"') == len(countries()) - 2
    assert '<g class="land s6"><title>Germany: 100</title>' in drawn
    assert '<g class="land s1"><title>France: 1</title>' in drawn


def test_pages_say_how_long_and_how_far_they_are_read(data: Path, market: Asking) -> None:
    rows = [row for row in released(data, "pages") if row["path"] == "/"]
    views, shown = (sum(row[name] for row in rows) for name in ("views", "duration_ms"))
    text = market.get("/pages?period=28").text
    seconds = round(shown / views / 1000)
    said = f"{seconds // 60}m {seconds % 60}s" if seconds >= 60 else f"{seconds}s"
    row = text.partition(">/</bdi></a>")[2].partition("</tr>")[0]
    assert f'<td class="n first">{short(sum(row["people"] for row in rows))}</td>' in row
    assert f'<td class="n rate">{said}</td>' in row


def test_how_long_a_market_takes_is_told_from_the_least(market: Asking) -> None:
    text = market.get("/deals").text
    table = text.partition("Hours to the first bid")[2].partition("</table>")[0]
    assert re.findall(r'<th scope="row">from (\d+)<', table) == ["0", "1", "4", "12", "24"]


def test_now_is_the_newest_hour_beside_a_week_before(data: Path, market: Asking) -> None:
    hours = [row for row in released(data, "traffic_hour") if row["day"] == LAST]
    newest = max(hours, key=lambda row: row["hour"])
    text = market.get("/live").text
    assert f"<strong>{newest['people']:,}</strong> visitors from {newest['hour']}:00" in text
    assert "nothing of today is published" in text
    assert "15 Nov 2026" in text
    assert "http-equiv" not in text, "what reloads by itself can be paused (WCAG 2.2.1)"


def test_what_can_not_be_narrowed_says_so_on_every_page(market: Asking) -> None:
    for path in PATHS[:-3]:
        text = market.get(f"{path}?where=country:DE").text
        assert ("data-panel=" in text) or ("Not narrowed by country" in text), path
        assert "Counting…" in text or "Not narrowed" in text
    for path in ("/funnels", "/returning"):
        assert "not narrowed" in market.get(f"{path}?where=country:DE").text


@pytest.mark.parametrize("path", [
    *PATHS, "/", "/?period=day", "/?where=country:DE", "/funnels?steps=event:sign_up", "/journeys",
    "/adverts",
    "/adverts?campaign=autumn", "/report/pages", "/report/refused", "/attribution", "/sql?q=FROM+pages",
    "/explore", "/about", "/about-numbers", "/quality", "/views", "/shares", "/notes", "/alerts", "/mails",
    "/experiments", "/speed",
    "/account", "/account/keys", "/account/second", "/account/passkeys", "/accounts", "/log", "/mine",
    "/security", "/nowhere",
])  # fmt: skip
def test_every_word_on_a_page_is_in_the_catalogues(market: Asking, path: str) -> None:
    """In the language of brackets nothing is without them but names, code, and what says it is English."""
    answer = market.get(path, accept_language="en-XA")
    assert 'dir="ltr"' in answer.text
    assert unmarked(answer.text) == []


def test_a_page_is_said_in_the_language_of_who_asks(data: Path, market: Asking) -> None:
    people = sum(row["people"] for row in released(data, "traffic_day"))
    german = market.get("/?period=28", accept_language="de-AT, en;q=0.5").text
    assert '<html lang="de" dir="ltr">' in german
    assert "Seitenaufrufe" in german
    assert f"{people:,}".replace(",", ".") in german
    assert '<html lang="ar" dir="rtl">' in market.get("/", accept_language="ar").text
    assert '<html lang="en" dir="ltr">' in market.get("/", accept_language="fr").text
    form, ask = {"content_type": "application/x-www-form-urlencoded"}, "/api/sql?q=DROP+x"
    chosen = market.send("/account", "act=language&language=de", **form)
    try:
        assert chosen.status_code == 303
        assert '<html lang="de"' in market.get("/", accept_language="ar").text, "what is chosen goes before"
        table = market.get("/csv/sources.csv?period=28")
        assert table.text == market.get("/csv/sources.csv?period=28", accept_language="ar").text
        assert table.text.startswith('"site","day","referrer_group"'), "files are the same in every language"
        program = market.get(ask, accept="application/json").json()
        assert program == market.get(ask, accept="application/json", accept_language="ar").json()
    finally:
        market.send("/account", "act=language&language=", **form)
    assert '<html lang="en"' in market.get("/").text


def test_lists_have_what_people_did_and_no_word_for_nothing(tmp_path: Path) -> None:
    """Who typed the address is "Direct", without a "(none)" behind it; what pages report by themselves is no
    event of anybody. Planted: each of the two as before."""
    store = Store.open(tmp_path)
    for one in reports.load().values():
        rows = table(one, 3, ("market",), LAST)
        if one.name == "custom_events":
            told = rows["type"].to_pylist(), rows["name"].to_pylist()
            own = [
                (("engagement", "(none)") if name == "hired" else (kind, name))
                for kind, name in zip(*told, strict=True)
            ]
            for column, values in zip(("type", "name"), zip(*own, strict=True), strict=True):
                at = rows.schema.get_field_index(column)
                rows = rows.set_column(at, rows.schema.field(column), [list(values)])
        if one.name == "sources":
            hosts = [host or "(none)" for host in rows["referrer_host"].to_pylist()]
            at = rows.schema.get_field_index("referrer_host")
            rows = rows.set_column(at, rows.schema.field("referrer_host"), [hosts])
        put(store, one, rows)
    publish(tmp_path, Warehouse(), store)
    store.close()
    with asking(tmp_path) as pages:
        events, sources = pages.get("/events").text, pages.get("/sources").text
    assert "sign_up" in events
    assert "engagement" not in events.partition("<main")[2]
    named = re.findall(r'<span class="text">(.*?)</span></span></th>', sources)
    assert "Direct" in [re.sub(r"<.*?>", "", one) for one in named]
    assert not [one for one in named if "(none)" in one]


def test_a_grain_is_offered_where_something_is_drawn_by_it(market: Asking) -> None:
    """Planted: on every page, as it was, where choosing one changed nothing."""
    drawn = {"/", *(topic.path for topic in TOPICS if topic.head)}
    for path in {*PATHS, "/", "/speed", "/journeys"} - {"/live"}:
        text = market.get(f"{path}?site=market&period=7").text
        assert ('aria-label="Grain"' in text) == (path in drawn), path
        assert 'aria-label="Compared with"' in text, path


@pytest.mark.needs("chromium")
@pytest.mark.needs("axe")
def test_everybody_can_read_them_on_a_telephone_too(data: Path, chromium: Any) -> None:
    """Axe has nothing to say; the way to another page keeps what is looked at; live can be paused."""
    from tests.whole.place import axe

    with serving(create(data, Dashboards(), Warehouse())) as address:
        context = chromium.new_context(viewport={"width": 360, "height": 800}, color_scheme="dark")
        signed.browser(context, data, address)
        page = context.new_page()
        for path in (*PATHS, "/experiments", "/speed"):
            page.goto(f"{address}{path}?period=7")
            assert axe(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
        page.goto(f"{address}/sources?first=2026-11-10&last=2026-11-12&compare=year")
        page.get_by_role("link", name="Audience").click()
        assert "/audience?site=market&first=2026-11-10&last=2026-11-12&compare=year" in page.url
        page.get_by_role("button", name="More").click()
        assert page.get_by_role("link", name="Quality").is_visible()
        page.goto(f"{address}/live")
        page.get_by_role("button", name="Pause").click()
        assert page.get_by_role("button", name="Pause").get_attribute("aria-pressed") == "true"
        page.clock.install()
        page.goto(f"{address}/?live")
        page.locator("label[for=card1-2]").click()
        page.evaluate("document.querySelector('[data-again]').firstElementChild.id = 'old'")
        for status in (200, 304):  # its numbers alone; what is the same is not sent again
            with page.expect_response(lambda one: "live" in one.url) as answer:
                page.clock.fast_forward(5_100)
            assert answer.value.status == status
            page.wait_for_function("!document.getElementById('old')")
        assert page.locator("#card1-2").is_checked()
        assert axe(page) == []
        context.close()
