"""Great Expectations' data docs made into one page that needs nobody else: no script, no outside host.

As rendered they fetch sixteen files from nine hosts, a logo that is never cached among them, so that opening
the reason why numbers were held back would tell strangers about it. What is fetched or run is taken out,
a page's worth of style put in, and a content security policy forbids the rest.
"""

from __future__ import annotations

import os
from html import escape
from html.parser import HTMLParser
from pathlib import Path

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 }
td, th { border-top: 1px solid #8886; padding: .4rem .6rem; text-align: left; vertical-align: top }
.breadcrumb, nav, footer, .modal, .btn, .navbar, .sticky, .col-lg-2 { display: none }
.badge { padding: 0 .3rem; border-radius: .2rem; background: #8883 }
"""
#: Elements that hold something to run or to fetch. Their end tags, where they have any, go with them.
_WITH_END = frozenset({"script", "iframe", "object", "svg", "style", "form", "button"})
_WITHOUT_END = frozenset({"link", "img", "meta", "input", "embed", "base"})
_VOID = _WITHOUT_END | {"br", "hr", "col", "source", "wbr"}


class _Plain(HTMLParser):
    """Copies a page without what runs, fetches or leads outside."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.out: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _WITH_END:
            self._inside.append(tag)
        elif not self._inside and tag not in _WITHOUT_END:
            kept = [
                (name, value or "")
                for name, value in attrs
                if name in ("class", "id", "colspan", "rowspan", "lang")
                or (name == "href" and (value or "").startswith("#"))
            ]
            said = "".join(f' {name}="{escape(value)}"' for name, value in kept)
            self.out.append(f"<{tag}{said}>")
            if tag == "head":
                self.out.append(
                    f'<meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
                    f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
                )

    def handle_endtag(self, tag: str) -> None:
        if self._inside:
            if tag == self._inside[-1]:
                self._inside.pop()
        elif tag not in _VOID:
            self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.out.append(escape(data, quote=False))


def plain(page: str) -> str:
    """The page without anything that runs, fetches or leads outside."""
    parser = _Plain()
    parser.feed(page)
    parser.close()
    return "<!doctype html>" + "".join(parser.out)


def write(page: str, docs: Path, name: str) -> str:
    """Put the page at docs/<name>.html in one step, and say where it is."""
    docs.mkdir(parents=True, exist_ok=True)
    draft = docs / f"{name}.html.new"
    draft.write_text(plain(page))
    os.replace(draft, docs / f"{name}.html")
    return str(docs / f"{name}.html")
