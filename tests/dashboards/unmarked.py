"""Words of a page that stand in no catalogue: asked for in the language of brackets, they have none."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: What holds names, code, and words that are in their language: nothing to translate.
APART = {"bdi", "code", "pre", "script", "style", "title", "option", "textarea"}
#: Names of months and weekdays (the language that is none has those of English), forms of files, units.
_OURS = re.compile(
    r"\b(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*\b"
    r"|\b(Throng|SQL|CSV|XLSX|PNG|Parquet|Arrow|JSON|UTC|[A-Z]{2})\b|\b\d[\d.,]*[KMG]?\b|&\w+;"
)
_VOID = {"input", "br", "meta", "link", "img", "hr", "col", "rect", "circle", "line", "path", "stop"}
_SAID = ("aria-label", "title", "alt")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.apart: list[bool] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if not any(self.apart):
            self.words += [str(named[name]) for name in _SAID if named.get(name)]
        if tag not in _VOID:
            own = tag in APART or (tag != "html" and "lang" in named) or named.get("translate") == "no"
            self.apart.append(own)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and self.apart:
            self.apart.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.apart):
            self.words.append(data)


def unmarked(html: str) -> list[str]:
    """Texts with words outside of brackets, without what has none to translate."""
    while "⟦" in html:  # texts within texts, from the inside
        html = re.sub(r"⟦[^⟦⟧]*⟧", " ", html)
    reader = _Reader()
    reader.feed(html)
    left = (_OURS.sub(" ", text) for text in reader.words)
    return [text.strip() for text in left if re.search(r"[A-Za-z]{2,}", text)]
