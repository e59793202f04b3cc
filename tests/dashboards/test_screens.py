"""The pages in a real browser, on a telephone and on a desk: nothing hangs over, and all can be read."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.types import ASGIApp

from dashboards.app import create
from dashboards.languages import LANGUAGES
from dashboards.settings import Dashboards
from tests import signed
from tests.ports import free_ports
from tests.warehouse.tables import fill_published
from tests.whole.place import axe
from tests.whole.running import until
from throng.demo import site
from throng.demo.market import FREELANCERS, PROJECTS
from warehouse.settings import Warehouse

pytestmark = pytest.mark.needs("chromium")

PAGES = [
    "/",
    "/?period=day",
    "/adverts",
    "/adverts?campaign=autumn",
    "/audience",
    "/funnels?steps=event:sign_up|page:/projects",
    "/live",
    "/experiments",
    "/speed",
    "/report/pages",
    "/report/countries?sort=-views&find=e",
    "/report/refused",
    "/attribution?model=data_driven",
    "/sql?q=FROM+pages",
    "/sql?q=DROP+x",
    "/sql?q=SELECT+day,+views+FROM+traffic_day&chart=bars",
    "/explore",
    "/explore?q=people+by+contry",
    "/about",
    "/about-numbers",
    "/account",
    "/account/keys",
    "/accounts",
    "/quality",
]
MARKET = [
    "/", "/projects", f"/project/{PROJECTS[0].number}", f"/u/{FREELANCERS[0].name}", "/sign-up",
    "/post-a-project", "/messages", "/privacy", "/u/nobody",
]  # fmt: skip
#: Elements of a page that reach beyond it, except within what scrolls by itself.
HANGING = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect()
  if (box.width === 0 || box.right <= innerWidth + 1) return false
  for (let p = e.parentElement; p; p = p.parentElement)
    if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(p).overflowX)) return false
  return true
}).map(e => e.outerHTML.slice(0, 120))"""
#: Text whose colour is too near to what is behind it (WCAG 2.2 AA, 1.4.3).
FAINT = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext('2d', {willReadFrequently: true})
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1)
    return [...canvas.getImageData(0, 0, 1, 1).data]
  }
  const light = c => c.slice(0, 3).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0)
  const behind = e => {
    for (; e; e = e.parentElement) {
      const style = getComputedStyle(e), colour = rgba(style.backgroundColor)
      if (style.backgroundImage !== 'none') return null
      if (colour[3] > 250) return colour
    }
    return rgba('Canvas')
  }
  const found = []
  for (const e of document.querySelectorAll('body *:not(svg *)')) {
    const words = [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())
    if (!words || !e.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue
    const style = getComputedStyle(e), back = behind(e)
    if (!back || e.closest('.unseen, .skip, option')) continue
    const a = light(rgba(style.color)), b = light(back)
    const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05)
    const large = parseFloat(style.fontSize) >= 24
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${e.outerHTML.slice(0, 100)}`)
  }
  return found
}"""

#: Words of charts that are too small to be read, or stand upon each other.
CRAMPED = """() => [...document.querySelectorAll('svg.columns, svg.curve')].filter(e => e.checkVisibility())
  .flatMap(svg => {
    const boxes = [...svg.querySelectorAll('.tick')].map(e => e.getBoundingClientRect())
    const on = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
    return boxes.filter((a, i) => a.height < 9 || boxes.some((b, j) => j < i && on(a, b)))
      .map(a => [svg.getAttribute('aria-label'), a.height])
  })"""
#: Words of tables and of choices that are broken within: "expec" on one line, "ted" on the next.
TORN = """() => [...document.querySelectorAll('table :is(th, td), label')].flatMap(cell => {
  const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), torn = []
  const range = document.createRange()
  while (texts.nextNode()) {
    const text = texts.currentNode, around = text.parentElement
    if (around.closest('.unseen') || !around.checkVisibility()) continue
    for (const {0: word, index} of text.data.matchAll(/\\p{L}{2,16}/gu)) {
      range.setStart(text, index)
      range.setEnd(text, index + word.length)
      if (new Set([...range.getClientRects()].map(box => box.top)).size > 1) torn.push(word)
    }
  }
  return torn
})"""
#: Whether the element that has the focus shows it; a tab does so on its label.
RING = """() => {
  const e = document.activeElement, shown = e.matches('input[type=radio]') ? e.nextElementSibling : e
  return [e, shown].some(x => getComputedStyle(x).outlineStyle !== 'none')
}"""


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:  # in a thread: signals are the test runner's
        return nullcontext()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("screens")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[dict[str, str]]:
    """Addresses of the dashboards and of the demo's market."""
    data, port = folder, free_ports()
    fill_published(data, days=40, sites=("market", "blog"))
    apps: dict[str, ASGIApp] = {
        "pages": create(data, Dashboards(), Warehouse(), generated=True),
        "empty": create(data / "nothing", Dashboards(), Warehouse()),
        "market": site.create("http://127.0.0.1:9"),
    }
    servers = [
        _Quiet(uvicorn.Config(app, port=port + n, log_level="error", ws="none"))
        for n, app in enumerate(apps.values())
    ]
    threads = [threading.Thread(target=server.run) for server in servers]
    for thread in threads:
        thread.start()
    until(lambda: all(server.started for server in servers))
    yield {name: f"http://127.0.0.1:{port + n}" for n, name in enumerate(apps)}
    for server in servers:
        server.should_exit = True
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_hangs_over_and_all_can_be_read(
    width: int, served: dict[str, str], folder: Path, chromium: Any, tmp_path: Path
) -> None:
    context = chromium.new_context(viewport={"width": width, "height": 800})
    signed.browser(context, folder, served["pages"])
    signed.browser(context, folder / "nothing", served["empty"])
    page, asked, wrong = context.new_page(), list[str](), list[str]()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda said: wrong.append(said.text) if "Content Security" in said.text else None)
    names = [("pages", path) for path in PAGES] + [("empty", "/")] + [("market", path) for path in MARKET]
    for name, path in names:
        page.goto(served[name] + path)
        page.screenshot(path=tmp_path / f"{name}{path.replace('/', '_')[:20]}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(HANGING) == [], path
        assert page.evaluate(TORN) == [], path
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT) == [], (path, scheme)
    context.close()
    assert wrong == []
    assert {url.split("/")[2] for url in asked} <= {"127.0.0.1:9", *(url[7:] for url in served.values())}


def test_a_week_that_is_cut_is_a_ring(served: dict[str, str], folder: Path, chromium: Any) -> None:
    """Planted: a ring in the colour of what is around it, which nobody sees."""
    context = chromium.new_context()
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    page.goto(served["pages"] + "/?first=2026-11-04&last=2026-11-22&grain=week")
    colours = """all => all.map(e => getComputedStyle(e)).map(style => [style.fill, style.stroke])"""
    rings = page.eval_on_selector_all("svg.wide .dot.part", colours)
    assert len(rings) == 1
    assert all(fill != stroke for fill, stroke in rings)
    context.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_words_of_charts_can_be_read(width: int, served: dict[str, str], folder: Path, chromium: Any) -> None:
    """In the language of the longest ones."""
    context = chromium.new_context(viewport={"width": width, "height": 800}, locale="de")
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    for path in ("/", "/deals", "/adverts", "/sql?q=SELECT+day,+views+FROM+traffic_day&chart=bars"):
        page.goto(served["pages"] + path)
        assert page.evaluate(CRAMPED) == [], path
        shown = "[...document.querySelectorAll('svg.columns')].filter(e => e.checkVisibility()).length"
        assert page.evaluate(shown) * 2 == page.locator("svg.columns").count() > 0, path
    # Drawn for the whole page and shown in half of it, words had 6 pixels.
    page.goto(served["pages"] + "/sql?q=SELECT+day,+views+FROM+traffic_day&chart=line")
    assert page.evaluate(CRAMPED) == []
    assert page.locator("svg.curve").count() == 2
    context.close()


def test_what_is_printed_says_what_it_is(served: dict[str, str], folder: Path, chromium: Any) -> None:
    """Of which site and days it is, each list of a card under its title, nothing to click, and no words that
    are for screen readers: they stood in every row."""
    context = chromium.new_context(viewport={"width": 1000, "height": 800})
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    page.goto(served["pages"] + "/?site=market&period=28")
    assert not page.locator(".printed").is_visible()
    page.emulate_media(media="print")
    assert page.locator(".printed").inner_text() == "market, 26 Oct to 22 Nov 2026"
    assert {"Entry pages", "Browsers"} <= set(page.locator("h2:not(.unseen), .tabs h2").all_inner_texts())
    told = "all => all.filter(e => getComputedStyle(e).clipPath === 'none').map(e => e.textContent)"
    assert page.eval_on_selector_all("main .unseen:not(h2)", told) == []
    assert [a for a in page.locator("main a[download], .choose").all() if a.is_visible()] == []
    context.close()


def test_all_can_be_reached_by_keyboard(served: dict[str, str], folder: Path, chromium: Any) -> None:
    """Each stop of the tab key can be seen, and the tabs of a card answer to the arrows."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    page.goto(served["pages"])
    seen = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # once around
        seen.add(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))
        ring = page.evaluate(RING)
        assert ring, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
    assert len(seen) > 40
    page.focus("#card2-1")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "card2-2"
    assert page.get_by_role("heading", name="Entry pages").count() == 1
    context.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_head_is_one_line_and_its_menus_answer_to_keys(
    language: str, served: dict[str, str], folder: Path, chromium: Any
) -> None:
    """On a desk, in each language; a menu opens by Enter, lies within the page and closes by Escape."""
    context = chromium.new_context(viewport={"width": 1024, "height": 800}, locale=language)
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    for width in (1280, 1024):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(served["pages"] + "/returning")
        high = page.evaluate("['.brand', '.rail', '.who'].map(e => document.querySelector(e).offsetTop)")
        assert max(high) - min(high) < 12, (width, high)
        cut = page.evaluate("(r => r.scrollWidth - r.clientWidth)(document.querySelector('.rail'))")
        assert cut <= 0, (width, cut)
    page.set_viewport_size({"width": 360, "height": 800})
    for name in ("more", "who"):
        page.focus(f"[popovertarget={name}]")
        page.keyboard.press("Enter")
        assert axe(page) == []
        box = page.locator(f"#{name}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
        page.keyboard.press("Tab")
        assert page.evaluate(f"document.activeElement.matches('#{name} a')"), "the first of the menu is next"
        page.keyboard.press("Escape")
        assert page.evaluate("document.activeElement.getAttribute('popovertarget')") == name
        assert not page.locator(f"#{name}").is_visible()
    assert page.locator("#more [aria-current=page]").count() == 1
    context.close()


def test_names_are_completed_by_keyboard(served: dict[str, str], folder: Path, chromium: Any) -> None:
    """Arrows choose, Enter takes, Escape closes; then the statement runs, and is remembered here alone."""
    context = chromium.new_context(viewport={"width": 360, "height": 800})
    signed.browser(context, folder, served["pages"])
    page = context.new_page()
    page.goto(served["pages"] + "/sql")
    page.focus("#q")
    page.keyboard.press("Control+A")
    page.keyboard.type("FROM traffic_d")
    page.locator("#words li").first.wait_for()
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#q", "aria-activedescendant") == "word-0"
    page.keyboard.press("Enter")
    assert page.input_value("#q") == "FROM traffic_day"
    page.keyboard.type(" SELECT vi")
    page.locator("#words li").first.wait_for()
    assert page.locator("#words li code").all_inner_texts()[:2] == ["views", "visits"], "its columns first"
    page.keyboard.press("Escape")
    assert page.locator("#words li").count() == 0
    page.keyboard.press("Control+ ")
    page.locator("#words li").first.wait_for()
    page.keyboard.press("Tab")
    assert page.input_value("#q") == "FROM traffic_day SELECT views"
    page.keyboard.press("Control+Enter")
    page.locator("table.answer").wait_for()
    assert page.locator("#history li").all_inner_texts() == ["FROM traffic_day SELECT views"]
    page.keyboard.press("Tab")
    page.locator("#history button").click()
    assert page.locator("#history").is_hidden()
    context.close()
