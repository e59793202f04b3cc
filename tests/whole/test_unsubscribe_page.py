"""The page behind an unsubscribe link in a real browser: by keyboard alone, and without script."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboards.test_screens import FAINT, HANGING, RING
from tests.whole.running import Up, throng, up

pytestmark = pytest.mark.needs("chromium")

AT = "https://collect.shop.example"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    data = tmp_path_factory.mktemp("page") / "data"
    with up(data, "part", "collector", settings='[[site]]\nid = "shop"\n') as running:
        yield running


def address(running: Up, id: str) -> str:
    said = throng(
        running.data, "unsubscribe", "link", "--site", "shop", "--at", AT, "--channel", "email", "--channel",
        "sms", "--user-id", "-", text=id,
    )  # fmt: skip
    return f"http://127.0.0.1:{running.port}{said.strip().removeprefix(AT)}"


def refused(running: Up, id: str) -> list[str] | None:
    said = json.loads(running.get(f"/consent?site=shop&user_id={id}")[1])["consent"]
    return None if said is None else [name for name, granted in said.items() if not granted]


@pytest.mark.parametrize("script", [False, True])
def test_unsubscribing_by_keyboard(running: Up, browser: Any, script: bool) -> None:
    id = f"reader-{script}"
    context = browser.new_context(viewport={"width": 360, "height": 640}, java_script_enabled=script)
    page, asked, wrong = context.new_page(), list[tuple[str, str, str | None]](), list[str]()
    page.on("request", lambda one: asked.append((one.method, one.url, one.headers.get("referer"))))
    page.on("console", lambda said: wrong.append(said.text))
    link = address(running, id)
    page.goto(link)
    assert page.get_by_role("heading", level=1).inner_text() == "Unsubscribe"
    # What a screen reader says of each stop, and of where it leads.
    first = page.get_by_role("button", name="Stop marketing by e-mail and by text message", exact=True)
    every = page.get_by_role("button", name="Stop all marketing", exact=True)
    assert "shop" in page.get_by_role("main").inner_text()
    assert (first.count(), every.count(), page.get_by_role("button").count()) == (1, 1, 2)
    tree = page.get_by_role("main").aria_snapshot()
    assert tree.index("Stop marketing by") < tree.index("chosen for you") < tree.index("Stop all marketing")
    assert refused(running, id) is None, "looking changes nothing"
    page.keyboard.press("Tab")
    assert first.evaluate("e => e === document.activeElement")
    assert page.evaluate(RING)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Unsubscribed", exact=True).wait_for()
    assert refused(running, id) == ["marketing_email", "marketing_sms"]
    assert page.url == link, "it does not redirect"
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_role("button").wait_for(state="detached")
    assert len(refused(running, id) or []) == 13
    context.close()
    assert wrong == [], "the policy of the page fits the page"
    pages = [one for one in asked if not one[1].endswith("/favicon.ico")]
    assert [(method, url) for method, url, _ in pages] == [("GET", link), ("POST", link), ("POST", link)]
    assert {referer for *_, referer in asked} == {None}, "the link is a secret"


@pytest.mark.parametrize("width", [320, 1280])
def test_all_can_be_read(running: Up, browser: Any, width: int) -> None:
    context = browser.new_context(viewport={"width": width, "height": 640})
    page = context.new_page()
    link = address(running, "reader")
    for path in (link, link[:-5]):
        page.goto(path)
        assert page.evaluate(HANGING) == []
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == [], scheme
        for button in page.get_by_role("button").all():
            assert button.bounding_box()["height"] >= 44, "as large as a finger"
    assert page.get_by_role("heading", name=re.compile("Not unsubscribed")).count() == 1
    context.close()
