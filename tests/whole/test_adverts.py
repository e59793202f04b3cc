"""What the tag measures of adverts is what was seen of them: pages built to cheat, and pictures that judge.

Each page of `adverts/` is shown in a real browser. A picture of it says how much of each advert's colour
there is to see; that, `data-truth` in the page and what the tag has sent must agree.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.whole.recording import Recorder, quiet
from tests.whole.running import until

pytestmark = pytest.mark.needs("chromium")

FOLDER = Path(__file__).parent / "adverts"
PAGES = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.html"))}
#: What is in frames: an advert's own page, and one between it and the site.
CREATIVE, AROUND = ((FOLDER / "served" / name).read_text() for name in ("creative.html", "around.html"))
#: What a page says of its adverts: whose, in which colour, how large, what is true of it.
SAID = """() => (function all(root) {
  const within = [...root.querySelectorAll('*')].filter(e => e.shadowRoot).flatMap(e => all(e.shadowRoot))
  return [...root.querySelectorAll('[data-truth]'), ...within]
})(document).map(e => {
  const frame = e.matches('iframe') ? e : e.querySelector('iframe[src]'), box = frame ?? e
  const [, name, colour] = frame ? frame.src.split('?')[1].split('/') : []
  const own = (e.dataset.throngAd ?? e.dataset.adCreative ?? '').split('/').pop() || e.dataset.throngPlacement
  const painted = frame ? e : e.querySelector('iframe')?.contentDocument.body ?? e
  const paint = getComputedStyle(painted).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)
  return {
    name: name || own, truth: e.dataset.truth, area: box.offsetWidth * box.offsetHeight,
    colour: colour ? [...colour].map(c => parseInt(c + c, 16)) : paint
  }
})"""


def shown(record: Recorder, visitor: Any, name: str) -> Any:
    """The page of that name, open."""
    other = record.origin.replace("127.0.0.1", "localhost")
    record.pages["/creative"] = record.pages["/silent"] = (CREATIVE, {})
    record.pages["/around"] = (AROUND, {})
    body = PAGES[name].replace("{other}", other)
    at = record.page(f"/{name}", f'<body style="margin:0">{body}')
    if "without t.js" in body:
        record.pages[f"/{name}"] = (f"<!doctype html>{body}", {})
    page = visitor.new_page()
    page.goto(at)
    return page


def seen(page: Any, adverts: list[dict[str, Any]]) -> dict[str, float]:
    """Of each advert, the share of its pixels that a picture of the page has in its colour."""
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    return {
        one["name"]: float((np.abs(picture - one["colour"]).max(axis=2) < 24).sum()) / max(one["area"], 1)
        for one in adverts
    }


def measured(record: Recorder, page: str, name: str) -> str:
    """What was sent of that creative; the campaign is called like the page."""
    mine = [e for e in record.events if campaign(e) == page and e["ad"].get("creative") == name]
    of = {
        kind: [e for e in mine if e["type"] == f"ad_{kind}"]
        for kind in ("impression", "viewable", "engagement")
    }
    assert all(len(some) <= 1 for some in of.values()), f"{name} is counted once"
    if not of["impression"]:
        assert not any(of.values())
        return "unrendered"
    (over,) = of["engagement"]
    if of["viewable"]:
        assert over["ad"]["share"] >= of["viewable"][0]["ad"]["share"] >= 30
        assert over["duration"] >= 1000
        return "seen"
    return "unseen" if "share" in over["ad"] else "untold"


@pytest.mark.requirement("M35")
def test_what_is_measured_is_what_was_seen(record: Recorder, visitor: Any) -> None:
    pages = {}
    # A page behind another is not drawn: the one that moves is in front, and comes last.
    for name in sorted(PAGES, key=lambda name: (name == "blinking", name != "frames")):
        pages[name] = shown(record, visitor, name)
        if name != "frames":
            until(lambda: name in {campaign(event) for event in record.of("ad_impression")})  # noqa: B023
        quiet(pages[name], 200)
    quiet(pages["blinking"], 2200)
    said, pictured = {}, {}
    for name, page in pages.items():
        said[name] = page.evaluate(SAID)
        pictured[name] = seen(page, said[name])
        # A tab that is closed has half a second for its farewell, too little on a busy machine; that one
        # says it is tested by itself (`test_advert_views.py`).
        page.goto("about:blank")
        until(lambda: name in {campaign(e) for e in record.of("ad_engagement")})  # noqa: B023
        page.close()
    until(lambda: len({campaign(e) for e in record.of("ad_engagement")}) == len(PAGES))
    quiet(visitor.new_page(), 300)
    wrong = []
    for name, adverts in said.items():
        for one in adverts:
            where, share = f"{name}/{one['name']}", pictured[name][one["name"]]
            if one["truth"] in ("seen", "unseen") and name != "blinking":
                true = "seen" if share >= (0.3 if one["area"] >= 242_500 else 0.5) else "unseen"
                if one["truth"] != (true if one["area"] > 1 else "unseen"):
                    wrong.append(f"{where}: {one['truth']}, and the picture shows {share:.2f}")
            if (sent := measured(record, name, one["name"])) != one["truth"]:
                wrong.append(f"{where}: {one['truth']}, and {sent} was sent")
    assert wrong == []
    assert sum(len(adverts) for adverts in said.values()) > 45
    # What is in a frame of a page that measures is counted once, and by the page.
    assert "x" not in {campaign(event) for event in record.events}


def campaign(event: dict[str, Any]) -> str | None:
    found: str | None = event.get("ad", {}).get("campaign")
    return found
