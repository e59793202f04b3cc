"""What measuring adverts costs a page's main thread: twenty slots, scrolled through in a real Chromium.

Chromium's own trace says how long which script ran. Three pages: no adverts; adverts that the browser
vouches for; and the same under a bar that covers a little of each, so that they are looked at point by point.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from typing import Any

from benchmarks.line import emit
from ingest.scripts import Script
from tests.whole.conftest import _FLAGS
from tests.whole.recording import Recorder, recorder

SECONDS, ROUNDS, SLOTS = 8, 3, 20
_WORDS = "<p>" + "Words of the page. " * 60
#: Scrolls as a hurried reader does: 900 pixels a second, in every frame.
_SCROLL = """seconds => new Promise(done => {
  const begun = performance.now()
  const step = () => {
    const at = performance.now() - begun
    scrollTo(0, at * .9)
    if (at < seconds * 1000) requestAnimationFrame(step)
    else done()
  }
  step()
})"""


def main() -> None:
    if shutil.which("chromium") is None:
        print("slots: needs Chromium; to enable: apt-get install chromium", file=sys.stderr)
        return
    for name in ("t.js", "v.js"):
        emit(f"slots.{name}", len(Script(name).encoded["br"]), "bytes")
    from playwright.sync_api import sync_playwright

    bar = "<div style='position:fixed;left:0;top:0;height:600px;width:30px;background:#eee'></div>"
    slot = "<div data-throng-ad='c/{0}' style='width:300px;height:250px;background:#ccd'></div>"
    pages = {
        "vouched": "".join(_WORDS + slot.format(n) for n in range(SLOTS)),
        "covered": bar + "".join(_WORDS + slot.format(n) for n in range(SLOTS)),
        "none": "".join(_WORDS + slot.format(n).replace("data-throng-ad", "data-x") for n in range(SLOTS)),
    }
    with sync_playwright() as play, recorder() as record:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=_FLAGS)
        peer = None
        for kind in ("none", "vouched", "covered"):
            body = f"<body style='margin:0'>{pages[kind]}<div style='height:4000px'></div>"
            found = [_round(browser, record, record.page(f"/{kind}", body)) for _ in range(ROUNDS)]
            ours = statistics.median(found)
            emit(
                f"slots.{kind}", ours, "ms scripting a second of scrolling", n=ROUNDS,
                against="no adverts" if peer else "", ratio=ours / peer if peer else None,
            )  # fmt: skip
            peer = peer or ours
        browser.close()


def _round(browser: Any, record: Recorder, address: str) -> float:
    """Milliseconds in which scripts of ours ran, for each second of scrolling."""
    page = browser.new_page(viewport={"width": 800, "height": 600})
    page.goto(address)
    page.wait_for_timeout(1500)
    browser.start_tracing(page=page, categories=["devtools.timeline", "v8.execute"])
    page.evaluate(_SCROLL, SECONDS)
    events = json.loads(browser.stop_tracing())["traceEvents"]
    page.close()
    mine = [
        event.get("tdur", 0) for event in events
        if event["name"] in ("FunctionCall", "EvaluateScript")
        and str(event.get("args", {}).get("data", {}).get("url", "")).startswith((
            f"{record.origin}/t.js", f"{record.origin}/v.js"
        ))
    ]  # fmt: skip
    return sum(mine) / 1000 / SECONDS


if __name__ == "__main__":
    main()
