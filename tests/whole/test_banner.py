"""The banner in a real browser with a real collector: by keyboard alone, and nothing before a choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from consent_filter.policy import load
from ingest.storage import KEPT, LONGEST
from tests.ingest.http.wire import counted, counts
from tests.whole.place import SETTINGS, Place, axe, chosen, focused, outside, stored, tab_to
from tests.whole.recording import quiet, recorder
from tests.whole.running import until, up
from tests.whole.test_beacon import GPC

pytestmark = pytest.mark.needs("chromium")

HANGING = "() => document.documentElement.scrollWidth <= innerWidth + 1"
#: What pages are for, as the policy names it: all that is not sent to people.
PAGES = [
    name
    for name in load("worktasker-2014").regimes["opt_in"].purposes
    if not name.startswith(("marketing_", "affiliate_", "referral"))
]
#: Of each button: what makes one more prominent than another.
LOOK = """() => [...document.querySelector('throng-banner').shadowRoot.querySelectorAll('button')].map(e => {
  const s = getComputedStyle(e), b = e.getBoundingClientRect()
  return [s.color, s.backgroundColor, s.borderColor, s.borderWidth, s.fontSize, s.fontWeight, s.opacity,
    b.width | 0, b.height | 0].join()
})"""
AMERICAN = {"x-forwarded-for": "12.0.0.1"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    data = tmp_path_factory.mktemp("banner") / "data"
    with up(data, "part", "collector", settings=SETTINGS) as running, recorder() as record:
        yield Place(running, record)


def opened(visitor: Any, address: str) -> Any:
    page = visitor.new_page()
    page.goto(address)
    page.locator("throng-banner").wait_for()
    return page


@pytest.mark.requirement("M105", "M103")
def test_nothing_is_stored_before_a_choice_and_escape_is_none(place: Place, visitor: Any) -> None:
    page = opened(visitor, place.page("/a"))
    assert stored(page) == {}
    page.keyboard.press("Tab")
    assert focused(page) == "Refuse all", "the first stop of the keyboard"
    page.keyboard.press("Escape")
    page.locator("throng-banner").wait_for(state="detached")
    assert page.evaluate("throng.consent()") is None
    assert stored(page) == {}
    page.reload()
    page.locator("throng-banner").wait_for()
    assert stored(page) == {}


@pytest.mark.requirement("M105")
def test_a_refusal_by_keyboard_binds_the_next_event(place: Place, visitor: Any) -> None:
    page = opened(visitor, place.page("/a"))
    page.keyboard.press("Tab")
    quiet(page)
    before = counts(place.running)
    page.keyboard.press("Enter")
    page.locator("throng-banner").wait_for(state="detached")
    page.evaluate("throng('next')")
    assert {*counted(place.running, before, 1)} == {"received", "consent"}
    assert set(page.evaluate("throng.consent()").values()) == {False}
    assert [*stored(page)] == ["throng.c", "throng.t"], "who refuses has no number"
    page.reload()
    quiet(page)
    assert page.locator("throng-banner").count() == 0, "who has answered is not asked again"


@pytest.mark.requirement("M67", "M105")
def test_each_purpose_by_itself_and_nothing_is_ticked_before(place: Place, visitor: Any) -> None:
    page = opened(visitor, place.page("/a", lang="de"))
    assert len(set(page.evaluate(LOOK))) == 1, "none is more prominent than another"
    banner = page.locator("throng-banner")
    assert banner.get_by_role("dialog", name="Ihre Wahl").count() == 1
    tab_to(page, "Auswählen")
    page.keyboard.press("Enter")
    assert banner.get_by_role("checkbox").count() == len(PAGES)
    assert banner.get_by_role("checkbox", checked=True).count() == 0
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.checked") is False
    page.keyboard.press("Space")  # measurement, where the focus is
    tab_to(page, "Auswahl speichern")
    page.keyboard.press("Enter")
    banner.wait_for(state="detached")
    granted = page.evaluate("throng.consent()")
    assert [name for name, yes in granted.items() if yes] == ["measurement"]
    until(lambda: place.preferences(device=page.evaluate("JSON.parse(localStorage.throng).d"))["history"])
    said = place.preferences(device=page.evaluate("JSON.parse(localStorage.throng).d"))
    assert chosen(said) == granted
    assert {name: said["history"][0][name] for name in ("surface", "locale", "wording")} == {
        "surface": "banner", "locale": "de", "wording": "throng-banner/1",
    }  # fmt: skip
    assert outside(stored(page)) == []
    # Asked for again, it shows what was chosen, and closes to where the visitor was.
    page.get_by_role("button", name="Settings").press("Enter")
    banner.wait_for()
    tab_to(page, "Auswählen", 5)
    page.keyboard.press("Enter")
    assert banner.get_by_role("checkbox", checked=True).count() == 1
    page.keyboard.press("Escape")
    assert focused(page) == "Settings"
    assert page.evaluate("throng.consent()") == granted


@pytest.mark.requirement("M107")
def test_a_browser_that_objects_is_told_that_it_is_heard(place: Place, browser: Any) -> None:
    context = browser.new_context(extra_http_headers={"Sec-GPC": "1"})
    context.add_init_script(GPC)
    page = opened(context, place.page("/a"))
    assert "Global Privacy Control" in page.locator("throng-banner section").inner_text()
    page.get_by_role("button", name="Accept all").click()
    page.reload()
    quiet(page)
    assert "throng.d" not in stored(page)
    context.close()


def test_where_nobody_has_to_agree_first_nobody_is_asked(place: Place, browser: Any) -> None:
    context = browser.new_context()
    context.route("**/preferences?*", lambda one: one.continue_(headers=one.request.headers | AMERICAN))
    page = context.new_page()
    page.goto(place.page("/a"))
    quiet(page)
    assert page.locator("throng-banner").count() == 0
    page.get_by_role("button", name="Settings").click()  # but can say so
    page.get_by_role("button", name="Refuse all").press("Enter")
    assert set(page.evaluate("throng.consent()").values()) == {False}
    page.goto(place.page("/b", banner="data-always"))
    page.evaluate("localStorage.clear()")
    page.reload()
    page.locator("throng-banner").wait_for()
    context.close()


@pytest.mark.requirement("M103")
def test_what_is_stored_has_an_end(place: Place, visitor: Any) -> None:
    page = opened(visitor, place.page("/a"))
    page.get_by_role("button", name="Accept all").click()
    until(lambda: "throng.d" in stored(page))
    age = """days => { const kept = JSON.parse(localStorage.throng); kept.t -= days * 864e5
      localStorage.throng = JSON.stringify(kept) }"""
    page.evaluate(age, LONGEST - 5)
    page.reload()
    quiet(page)
    assert set(stored(page)) == {"throng.c", "throng.d", "throng.t"}
    page.evaluate(age, 5)
    page.reload()
    page.locator("throng-banner").wait_for()
    assert stored(page) == {}, "thirteen months are over"
    assert max(one.days for one in KEPT) == LONGEST


@pytest.mark.requirement("M57", "M103", "M105")
def test_a_key_outside_its_purpose_is_found(place: Place, visitor: Any) -> None:
    """The test of the test: what a script of another kind would leave behind is named."""
    page = opened(
        visitor,
        place.page(
            "/a", "<script>localStorage.visitor = 1; sessionStorage.x = 1; document.cookie = 'c=1'</script>"
        ),
    )
    assert sorted(outside(stored(page))) == ["cookie c", "session x", "visitor"]
    page.evaluate("localStorage.clear(); sessionStorage.clear()")
    visitor.clear_cookies()
    page.evaluate("localStorage.throng = JSON.stringify({c: {measurement: false}, t: 1, d: 'id'})")
    assert outside(stored(page)) == ["throng.d"]


@pytest.mark.needs("axe")
@pytest.mark.parametrize(("width", "dir"), [(320, "ltr"), (360, "rtl"), (1280, "ltr")])
def test_anybody_can_use_it(place: Place, browser: Any, width: int, dir: str) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 700}, extra_http_headers={"Sec-GPC": "1"}
    )
    page = opened(context, place.page("/a", dir=dir))
    for more in (False, True):
        if more:
            page.get_by_role("button", name="Choose").click()
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert axe(page) == [], (scheme, more)
        assert page.evaluate(HANGING)
        for button in page.locator("throng-banner").get_by_role("button").all():
            box = button.bounding_box()
            assert box["height"] >= 44
            assert box["y"] + box["height"] <= 700, "the choice can always be seen"
    context.close()


def test_a_strict_page_lets_it_be(place: Place, visitor: Any) -> None:
    policy = f"default-src 'none'; script-src {place.collector}; connect-src {place.collector}"
    page, said = visitor.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(place.page("/strict", content_security_policy=policy))
    page.locator("throng-banner").wait_for()
    page.get_by_role("button", name="Accept all").click()
    quiet(page)
    assert [text for text in said if "favicon" not in text and "'img-src'" not in text] == []
