"""The privacy panel in a real browser with a real collector: what it shows holds, what it changes binds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.ingest.http.wire import counted, counts
from tests.whole.place import SETTINGS, Place, axe, chosen, focused, outside, stored, tab_to
from tests.whole.recording import quiet, recorder
from tests.whole.running import throng, until, up
from tests.whole.test_banner import HANGING, PAGES

pytestmark = pytest.mark.needs("chromium")

RIGHTS = [
    "A copy of my data", "Correct my data", "Restrict the use", "Object", "Withdraw my agreement",
    "Erase my data", "Complain",
]  # fmt: skip
#: A language from the right, as a page brings it along; what it does not say is said in English.
ARABIC = """<script>window.throngTexts = {ar: {rtl: 1, title: 'خصوصيتك',
  purposes: {measurement: ['القياس', 'عد الزيارات']}}}</script>"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("panel") / "data"
    with up(data, "part", "collector", settings=SETTINGS) as running, recorder() as record:
        yield Place(running, record)


def opened(visitor: Any, address: str, name: str = "Your privacy") -> Any:
    page = visitor.new_page()
    page.goto(address)
    page.get_by_role("heading", name=name).wait_for()
    return page


def said(page: Any, text: str) -> None:
    """Wait until a screen reader is told so."""
    page.get_by_role("status").filter(has_text=text).wait_for()


@pytest.mark.requirement("M120", "M73")
def test_a_switch_by_keyboard_binds_the_next_event(place: Place, visitor: Any) -> None:
    asked: list[str] = []
    visitor.on("request", lambda one: asked.append(one.url))
    page = opened(visitor, place.panel())
    assert page.get_by_text("You have not said anything yet.").count() == 1
    assert stored(page) == {}
    tab_to(page, "measurement")
    page.keyboard.press("Space")
    said(page, "Saved")
    assert focused(page) == "measurement", "the focus stays where the visitor was"
    switch = page.get_by_role("switch", name="Measurement")
    assert switch.is_checked()
    device = stored(page)["throng.d"]
    record = place.preferences(device=device)["history"][0]
    assert (record["surface"], record["locale"], record["wording"]) == ("panel", "en", "throng-panel/1")
    assert page.get_by_text("On: you agreed").count() == 1
    page.keyboard.press("Space")
    said(page, "Saved")
    quiet(page)
    before = counts(place.running)
    page.evaluate("throng('next')")
    assert {*counted(place.running, before, 1)} == {"received", "consent"}
    assert not page.get_by_role("switch", name="Measurement").is_checked()
    assert chosen(place.preferences(device=device)) == {"measurement": False}
    assert "throng.d" not in stored(page)
    assert outside(stored(page)) == []
    tab_to(page, "Refuse all")
    page.keyboard.press("Enter")
    said(page, "Saved")
    assert set(page.evaluate("throng.consent()").values()) == {False}
    assert len(page.evaluate("throng.consent()")) == len(PAGES)
    assert not any(device in url for url in asked), "no number in an address"
    assert {url.split("/")[2] for url in asked if url.startswith("http")} == {
        place.collector.split("/")[2], place.record.origin.split("/")[2],
    }, "no third party"  # fmt: skip


@pytest.mark.requirement("M120")
def test_a_receipt_can_be_kept_and_checked(place: Place, visitor: Any) -> None:
    page = visitor.new_page()
    page.goto(place.page("/a"))
    page.get_by_role("button", name="Accept all").click()
    until(lambda: "throng.d" in stored(page))
    until(lambda: place.preferences(device=stored(page)["throng.d"])["history"])
    page = opened(visitor, place.panel())
    history = page.get_by_role("list").filter(has_text="banner")
    assert "agreed to: Measurement" in history.inner_text()
    with page.expect_download() as waiting:
        history.get_by_role("button", name="Receipt").first.press("Enter")
    line = waiting.value.path().read_text()
    found = json.loads(throng(place.running.data, "receipt", "verify", text=line))
    assert (found["receipt"], found["ledger"]) == ("valid", "held")
    receipt = json.loads(line)
    assert (receipt["controller"], receipt["method"]["surface"]) == ("Shop Ltd", "banner")


@pytest.mark.requirement("M67", "M68", "M72")
def test_who_is_signed_in_sees_own_and_affiliates_apart(place: Place, visitor: Any) -> None:
    page = opened(visitor, place.panel(more='data-user="canary-member"'))
    own = page.get_by_role("group", name="Our own news")
    theirs = page.get_by_role("group", name="News of our affiliates")
    assert theirs.get_by_role("switch").count() == 4
    theirs.get_by_role("switch", name="E-mail").press("Space")
    said(page, "Saved")
    until(lambda: len(place.preferences(user="canary-member")["history"]) == 1)
    own.get_by_role("switch", name="E-mail").press("Space")
    until(lambda: len(place.preferences(user="canary-member")["history"]) == 2)
    said(page, "Saved")
    own.get_by_role("switch", name="E-mail", checked=True).press("Space")
    until(lambda: len(place.preferences(user="canary-member")["history"]) == 3)
    state = place.preferences(user="canary-member")
    assert chosen(state) == {"marketing_email": False, "affiliate_email": True}
    assert {one["source"] for one in state["history"]} == {"panel"}
    for channel, may in (("email", ""), ("affiliate_email", "canary-member\n")):
        asked = ("suppression", "filter", "--site", "shop", "--channel", channel)
        assert throng(place.running.data, *asked, text="canary-member\n") == may


@pytest.mark.requirement("M120", "M117", "M118")
def test_each_right_is_a_button_and_the_request_can_be_followed(place: Place, visitor: Any) -> None:
    asked: list[str] = []
    visitor.on("request", lambda one: asked.append(one.url))
    page = opened(visitor, place.panel())
    page.get_by_role("button", name="Erase my data").press("Enter")
    page.get_by_role("button", name="Send this request").press("Enter")
    said(page, "there is no number")
    page.get_by_role("button", name="Cancel").press("Enter")
    assert focused(page) == "Erase my data"
    assert stored(page) == {}, "nobody's request is kept"
    page.get_by_role("switch", name="Measurement").press("Space")
    said(page, "Saved")
    for right in RIGHTS:
        assert page.get_by_role("button", name=right, exact=True).count() == 1
    page.get_by_role("button", name="Restrict the use").press("Enter")
    page.keyboard.type("until the matter is settled")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    said(page, "Received under the number R-")
    said(page, "You have an answer by ")
    assert focused(page) == "Restrict the use"
    page.get_by_text("being dealt with · due").wait_for()
    page.get_by_role("button", name="Object").press("Enter")
    page.get_by_role("button", name="Send this request").press("Enter")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Fetch the answer").press("Enter")
    assert json.loads(waiting.value.path().read_text())
    page.reload()
    page.get_by_text("being dealt with · due").wait_for()
    kept = stored(page)
    assert outside(kept) == []
    secrets = [one["secret"] for one in kept["throng-rights"]]
    assert len(secrets) == 2
    assert not any(word in url for url in asked for word in (*secrets, kept["throng.d"]))
    # Half a year later they are gone.
    page.evaluate("""() => localStorage['throng-rights'] = JSON.stringify(
      JSON.parse(localStorage['throng-rights']).map(one => ({...one, t: one.t - 181 * 864e5})))""")
    page.reload()
    page.get_by_role("heading", name="Your rights").wait_for()
    assert "throng-rights" not in stored(page)


@pytest.mark.needs("axe")
@pytest.mark.parametrize(("width", "lang"), [(320, "en"), (360, "ar"), (1280, "de")])
def test_anybody_can_use_it(place: Place, browser: Any, width: int, lang: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800})
    right = lang == "ar"
    address = place.panel(more='data-user="u"', lang=lang, dir="rtl" if right else "ltr")
    if right:
        html, head = place.record.pages["/mine"]
        place.record.pages["/mine"] = html.replace("<script", ARABIC + "<script", 1), head
    title = {"en": "Your privacy", "de": "Ihre Privatsphäre", "ar": "خصوصيتك"}[lang]
    page = opened(context, address, title)
    assert page.locator("throng-privacy").get_attribute("dir") == ("rtl" if right else "ltr")
    button = page.locator("throng-privacy").get_by_role("button", expanded=False).first
    button.press("Enter")
    page.locator("throng-privacy").get_by_role("textbox").wait_for()
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        assert axe(page) == [], scheme
    assert page.evaluate(HANGING)
    for target in page.locator("throng-privacy").get_by_role("button").all():
        assert target.bounding_box()["height"] >= 44
    page.keyboard.press("Escape")
    assert page.locator("throng-privacy").get_by_role("textbox").count() == 0
    context.close()


@pytest.mark.requirement("M120")
def test_a_page_of_its_own_in_a_frame(place: Place, visitor: Any) -> None:
    """The page around it says who it is about, and no address does; a strict policy lets it be."""
    inner = f"{place.collector}/privacy?site=shop"
    frame = f'<iframe title="Privacy" width="600" height="600" src="{inner}"></iframe>'
    script = """<script>addEventListener('message', e => { if (e.data.throng === 'ready')
      e.source.postMessage({throng: {device_id: 'canary-device-0123456789'}}, e.origin) })</script>"""
    page, asked, wrong = visitor.new_page(), list[str](), list[str]()
    visitor.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda message: wrong.append(message.text))
    page.goto(place.page("/framed", script + frame, banner="data-quiet=/framed"))
    inside = page.frame_locator("iframe")
    inside.get_by_role("switch", name="Research").press("Space")
    until(lambda: chosen(place.preferences(device="canary-device-0123456789")) == {"research": True})
    assert not any("canary" in url for url in asked)
    assert wrong == []


def test_a_collector_that_is_away_is_said(place: Place, visitor: Any) -> None:
    visitor.route("**/preferences?*", lambda one: one.abort())
    page = visitor.new_page()
    page.goto(place.panel())
    page.get_by_text("This cannot be shown now.").wait_for()
    visitor.unroute("**/preferences?*")
    page.get_by_role("button", name="Try again").press("Enter")
    page.get_by_role("heading", name="Your privacy").wait_for()
