"""A funnel of one's own: built by clicking, followed by a button, read again by its address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import pytest

from dashboards import steps
from dashboards.app import create
from dashboards.settings import Dashboards
from tests import signed
from tests.dashboards.asking import Asking, asking
from tests.dashboards.serving import serving
from tests.dashboards.test_screens import FAINT, HANGING
from tests.warehouse.funnels import HOW, crowd, filled
from tests.whole.place import axe
from warehouse import opened
from warehouse.followed import Followed, paid
from warehouse.funnel import Step

DAYS = {"first": "2026-09-01", "last": "2026-09-03"}
HERE = {"site": "shop", **DAYS, "steps": "page:/|event:sign_up|event:hired"}
FORM = "application/x-www-form-urlencoded"
TEXT = "funnel page '/' then event 'sign_up' then event 'hired' from 2026-09-01 to 2026-09-03"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return filled(tmp_path_factory.mktemp("funnels"), crowd())


@pytest.fixture(scope="module")
def shop(folder: Path) -> Iterator[Asking]:
    with asking(folder, warehouse=HOW) as one:
        yield one


@pytest.fixture(autouse=True)
def fresh(folder: Path) -> None:
    """Nothing was ever asked."""
    for file in folder.glob(f"{opened.FILE}*"):
        file.unlink()


def at(**change: str) -> str:
    return f"/funnels?{urlencode(HERE | change)}"


def links(page: str, says: str) -> list[str]:
    """Where links of these words lead."""
    found = re.findall(r'<a href="([^"]*)"[^>]*>(.*?)</a>', page)
    return [unescape(to) for to, text in found if says in re.sub(r"<[^>]*>", "", text)]


def test_steps_are_chosen_ordered_and_taken_away_by_links(shop: Asking) -> None:
    page = shop.get(f"/funnels?{urlencode(DAYS)}").text
    for add in ("Add the page /", "Add the event sign_up", "Add the event hired"):
        page = shop.get(next(to for to in links(page, f"{add}"))).text
    assert "not followed yet" in page
    (earlier,) = links(page, "Put hired earlier")
    assert quote("page:/|event:hired|event:sign_up", safe="") in earlier
    (gone,) = links(page, "Take away sign_up")
    assert quote("page:/|event:hired", safe="") in gone
    assert not links(page, "Put / earlier")
    assert not links(page, "Put hired later")
    (within,) = links(page, "all these days")
    assert "within=range" in within
    assert "only be followed within one" in shop.get(within).text
    assert steps.moved((Step("page", "a"), Step("page", "b")), 0, 1) == (Step("page", "b"), Step("page", "a"))
    assert steps.read("event:a:b|event:a:b") == (Step("event", "a:b"),)
    for wrong in ("sign_up", "person:1", "|".join(f"event:{n}" for n in range(6))):
        assert shop.get(at(steps=wrong)).status_code == 400
    assert shop.get(at(within="hour")).status_code == 400


@pytest.mark.requirement("M47")
def test_opening_spends_nothing_and_the_button_once(shop: Asking) -> None:
    """Planted: a page that asks when it is opened; a form without its word."""
    for _ in range(2):
        page = shop.get(at()).text
        assert "50 new funnels of 50 are left" in page
        assert ">Follow it</button>" in page
        assert shop.get(at().replace("/funnels?", "/funnels/own.csv?")).status_code == 404
    assert paid(shop.data) == ()
    assert shop.get("/funnels", "POST", content_type=FORM, content_length="0").status_code == 403
    assert paid(shop.data) == (), "a form of another page has no word of this session"
    told = shop.send("/funnels", urlencode(HERE), content_type=FORM)
    assert told.status_code == 303
    again = shop.send("/funnels", urlencode(HERE), content_type=FORM)
    assert again.headers["location"] == told.headers["location"]
    assert len(paid(shop.data)) == 1
    page = shop.get(told.headers["location"]).text
    assert "49 new funnels of 50 are left" in page
    assert "too few people to tell" in page, "nobody was hired"
    assert len(re.findall(r"± \d+", page)) == 2
    assert "Follow it" not in page
    (csv,) = links(page, "CSV of your funnel")
    rows = shop.get(csv).text.splitlines()
    assert rows[0] == '"step","kind","value","people","people_low","people_high"'
    people = rows[1].split(",")[3]
    assert f"<strong>{people}</strong>" in page
    assert rows[3] == '3,"event","hired",,,'


def test_programs_read_for_nothing_and_post_to_ask(shop: Asking) -> None:
    """Planted: a GET that asks."""
    first = shop.get(f"/api/explore?q={quote(TEXT)}", accept="application/json")
    assert (first.status_code, first.json()["error"]["code"]) == (409, "not_asked")
    assert paid(shop.data) == ()
    body = msgspec.json.encode({"question": TEXT}).decode()
    told = shop.send("/api/explore", body, content_type="application/json").json()
    assert told["question"].startswith("funnel page '/' then event 'sign_up' then event 'hired' within day")
    assert told["accounts"] == [{"month": "2026-09", "left": 49, "of": 50}]
    assert shop.get(f"/api/explore?q={quote(TEXT)}", accept="application/json").json() == told
    assert shop.get(f"/api/explore?q={quote(TEXT)}&format=csv").text.startswith('"step","kind","value"')
    here = shop.get(f"/explore?q={quote(TEXT)}")
    assert here.status_code == 303
    assert "Who came how far" in shop.get(here.headers["location"].replace("#own", "")).text


def test_an_empty_account_and_an_unknown_step_say_so(shop: Asking) -> None:
    page = shop.send("/funnels", urlencode(HERE | {"steps": "page:/|event:none"}), content_type=FORM)
    assert page.status_code == 404
    assert "step 2 is not published in these days" in page.text
    assert "step 2 is not published" in shop.get(at(steps="page:/|event:none")).text
    account = Followed(shop.data, HOW.funnel_rho, HOW.funnel_rho_month)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(account, "_rho", HOW.funnel_rho_month)
        from warehouse.drawn import SCHEMA
        from warehouse.followed import Told

        account.keep("all of it", "shop", ["2026-09"], Told(0.0, 1, SCHEMA.empty_table()))
    page = shop.get(at()).text
    assert "Nothing is left of the account" in page
    assert "Follow it" not in page
    refused = shop.send("/funnels", urlencode(HERE), content_type=FORM)
    assert refused.status_code == 409
    assert "no more funnels can be followed" in refused.text


@pytest.mark.needs("chromium")
@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_it_is_built_by_keyboard_on_a_small_screen(
    language: str, folder: Path, chromium: Any, tmp_path: Path
) -> None:
    """At 360 pixels: nothing hangs out, nothing is faint, and what reads aloud knows it."""
    app = create(folder, Dashboards(), HOW)
    with serving(app) as place:
        context = chromium.new_context(viewport={"width": 360, "height": 800}, locale=language)
        signed.browser(context, folder, place)
        page = context.new_page()
        page.goto(f"{place}/funnels?{urlencode(DAYS)}")
        for step in ("/", "sign_up", "hired"):
            page.locator(f".chips a:has(bdi:text-is('{step}'))").focus()
            page.keyboard.press("Enter")
            page.wait_for_selector(f".walk li:has(bdi:text-is('{step}'))")
        for shown in ("built", "told"):
            if shown == "told":
                page.locator("form button.main").focus()
                page.keyboard.press("Enter")
                page.wait_for_selector("ol.funnel.own")
            hanging = [one for one in page.evaluate(HANGING) if 'class="skip"' not in one]
            assert hanging == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
                "to the left, in Arabic"
            )
            assert page.evaluate(FAINT) == []
            assert axe(page) == []
            page.screenshot(path=str(tmp_path / f"{language}-{shown}.png"), full_page=True)
        assert page.locator("ol.funnel.own li").count() == 3
        first = "getComputedStyle(document.querySelector('.own .label'), '::first-letter').textTransform"
        assert page.evaluate(first) == "none"
        context.close()
    assert len(paid(folder)) == 1
