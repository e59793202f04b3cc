"""What is kept and shared in a real browser, by telephone and at a desk; a link in another's page."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route

from dashboards.sharing.alerts import Alerts
from tests.dashboards.browsing import PASSWORD, House
from tests.dashboards.sharing.conftest import LAST
from tests.dashboards.test_screens import FAINT, HANGING, _Quiet
from tests.ports import free_ports
from tests.whole.place import axe
from tests.whole.running import until
from warehouse.reader import Reader
from warehouse.settings import Warehouse

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.needs("axe")]


@pytest.fixture(scope="module")
def served(market: House) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Our pages, and a page of another site that shows what is put into it."""
    port, held = free_ports(), {"text": ""}
    other = Starlette(routes=[Route("/", lambda request: HTMLResponse(held["text"]))])
    servers = [
        _Quiet(uvicorn.Config(app, port=port + n, log_level="error", ws="none", lifespan="off"))
        for n, app in enumerate((market.app, other))
    ]
    threads = [threading.Thread(target=server.run) for server in servers]
    for thread in threads:
        thread.start()
    until(lambda: all(server.started for server in servers))
    yield f"http://127.0.0.1:{port}", f"http://localhost:{port + 1}", held
    for server in servers:
        server.should_exit = True
    for thread in threads:
        thread.join()


def test_all_is_done_by_hand_and_read_by_everyone(
    served: tuple[str, str, dict[str, str]], market: House, chromium: Any, tmp_path: Any
) -> None:
    ours, theirs, held = served
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(f"{ours}/sign-in?next=/%3Fsite%3Dmarket%26period%3D28")
    page.fill("[name=login]", "ann@shop.example")
    page.fill("[name=password]", PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/?site=market&period=28")
    # From the page to a view of it, without copying anything.
    page.get_by_role("link", name="Keep or share this view").click()
    assert page.input_value("[name=address]") == "/?site=market&period=28"
    page.fill("#keep [name=name]", "Four weeks")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("link", name="Four weeks", exact=True).click()
    assert page.url == f"{ours}/?site=market&period=28"
    page.goto(f"{ours}/notes?site=market")
    page.fill("[name=day]", str(LAST))
    page.fill("[name=text]", "Autumn campaign started")
    page.get_by_role("button", name="Keep it").click()
    page.goto(f"{ours}/alerts")
    page.select_option("[name=kind]", "above")
    page.fill("[name=line]", "100")
    page.fill("[name=only]", "device:mobile")
    page.get_by_role("button", name="Set the alert").click()
    alerts, reader = Alerts(market.people), Reader(market.data, Warehouse())
    with reader.reading() as reading:
        assert alerts.judge(reading, Warehouse()) > 0
    reader.close()
    page.goto(f"{ours}/mails?view=nothing")
    page.goto(f"{ours}/views")
    page.get_by_role("link", name="Link to Four weeks").click()
    assert page.locator("[name=view] option[selected]").inner_text() == "Four weeks (market)"
    page.fill("[name=password]", "a word for it")
    page.fill("[name=frames]", theirs)
    page.get_by_role("button", name="Make the link").click()
    frame = page.locator("pre").nth(1).inner_text()
    (link,) = re.findall(r'src="([^"]*)"', frame)
    link = link.replace("https://numbers.example", ours)
    pages = [
        "/views",
        "/notes",
        "/shares",
        "/alerts",
        "/mails",
        "/report/traffic_day?site=market&period=28",  # with a note
        link.removeprefix(ours),
    ]
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        for path in pages:
            page.goto(ours + path)
            page.screenshot(path=tmp_path / f"{width}{path.replace('/', '_')[:12]}.png", full_page=True)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(HANGING) == [], path
            for scheme in ("dark", "light") if width == 360 else ():
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(FAINT) == [], (path, scheme)
            assert width > 360 or axe(page) == [], path
    # In the page of another site that the link names, with a password, though no cookie is kept there.
    stranger = chromium.new_context(viewport={"width": 360, "height": 800})
    page = stranger.new_page()
    held["text"] = frame.replace("https://numbers.example", ours)
    page.goto(theirs)
    inner = page.frame_locator("iframe")
    inner.locator("[name=password]").fill("a word for it")
    inner.get_by_role("button", name="Open").click()
    inner.get_by_role("heading", name="Visitors by day").wait_for()
    page.wait_for_timeout(100)
    page.screenshot(path=tmp_path / "frame.png", full_page=True)
    assert stranger.cookies() == []
    said = list[str]()
    page.on("console", lambda one: said.append(one.text))
    page.goto(theirs.replace("localhost", "127.0.0.1"))
    page.wait_for_timeout(300)
    assert any("frame-ancestors" in one for one in said), "a site that it does not name may not"
    stranger.close()
    page = context.new_page()
    page.goto(link)
    page.fill("[name=password]", "a word for it")
    page.get_by_role("button", name="Open").click()
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        page.screenshot(path=tmp_path / f"{width}shared.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(HANGING) == []
        assert axe(page) == []
    context.close()
