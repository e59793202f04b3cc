"""A real browser visits the demo site with the unmodified beacon; the reports agree, view by view."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import signed
from tests.ports import free_ports
from tests.whole.running import BROWSER, Up, throng, until, up
from throng.demo import site

pytestmark = pytest.mark.needs("chromium")

_BRANDS = {"Sec-CH-UA": '"Chromium";v="141", "Not?A_Brand";v="8"'}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    settings = site.settings() + "\n[warehouse]\nmin_group = 1\n"
    with up(tmp_path_factory.mktemp("visit") / "data", settings=settings) as one:
        yield one


@pytest.fixture(scope="module")
def market(running: Up) -> Iterator[str]:
    import subprocess
    import sys

    port = free_ports(1)
    code = f"from throng.demo.site import serve; serve({port}, 'http://127.0.0.1:{running.port}')"
    process = subprocess.Popen([sys.executable, "-c", code])
    address = f"http://127.0.0.1:{port}"
    until(lambda: _there(running, port))
    yield address
    process.terminate()
    process.wait()


def _there(running: Up, port: int) -> bool:
    try:
        return running.get("/", port)[0] == 200
    except OSError:
        return False


def _settle(page: Any) -> None:
    page.wait_for_timeout(700)


def test_visitors_do_things_and_the_reports_say_so(running: Up, market: str, browser: Any) -> None:
    def visitor(**more: Any) -> Any:
        return browser.new_context(
            user_agent=BROWSER, extra_http_headers=_BRANDS | more.pop("headers", {}), **more
        )

    def choose(page: Any, *buttons: str) -> None:
        page.click("[data-throng-ask]")
        page.locator("throng-banner").get_by_role("button", name=buttons[0]).click()
        if len(buttons) > 1:
            page.locator("throng-banner").get_by_role("checkbox", name="Measurement").check()
            page.locator("throng-banner").get_by_role("button", name=buttons[1]).click()
        page.locator("throng-banner").wait_for(state="detached")

    # Somebody agrees, looks around, goes through a single-page application, and comes back.
    agrees = visitor()
    page = agrees.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{market}/privacy")
    assert page.evaluate("localStorage.length") == 0, "nothing is stored before a choice"
    choose(page, "Accept all")
    assert len(page.evaluate("JSON.parse(localStorage.throng).d")) >= 32
    page.goto(f"{market}/project/101")
    page.click("[data-throng=bid_placed]")
    page.goto(f"{market}/messages")
    page.click("a[href='/messages/amara']")
    page.click("a[href='/messages/bruno']")
    _settle(page)
    page.go_back()
    _settle(page)
    page.close()

    # Somebody refuses: from the very next event on nothing of them is kept.
    refuses = visitor()
    page = refuses.new_page()
    page.goto(f"{market}/privacy")
    _settle(page)  # what is still waiting when the choice comes would be refused with it
    choose(page, "Refuse all")
    assert page.evaluate("JSON.parse(localStorage.throng).d") is None
    page.goto(f"{market}/u/chiyo")
    _settle(page)
    page.close()

    # Somebody's browser objects: no identifier, whatever else; what needs none goes on under the exemption.
    objects = visitor(headers={"Sec-GPC": "1"})
    objects.add_init_script(
        "Object.defineProperty(Navigator.prototype, 'globalPrivacyControl', {get: () => true})"
    )
    page = objects.new_page()
    page.goto(f"{market}/u/davit")
    _settle(page)
    page.close()

    # Somebody loses the network for a while.
    offline = visitor()
    page = offline.new_page()
    page.goto(f"{market}/privacy")
    choose(page, "Choose", "Save this choice")
    page.goto(f"{market}/messages")
    _settle(page)
    offline.set_offline(True)
    page.click("a[href='/messages/greta']")
    page.wait_for_timeout(900)
    offline.set_offline(False)
    page.wait_for_timeout(1500)
    page.close()
    for one in (agrees, refuses, objects, offline):
        one.close()
    assert not errors

    def seen() -> dict[str, int]:
        return {
            row["path"]: row["views"]
            for row in running.rows("SELECT path, sum(views)::INT AS views FROM pages GROUP BY path")
        }

    until(lambda: seen().get("/messages/{conversation}") == 4)
    assert seen() == {
        "/privacy": 3,  # the choice comes after the page, so the page itself was still without one
        "/project/{project}": 1,
        "/u/{freelancer}": 1,  # of the browser that objects; nothing of the one that refused
        "/messages": 2,
        "/messages/{conversation}": 4,  # two, one by going back, one after being offline
    }
    (events,) = running.rows("SELECT sum(events)::INT AS n FROM custom_events WHERE name = 'bid_placed'")
    assert events["n"] == 1
    refused = {
        row["reason"]: row["n"]
        for row in running.rows("SELECT reason, sum(n)::INT AS n FROM refused GROUP BY reason")
    }
    assert refused["consent"] >= 1
    mix = running.rows("SELECT DISTINCT basis FROM consent_mix ORDER BY basis")
    assert [row["basis"] for row in mix] == ["consent", "exempt"]
    (row,) = running.rows(
        "SELECT sum(received)::INT AS r, sum(stored)::INT AS s, sum(refused)::INT AS f FROM balance"
    )
    assert row["r"] == row["s"] + row["f"]


def test_the_pages_show_it_narrow_and_wide(running: Up, browser: Any) -> None:
    running.post(
        {
            "site": "market",
            "type": "page_view",
            "url": "http://market.example/",
            "consent": {"measurement": True},
        }
    )
    until(lambda: b"Visitors" in running.get("/", running.port + 1)[1])
    for width in (400, 1280):
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        signed.browser(page.context, running.data, f"http://127.0.0.1:{running.port + 1}")
        page.goto(f"http://127.0.0.1:{running.port + 1}/")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, "nothing hangs over the edge"
        assert page.locator("svg[role=img]").count() >= 1
        assert all(url.startswith(f"http://127.0.0.1:{running.port + 1}/") for url in asked), (
            "no outside host"
        )
        page.goto(f"http://127.0.0.1:{running.port + 1}/sql?q=FROM+pages")
        assert page.locator("table").count() >= 1
        page.close()


def test_the_command_line_says_the_same(running: Up) -> None:
    assert '"received"' in throng(running.data, "balance", "--format", "json")
    assert "published" in throng(running.data, "status")
    assert "all is well" in throng(running.data, "check")
