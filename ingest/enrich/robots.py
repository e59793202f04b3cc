"""Who is a program: four lists and three headers, each named in the count it leads to.

Found and people wrongly flagged, on sets that are not the lists' own: is-bot 95.8–99.6 % and 0.5–1.0 %,
crawler-user-agents 47–58 % and 0.02–0.9 %, ua-parser's Spider 51–62 % and 0–0.1 %. So is-bot asks first.
"""

from __future__ import annotations

from collections.abc import Callable

from crawleruseragents import is_crawler
from is_bot import Bots

_BOTS = Bots()


def prefetched(purpose: str | None) -> bool:
    """Whether nobody has seen the page yet (Sec-Purpose, the older Purpose, Firefox's X-Moz)."""
    said = (purpose or "").lower()
    return "prefetch" in said or "prerender" in said or said == "preview"


def robot(agent: str, purpose: str | None, spider: Callable[[], bool]) -> str | None:
    """Why this is held to be a program: `prefetch`, `empty`, `is-bot`, `crawler-user-agents` or `ua-parser`.

    None is a person. `spider` says what ua-parser thinks, and is asked last.
    """
    if prefetched(purpose):
        return "prefetch"
    if not agent.strip() or agent.strip() == "-":
        return "empty"
    if _BOTS.is_bot(agent):
        return "is-bot"
    if is_crawler(agent):
        return "crawler-user-agents"
    return "ua-parser" if spider() else None
