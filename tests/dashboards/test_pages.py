"""The pages over nothing, over too few, over a market: what they show, and whom they need."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import pyarrow.parquet as pq
import pytest

from dashboards.examples import EXAMPLES
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import LAST, fill, put, table
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import folder, manifest, publish

HERE = "http://127.0.0.1:8601"
#: Attributes whose value is fetched or gone to.
_LEADS = {"href", "src", "action", "srcset", "poster", "data", "formaction", "background", "cite", "ping"}


class Page(HTMLParser):
    """What of a page leads elsewhere, runs, or names something."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.leads: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append((tag, found))
        self.leads += [value for name, value in found.items() if name in _LEADS]
        self.leads += re.findall(r"url\(([^)]*)\)", found.get("style", ""))
        if found.get("http-equiv") == "refresh":
            self.leads += re.findall(r"url=(.*)", found.get("content", ""))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A market with two sites."""
    one = tmp_path_factory.mktemp("market")
    fill(one, days=40, sites=("market", "blog"))
    _publish(one)
    return one


@pytest.fixture(scope="module")
def market(data: Path) -> Iterator[Asking]:
    with asking(data, generated=True) as one:
        yield one


def _publish(data: Path) -> None:
    store = Store.open(data)
    publish(data, Warehouse(), store)
    store.close()


#: Pages with a script of ours: an editor that completes names; numbers that are loaded again.
SCRIPTED = {"/sql": "editor", "/explore": "editor", "/live": "live", "/?live": "live"}
#: Every kind of page.
PAGES = [
    "/",
    "/?site=blog&period=90",
    "/?period=day",
    "/?first=2026-11-01&last=2026-11-09&show=bounce",
    "/?live",
    *(f"/report/{name}" for name in reports.load()),
    "/sql",
    "/adverts",
    "/adverts?campaign=autumn&period=90",
    "/adverts?site=blog&period=day",
    "/adverts?campaign=none",
    "/sql?q=FROM+pages",
    "/sql?q=DROP+TABLE+pages",
    "/sources",
    "/pages?grain=week&compare=year",
    "/audience",
    "/events?period=90",
    "/deals",
    "/consent",
    "/live",
    "/funnels?steps=event:sign_up|page:/projects",
    "/returning",
    "/panel/devices",
    "/panel/at-a-glance?grain=month&period=90",
    "/about",
    "/no-such-page",
    "/report/none",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_needs_nobody_and_runs_nothing(path: str, market: Asking) -> None:
    answer = market.get(path)
    page = Page(answer.text)
    assert answer.status_code in (200, 403, 404)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    for lead in page.leads:
        assert urlsplit(urljoin(HERE, lead)).netloc == "127.0.0.1:8601", lead
    scripted = SCRIPTED.get(path) or SCRIPTED.get(urlsplit(path).path)
    assert page.all("script") == ([{"src": f"/static/{scripted}.js", "defer": ""}] if scripted else [])
    assert page.all("iframe") == page.all("style") == []
    assert [
        found for _, found in page.tags for name in found if name.startswith("on") or name == "style"
    ] == []
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert ("script-src 'self'" in policy) == bool(scripted)
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_without_eyes_and_without_a_mouse(path: str, market: Asking) -> None:
    page = Page(market.get(path).text)
    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert {"main", "header", "nav", "footer"} <= {tag for tag, _ in page.tags}
    assert page.leads.index("#main") == min(
        n for n, lead in enumerate(page.leads) if not lead.startswith("/static")
    )
    ids = [found["id"] for _, found in page.tags if "id" in found]
    unique = [id for id in ids if not id.startswith("fade-")]
    assert len(unique) == len(set(unique))
    labels = {found["for"] for found in page.all("label") if "for" in found}
    for field in [*page.all("input"), *page.all("textarea")]:
        assert field.get("id") in labels or field.get("type") in ("hidden", "date"), field
    for drawing in page.all("svg"):
        assert drawing.get("aria-hidden") == "true" or drawing.get("aria-label"), drawing
    assert all("scope" in cell for cell in page.all("th"))
    assert [found for _, found in page.tags if found.get("tabindex", "0") not in ("0", "-1")] == []


def test_every_link_leads_somewhere(market: Asking) -> None:
    seen, ahead = set[str](), ["/", "/sql", "/about"]
    while ahead and len(seen) < 120:
        path = ahead.pop(0)
        if path in seen:
            continue
        seen.add(path)
        answer = market.get(path)
        assert answer.status_code == (405 if path == "/sign-out" else 200), path  # a form's
        if "text/html" in answer.headers["content-type"] and len(seen) < 12:
            ahead += [lead for lead in Page(answer.text).leads if lead.startswith("/")]
    assert len(seen) > 60


# What there is to show.


@pytest.mark.parametrize(
    "path", ["/", "/report/pages", "/csv/pages.csv", "/sql?q=FROM+pages", "/sql", "/about"]
)
def test_a_folder_without_anything(path: str, tmp_path: Path) -> None:
    with asking(tmp_path) as pages:
        answer = pages.get(path)
    assert answer.status_code in (200, 404)
    assert "othing is published yet" in answer.text
    made = [file.name for file in tmp_path.iterdir() if not file.name.startswith("accounts.")]
    assert made == [], "to look makes nothing"


def test_the_page_of_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with asking(tmp_path) as pages:
        text = pages.get("/").text
    assert "Nobody to show yet" in text
    assert "t.js" in text
    assert "throng import" in text


@pytest.mark.requirement("M98")
def test_too_few_people_are_not_shown_and_that_is_said(tmp_path: Path) -> None:
    """Release has left every row of people out; requests are counted all the same."""
    store = Store.open(tmp_path)
    for one in reports.load().values():
        rows = table(one, 3, ("market",), LAST)
        put(store, one, rows if not one.people else rows.slice(0, 0))
    store.close()
    _publish(tmp_path)
    with asking(tmp_path) as pages:
        for path in ("/", "/?period=28", *(f"/report/{name}" for name in reports.load())):
            answer = pages.get(path)
            assert answer.status_code == 200, path
        text = pages.get("/").text
    assert "No day of this period has a group of 10 people" in text
    assert "received" in text


def test_a_market_is_shown_with_its_numbers(data: Path, market: Asking) -> None:
    text = market.get("/?site=market&first=2026-11-22&last=2026-11-22").text
    (day,) = [row for row in published(data, "traffic_day", "market") if row["day"] == LAST]
    assert f"<strong>{day['people']:,}</strong>" in text
    assert f"<strong>{day['views']:,}</strong>" in text
    assert "a program made this crowd" in text
    for expected in ("google.com", "/projects", "Germany", "Mobile", "bid placed", "autumn", "robot"):
        assert expected in text, expected


def test_a_name_from_outside_is_only_text(tmp_path: Path) -> None:
    fill(tmp_path, days=2)
    store = Store.open(tmp_path)
    evil = "/<script>alert(1)</script>\"'><img src=//x.example>"
    store.connection.execute("UPDATE pages SET path = ? WHERE path = '/projects'", [evil])
    store.connection.execute("UPDATE sources SET referrer_host = '=1+1' WHERE referrer_host = 'google.com'")
    store.close()
    _publish(tmp_path)
    with asking(tmp_path) as pages:
        for path in ("/", "/report/pages", "/sql?q=FROM+pages"):
            page = Page(pages.get(path).text)
            assert [one for one in page.all("script") if one.get("src") != "/static/editor.js"] == []
            assert page.all("img") == []
            assert any("<script>alert(1)" in text for text in page.text)
        assert "'=1+1" in pages.get("/csv/sources.csv").text, "a spreadsheet must not run it"


# Periods, sites, CSV.


def published(data: Path, name: str, site: str) -> list[dict[str, Any]]:
    """The rows of a released table."""
    found: list[dict[str, Any]] = pq.read_table(folder(data) / "current" / f"{name}.parquet").to_pylist()
    return [row for row in found if row["site"] == site]


def rows(answer: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer)))


@pytest.mark.parametrize("name", list(reports.load()))
def test_a_csv_is_the_table(name: str, data: Path, market: Asking) -> None:
    """All columns and rows of the published table, of the site and the days."""
    one = reports.load()[name]
    answer = market.get(f"/csv/{name}.csv?site=blog&first=2026-11-10&last=2026-11-19")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.csv"'
    first, last = date(2026, 11, 10), date(2026, 11, 19)
    found = published(data, name, "blog")
    if one.grain == "day":
        found = [row for row in found if first <= row["day"] <= last]
    expected = sorted(tuple("" if v is None else str(v) for v in row.values()) for row in found)
    got = rows(answer.text)
    assert list(got[0]) == list(found[0])
    if one.grain == "day":
        assert sorted(tuple(row.values()) for row in got) == expected
        assert len({row["day"] for row in got}) == 10
    else:  # weeks and months that touch the period
        assert {tuple(row.values()) for row in got} <= set(expected)


def test_days_are_chosen_by_name_or_by_date(market: Asking) -> None:
    for period, days in (("day", 1), ("7", 7), ("28", 28), ("90", 40)):
        got = rows(market.get(f"/csv/traffic_day.csv?site=market&period={period}").text)
        assert len(got) == days
        assert max(row["day"] for row in got) == LAST.isoformat()
    got = rows(market.get("/csv/traffic_day.csv?site=market&first=2026-11-03").text)
    assert [row["day"] for row in got] == ["2026-11-03"]
    page = Page(market.get("/?first=2026-11-03&last=2026-11-05").text)
    assert [found["value"] for found in page.all("input") if found.get("type") == "date"] == [
        "2026-11-03",
        "2026-11-05",
    ]
    out_of_data = (LAST + timedelta(days=100)).isoformat()
    assert market.get(f"/?first={out_of_data}&last={out_of_data}").status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/?period=3", 400, "period is one of"),
        ("/?first=yesterday", 400, "first and last are dates"),
        ("/?first=2026-11-09&last=2026-11-01", 400, "last is not before first"),
        ("/?first=0001-01-01&last=9999-12-31", 400, "less than 1500 days"),
        ("/?site=nobody", 404, "nothing is published of that site"),
        ("/?show=secrets", 400, "show is one of"),
        ("/report/secrets", 404, "no report of that name"),
        ("/csv/..%2f..%2fkeys.csv", 404, "no such page"),
        ("/static/../pages.py", 404, "no such page"),
    ],
)
def test_what_can_not_be_shown_is_said(path: str, status: int, says: str, market: Asking) -> None:
    answer = market.get(path)
    assert answer.status_code == status
    assert says in " ".join(Page(answer.text).text).lower() or says in answer.text
    as_json = market.get(path, accept="application/json")
    assert as_json.status_code == status
    assert set(as_json.json()["error"]) == {"code", "message"}


def test_the_site_is_picked_from_those_there_are(market: Asking) -> None:
    page = Page(market.get("/?site=blog").text)
    options = page.all("option")
    assert len(options) == 2
    assert sum("selected" in found for found in options) == 1
    assert "blog" in " ".join(page.text)


# SQL.


def test_every_example_runs(market: Asking) -> None:
    for text, statement in EXAMPLES:
        answer = market.get(f"/sql?q={quote(statement)}")
        assert answer.status_code == 200, text
        assert 'class="answer"' in answer.text, text
        assert 'role="alert"' not in answer.text, text


def test_an_answer_is_shown_and_can_be_had_as_csv(market: Asking) -> None:
    sql = "SELECT day, people FROM traffic_day WHERE site = 'market' ORDER BY day DESC LIMIT 3"
    page = market.get(f"/sql?q={quote(sql)}")
    assert "3 rows" in page.text
    got = rows(market.get(f"/sql?q={quote(sql)}&format=csv").text)
    assert [row["day"] for row in got] == ["2026-11-22", "2026-11-21", "2026-11-20"]
    for row in got:
        assert row["people"] in page.text
    assert Page(page.text).all("textarea")


@pytest.mark.parametrize(
    ("sql", "status", "says"),
    [
        ("DROP TABLE pages", 403, "can only be read"),
        ("FROM read_text('/etc/passwd')", 403, "read_text"),
        ("FROM '/etc/passwd'", 404, "FROM reports lists them"),
        ("SELECT getenv('HOME')", 403, "getenv"),
        ("ATTACH '/tmp/x.db'", 403, "can only be read"),
        ("SELECT 1; DROP TABLE pages", 400, "one statement at a time"),
        ("SELECT vews FROM pages", 400, "views"),
        ("SELEC", 400, "syntax error"),
        ("<script>alert(1)</script>", 400, "syntax error"),
    ],
)
def test_an_attack_is_refused_with_a_word_that_teaches(
    sql: str, status: int, says: str, market: Asking
) -> None:
    answer = market.get(f"/sql?q={quote(sql)}")
    page = Page(answer.text)
    assert answer.status_code == status
    assert [one["src"] for one in page.all("script")] == ["/static/editor.js"], "and no other"
    assert 'role="alert"' in answer.text
    assert says in "".join(page.text)
    assert sql in "".join(page.text), "what was written stays to be mended"
    assert "root:" not in answer.text


# Who may ask.


@pytest.mark.parametrize(
    ("head", "method", "status"),
    [
        ({"host": "evil.example"}, "GET", 421),
        ({"host": "127.0.0.1.evil.example:8601"}, "GET", 421),
        ({"host": "localhost:8601"}, "GET", 200),
        ({}, "POST", 405),
        ({}, "DELETE", 405),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, "GET", 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, "GET", 200),
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, "GET", 200),
    ],
)
def test_a_strangers_page_can_not_ask(head: dict[str, str], method: str, status: int, market: Asking) -> None:
    answer = market.get("/csv/pages.csv", method, **head)
    assert answer.status_code == status
    assert "access-control-allow-origin" not in answer.headers
    if status != 200:
        assert "views" not in answer.text


@pytest.mark.requirement("M102")
def test_browsers_that_came_encrypted_are_told_to_come_no_other_way(market: Asking) -> None:
    """But not for localhost, where other ports speak in clear, nor where anybody could have written it."""
    for base, told in (
        ("https://stats.example", "max-age=31536000"),
        ("http://stats.example", None),
        ("https://localhost:8601", None),
        ("https://[::1]:8601", None),
    ):
        answer = market.get("/about", base=base)
        assert (answer.status_code, answer.headers.get("strict-transport-security")) == (200, told)


def test_a_newer_generation_is_shown_at_once(tmp_path: Path) -> None:
    fill(tmp_path, days=2)
    _publish(tmp_path)
    with asking(tmp_path) as pages:
        assert "as generation 1." in pages.get("/").text
        store = Store.open(tmp_path)
        store.connection.execute("UPDATE traffic_day SET people = 4321")
        store.connection.execute("UPDATE done_to SET version = version + 1")
        store.close()
        _publish(tmp_path)
        text = pages.get("/?period=day").text
        assert "as generation 2." in text
        assert "<strong>4,321</strong>" in text
        assert pages.get(f"/sql?q={quote('SELECT DISTINCT people FROM traffic_day')}").text.count("4321") > 0


@pytest.mark.requirement("S1")
def test_a_report_says_which_days_were_made_anew_and_why(tmp_path: Path) -> None:
    """On its page, in the table that anyone may query, and in the manifest; how many only of a group."""
    fill(tmp_path, days=3)
    store, said = Store.open(tmp_path), LAST - timedelta(days=1)
    days = {("market", LAST): (None, True), ("market", said): (12, False)}
    store.say("new_events", dict.fromkeys(days, (None, False)))
    store.say("restated", days)
    store.close()
    _publish(tmp_path)
    with asking(tmp_path) as one:
        text = " ".join("".join(Page(one.get("/report/pages?site=market").text).text).split())
        answer = one.get("/sql?q=" + quote("SELECT version, reason FROM restatements ORDER BY ALL"))
        assert "Days with a new version" in text
        assert text.count("people have left") == 2
        assert "(12)" in text
        assert text.count("small rows left out") == 1
        assert "restated" in answer.text
        assert "Days with a new version" not in one.get("/report/balance?site=market").text
    made = manifest(tmp_path)
    assert made is not None
    assert [(row["version"], row["people"]) for row in made["restatements"]] == [(2, 12), (2, None)]


@pytest.mark.requirement("S6")
def test_the_overview_bounds_what_those_who_refused_may_have_seen(data: Path, market: Asking) -> None:
    """From what was measured to that and every request that was refused for what a visitor has said."""
    where, last = folder(data) / "current", LAST.isoformat()

    def total(name: str, number: str, reasons: tuple[str, ...] = ()) -> int:
        rows = pq.read_table(where / f"{name}.parquet").to_pylist()
        return sum(
            row[number]
            for row in rows
            if row["site"] == "market"
            and row["day"].isoformat() == last
            and (not reasons or row["reason"] in reasons)
        )

    views, out = total("traffic_day", "views"), total("refused", "n", ("consent", "signal"))
    text = " ".join("".join(Page(market.get(f"/?site=market&first={last}&last={last}").text).text).split())
    assert out > 0
    assert f"With those who refused there were {views:,} to {views + out:,} page views" in text


@pytest.mark.parametrize("name", ["devices", "countries", "sessions", "entry_pages", "sources", "refused"])
def test_a_table_adds_up_to_the_total_that_it_shows(name: str, data: Path, market: Asking) -> None:
    """Rows as they are in SQL, and a line for what is in none of them. Planted: that line left out."""
    report, where = reports.load()[name], folder(data) / "current"
    last, before = LAST.isoformat(), (LAST - timedelta(days=6)).isoformat()
    said = f"site=market&first={before}&last={last}"
    text = market.get(f"/report/{name}?{said}").text
    of = next((one for one in report.total if reports.load()[one].keys == ("site", "day")), "")
    shared = [one for one in report.sums if of and one in reports.load()[of].sums]
    assert ("<tfoot>" in text) == bool(shared)
    if not shared:
        return

    def total(table: str, number: str) -> int:
        rows = pq.read_table(where / f"{table}.parquet").to_pylist()
        in_it = [row for row in rows if row["site"] == "market" and before <= row["day"].isoformat() <= last]
        return sum(row[number] for row in in_it)

    (foot,) = re.findall(r"<tfoot>(.*?)</tfoot>", text, re.S)
    lines = [
        re.findall(r'<td class="n">(.*?)</td>', line) for line in re.findall(r"<tr>.*?</tr>", foot, re.S)
    ]
    numbers = [*report.groups, *report.sums]
    assert [len(line) for line in lines] == [len(numbers)] * 3
    for number, *column in zip(numbers, *lines, strict=True):
        if number not in shared:
            assert column == ["–"] * 3
            continue
        rows, rest, whole = (int(one.replace(",", "").replace("−", "-")) for one in column)
        assert (rows, whole) == (total(name, number), total(of, number))
        assert rows + rest == whole
    assert 'href="/about-numbers#totals"' in text
    assert 'id="totals"' in market.get("/about-numbers").text
