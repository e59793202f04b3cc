"""A site whose pages load the scripts of a real collector; what a browser stores; what a checker finds."""

from __future__ import annotations

import json
from typing import Any

from ingest.storage import KEPT
from tests.conftest import AXE
from tests.whole.recording import STUB, Recorder
from tests.whole.running import Up

SETTINGS = """
[[site]]
id = "shop"
controller = "Shop Ltd"
pack = "worktasker-2014"
[ingest]
trusted_proxies = ["127.0.0.0/8"]
"""
#: Which element has the focus, in whatever shadow it is.
FOCUS = (
    "() => { let e = document.activeElement; while (e.shadowRoot) e = e.shadowRoot.activeElement; return e }"
)


class Place:
    """Pages of a site, with a collector behind them."""

    def __init__(self, running: Up, record: Recorder) -> None:
        self.running, self.record = running, record
        self.collector = f"http://127.0.0.1:{running.port}"

    def page(
        self, path: str, body: str = "", *, banner: str = "", lang: str = "en", dir: str = "ltr", **head: str
    ) -> str:
        """Put a page there, with beacon and banner; its address."""
        scripts = f'<script defer src="{self.collector}/t.js" data-site="shop"></script>'
        asks = f'data-site="shop" data-policy="/policy" {banner}'
        scripts += f'<script defer src="{self.collector}/banner.js" {asks}></script>'
        self.record.pages[path] = (
            f'<!doctype html><html lang="{lang}" dir="{dir}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark">'
            '<title>A page</title><link rel="icon" href="data:,">'
            f"{'' if head else STUB}{scripts}</head><body><main><h1>A page</h1><p>Words of the page.</p>"
            f'<button data-throng-ask>Settings</button>{body}</main></body></html>',
            head,
        )  # fmt: skip
        return self.record.origin + path

    def panel(self, path: str = "/mine", more: str = "", **head: str) -> str:
        """Put a page with the panel there; its address."""
        script = f'<script defer src="{self.collector}/privacy.js" data-site="shop"></script>'
        return self.page(
            path, f"{script}<throng-privacy {more}></throng-privacy>", banner=f'data-quiet="{path}"', **head
        )

    def preferences(self, **ids: str) -> dict[str, Any]:
        """What the collector says of somebody: `device="…"`, `user="…"`."""
        import http.client

        line = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=10)
        line.request(
            "GET", "/preferences?site=shop", headers={f"throng-{kind}": id for kind, id in ids.items()}
        )
        said: dict[str, Any] = json.loads(line.getresponse().read())
        line.close()
        return said


def chosen(said: dict[str, Any]) -> dict[str, bool]:
    return {one["purpose"]: one["chosen"] for one in said["purposes"] if one["chosen"] is not None}


def focused(page: Any) -> str:
    """What the focused element is called."""
    return str(page.evaluate(f"({FOCUS})().textContent || ({FOCUS})().id"))


def tab_to(page: Any, name: str, most: int = 60) -> None:
    """Press Tab until the element of that text or id has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(
            f"name => {{ const e = ({FOCUS})(); return e.textContent === name || e.id === name }}", name
        ):
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def stored(page: Any) -> dict[str, Any]:
    """What is in the browser, member by member: localStorage, sessionStorage, cookies, databases, caches."""
    found: dict[str, Any] = page.evaluate(
        """async () => {
          const all = {}
          for (const [where, store] of [['', localStorage], ['session ', sessionStorage]])
            for (const key of Object.keys(store)) {
              let value = store[key]
              try { value = JSON.parse(value) } catch (e) {}
              if (value && value.constructor === Object)
                for (const member in value) all[`${where}${key}.${member}`] = value[member]
              else all[where + key] = value
            }
          for (const cookie of document.cookie.split('; ').filter(Boolean))
            all['cookie ' + cookie.split('=')[0]] = 1
          for (const base of await indexedDB.databases()) all['database ' + base.name] = 1
          for (const name of await caches.keys().catch(() => [])) all['cache ' + name] = 1
          return all
        }"""
    )
    for cookie in page.context.cookies():
        found[f"cookie {cookie['name']}"] = 1
    return found


def outside(found: dict[str, Any]) -> list[str]:
    """What is stored outside the register, or without what its purpose needs (M103, M105)."""
    known, granted = {one.name: one for one in KEPT}, found.get("throng.c") or {}
    wrong = [name for name in found if name not in known]
    return wrong + [
        name
        for name in found
        if name in known and known[name].purpose and granted.get(known[name].purpose) is not True
    ]


def axe(page: Any) -> list[str]:
    """What an accessibility checker finds: rule, and where."""
    page.evaluate((AXE / "node_modules/axe-core/axe.min.js").read_text())
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    return [f"{one['id']}: {node['html'][:120]}" for one in found["violations"] for node in one["nodes"]]
