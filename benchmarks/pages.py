"""Pages of numbers on a telephone: bytes of all that one loads, and when its largest part is painted.

Chromium on loopback, its processor slowed four times (CDP `Emulation.setCPUThrottlingRate`), nothing in its
cache; the made-up market of the tests. Bytes are as gzip would send them, which a proxy in front may do:
the server itself sends them as they are, as a page with a secret in it is not compressed together with what
others may put into its address (BREACH).
"""

from __future__ import annotations

import gzip
import shutil
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.line import emit
from dashboards.app import create
from dashboards.settings import Dashboards
from tests import signed
from tests.dashboards.serving import serving
from tests.warehouse.tables import fill
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

PAGES = {"overview": "/", "sources": "/sources", "audience": "/audience", "year": "/?period=365&grain=day"}
ROUNDS, SLOWED, DAYS = 5, 4, 120
_PAINT = """
new PerformanceObserver(list => { for (const one of list.getEntries()) window.largest = one.startTime })
  .observe({type: 'largest-contentful-paint', buffered: true})
"""


def main(rounds: int = ROUNDS) -> None:
    if shutil.which("chromium") is None:
        print("pages: needs Chromium; to enable: apt-get install chromium", file=sys.stderr)
        return
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary, sync_playwright() as play:
        data = Path(temporary)
        fill(data, days=DAYS, sites=("market", "blog"))
        store = Store.open(data)
        publish(data, Warehouse(), store)
        store.close()
        browser = play.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        with serving(create(data, Dashboards(), Warehouse())) as address:
            for name, path in PAGES.items():
                _measure(browser, data, address, name, path, rounds)
        browser.close()


def _keep(bodies: list[Any], one: Any) -> None:
    bodies.append(one)


def _measure(browser: Any, data: Path, address: str, name: str, path: str, rounds: int) -> None:
    paints, weights, plain = [], [], []
    for _ in range(rounds):
        context = browser.new_context(viewport={"width": 360, "height": 800}, device_scale_factor=2)
        signed.browser(context, data, address)
        page, bodies = context.new_page(), list[Any]()
        page.on("response", partial(_keep, bodies))
        page.add_init_script(_PAINT)
        context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
        page.goto(address + path, wait_until="load")
        page.wait_for_timeout(500)
        paints.append(page.evaluate("window.largest"))
        sent = [one.body() for one in bodies]
        weights.append(sum(len(gzip.compress(body, 6)) for body in sent))
        plain.append(sum(map(len, sent)))
        context.close()
    emit(f"pages.{name}.bytes", statistics.median(weights), "bytes", against="as sent",
         ratio=statistics.median(weights) / statistics.median(plain), n=rounds)  # fmt: skip
    emit(f"pages.{name}.largest_paint", statistics.median(paints), "ms", n=rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
