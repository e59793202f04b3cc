"""A share link tells less than its view, to whoever has it, until it is ended."""

from __future__ import annotations

import csv
import io
import re
import resource
from urllib.parse import urlsplit

import pytest

from consent_filter.errors import Refused
from dashboards.accounts import log
from dashboards.sharing.shares import told
from dashboards.who import Role
from tests.dashboards.browsing import Browser, House
from tests.dashboards.sharing.conftest import LAST
from tests.dashboards.sharing.test_views import someone
from warehouse import budget
from warehouse.release_settings import Release

OUTSIDE = "https://numbers.example"


def shared(browser: Browser, name: str, address: str, **said: str) -> str:
    """The path of a new link."""
    assert browser.send("/views", act="keep", name=name, address=address).status_code == 303
    (id,) = re.findall(rf'/views/(V\w+)">{name}', browser.text("/views"))
    page = browser.send(
        "/shares", act="make", view=id, **{"days": "30", "password": "", "frames": "", **said}
    )
    assert page.status_code == 200, page.text
    (link,) = re.findall(r"<pre[^>]*>(https://numbers.example/shared/\S+)</pre>", page.text)
    return urlsplit(link).path


@pytest.mark.requirement("M98")
def test_whoever_has_the_link_sees_fifty_and_more_and_nothing_else(market: House) -> None:
    ann, stranger = someone(market, "ann@shop.example"), market.browser(OUTSIDE)
    path = shared(ann, "Devices", "/report/devices?site=blog&period=90")
    page = stranger.get(path)
    assert page.status_code == 200
    assert "set-cookie" not in page.headers
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert 'href="/report' not in page.text
    assert 'content="noindex"' in page.text
    rows = list(csv.DictReader(io.StringIO(stranger.get(f"{path}/devices.csv").text)))
    inside = ann.get("/csv/devices.csv?site=blog&period=90").text
    known = list(csv.DictReader(io.StringIO(inside)))
    assert rows
    assert min(int(row["people"]) for row in rows) >= 55 > min(int(row["people"]) for row in known)
    assert rows[0].keys() == {"day", "device", "people", "views"}
    assert {name for month in budget.accounts(market.data, Release()) for name in month.told} == {"devices"}
    # Nothing in the address chooses anything.
    for more in ("?site=market", "?period=7&site=market", "?where=device:mobile"):
        assert stranger.get(f"{path}/devices.csv{more}").text == stranger.get(f"{path}/devices.csv").text
    assert stranger.get(f"{path}/pages.csv").status_code == 404
    for other in (path[:-1], path + "x", path.replace("/shared/L", "/shared/M"), "/shared/x"):
        assert stranger.get(other).status_code == 404, other
    for inner in ("/", "/shares", "/views", "/report/devices"):
        assert stranger.get(inner).status_code == 404, inner


def test_a_filter_and_days_are_locked(market: House) -> None:
    ann, stranger = someone(market, "ann@shop.example"), market.browser(OUTSIDE)
    days = f"first={LAST.replace(day=1)}&last={LAST}"
    path = shared(ann, "Phones", f"/?site=market&{days}&where=device:mobile")
    page = stranger.get(path).text
    assert "only device Mobile" in page
    assert "Browsers" not in page, "a table without that key is not told"
    rows = list(csv.DictReader(io.StringIO(stranger.get(f"{path}/devices.csv").text)))
    assert {row["device"] for row in rows} == {"mobile"}
    assert rows[0]["day"] == str(LAST.replace(day=1))


def test_a_password_is_asked_for_by_page_and_file_and_guessing_waits(market: House) -> None:
    ann, stranger = someone(market, "ann@shop.example"), market.browser(OUTSIDE, from_="203.0.113.9")
    path = shared(
        ann, "Locked", "/?site=market&period=28", password="a word for it", frames="https://www.example.com"
    )
    kept = market.store.row("SELECT password FROM share WHERE password IS NOT NULL")
    assert kept is not None
    assert b"argon2" not in kept["password"], "sealed, as those of accounts are"
    page = stranger.get(path)
    assert page.status_code == 401
    assert "Visitors" not in page.text
    assert stranger.get(f"{path}/pages.csv").status_code == 401
    unlock = path.replace("/shared/", "/unlock/")
    right = stranger.post(unlock, {"password": "a word for it"}, origin=OUTSIDE)
    assert right.status_code == 303
    opened = stranger.get(right.headers["location"])
    assert "Visitors by day" in opened.text
    assert "frame-ancestors https://www.example.com" in opened.headers["content-security-policy"]
    assert "set-cookie" not in opened.headers, "browsers keep none in a frame"
    (file,) = re.findall(r'href="(/shared/[^"]*/pages.csv[^"]*)"', opened.text)
    assert stranger.get(file).status_code == 200
    # A word that opens this link opens no other.
    other = shared(ann, "Locked too", "/?site=blog&period=28", password="another word")
    assert stranger.get(other + "?" + right.headers["location"].partition("?")[2]).status_code == 401
    answers = [
        stranger.post(unlock, {"password": f"guess {n}"}, origin=OUTSIDE).status_code for n in range(7)
    ]
    assert answers[:5] == [403] * 5
    assert answers[-1] == 429
    assert stranger.post(unlock, {"password": "a word for it"}, origin=OUTSIDE).status_code == 429


def test_it_ends_by_its_maker_by_its_day_and_with_what_its_maker_may_see(market: House) -> None:
    kim = market.account("kim", Role.ANALYST, name="Kim Ray")
    browser, stranger = someone(market, "kim"), market.browser(OUTSIDE)
    path = shared(browser, "Pages", "/report/pages?site=market&period=28")
    assert stranger.get(path).status_code == 200
    id = path.removeprefix("/shared/").partition(".")[0]
    assert someone(market, "bob").send("/views", "/shares", act="end", share=id).status_code == 404
    assert id not in someone(market, "bob").text("/shares")
    market.people.change(kim, [Role.ANALYST], ["blog"], kim)
    assert stranger.get(path).status_code == 410
    market.people.change(kim, [Role.ANALYST], None, kim)
    assert stranger.get(path).status_code == 200
    assert browser.send("/views", "/shares", act="end", share=id).status_code == 303
    assert stranger.get(path).status_code == 410
    # What was opened is counted, and in the log; from where is in neither.
    (row,) = market.store.rows("SELECT sum(n) AS n FROM opening WHERE share = ?", id)
    assert row["n"] == 2
    said = [one for one in log.entries(market.store) if one.detail.get("of") == id]
    assert [one.what for one in said] == ["share ended", "share opened", "share made"]
    again = shared(browser, "Pages again", "/report/pages?site=market&period=28")
    market.people.end(kim, kim)
    assert stranger.get(again).status_code == 410


def test_what_cannot_be_written_down_is_not_shown(market: House) -> None:
    """An opening that is not on the disk is none: nothing is told, and whoever asks is told to come back."""
    ann, stranger = someone(market, "ann@shop.example"), market.browser(OUTSIDE)
    path = shared(ann, "Countries", "/report/countries?site=market&period=28")
    assert stranger.get(path).status_code == 200
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # no file can grow any more
    try:
        refused = stranger.get(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.status_code == 503
    assert "Germany" not in refused.text
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("/sql?q=FROM+pages", "the overview, sources"),
        ("/explore?q=people", "the overview, sources"),
        ("/report/pages", "of a site that it names"),
        ("/report/retention?site=a", "outside are told"),
        ("/report/balance?site=a", "outside are told"),
        ("/?site=a&where=event:x", "no table"),
        ("/?site=a&first=soon", "dates"),
        ("/?site=a&first=2026-02-01&last=2026-01-01", "not before"),
        ("/?site=a&first=0001-01-01&last=9999-12-31", "less than"),
    ],
)
def test_what_cannot_be_told_outside_is_refused(address: str, why: str) -> None:
    with pytest.raises(Refused, match=why):
        told(address)
