"""Which lists of programs are in use, and of when they are: an old list is part of the evidence (MRC)."""

from __future__ import annotations

from importlib.metadata import version
from typing import NamedTuple

from crawleruseragents import CRAWLER_USER_AGENTS_DATA


class Listed(NamedTuple):
    """A list. `newest`: the day or month of its newest entry, "" where it does not say."""

    name: str
    version: str
    newest: str


def lists() -> list[Listed]:
    """In the order in which they are asked (`robots.py`)."""
    added = max(str(one.get("addition_date", "")) for one in CRAWLER_USER_AGENTS_DATA).replace("/", "-")
    rules = version("ua-parser-builtins")
    month = f"{rules[:4]}-{rules[4:6]}" if rules[:6].isdecimal() else ""
    return [
        Listed("is-bot", version("is-bot"), ""),
        Listed("crawler-user-agents", version("crawler-user-agents"), added),
        Listed("ua-parser", rules, month),
    ]
