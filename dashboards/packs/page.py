"""The report as one page that needs nobody else: no script, no host, no font; style under its own hash."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from dashboards.packs import explaining, reading
from dashboards.packs.drawing import svg
from dashboards.packs.story import Story

_HERE = Path(__file__).parent


@cache
def _made() -> tuple[Environment, str, str]:
    made = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    style = (_HERE / "page.css").read_text().strip()
    return made, style, base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def html(story: Story) -> bytes:
    """The page. The same story gives the same bytes."""
    made, style, hash = _made()
    said = {
        "front": explaining.front(story), "how": explaining.how(story), "method": explaining.method(story),
        "tables": explaining.tables(story), "checked": explaining.checked(story),
        "legend": explaining.legend, "held_back": explaining.held_back, "head": explaining.head,
        "terms": explaining.terms(story), "span": reading.span(story.period),
        "days": reading.days(story.period),
        "interval": reading.interval, "column": reading.column, "change": reading.change, "svg": svg,
    }  # fmt: skip
    page = made.get_template("page.html").render(story=story, style=Markup(style), hash=hash, **said)
    return f"{page}\n".encode()
