"""Clicks that are led on, `GET /ad/go?to=…&site=…&until=…&sig=…`: counted, then sent to the target.

Where it leads is signed together with whose click it is and until when: the address leads nowhere else, so it
can't be used to send people somewhere in our name (CWE-601). A target is never stored.

What the page adds as somebody clicks (`ingest/beacon/adverts.js`) is signed by nobody: `view`, `slot`,
`time`, the visitor's own choice, and `told` where it tells that click itself, which then counts once, as the
page's.
"""

from __future__ import annotations

from collections.abc import Sequence

from consent_filter import advert_links
from consent_filter.clicks import NAME as CLICK
from consent_filter.clicks import Click
from ingest.enrich.robots import prefetched
from ingest.protocols.event import ABSENT, UNREADABLE
from ingest.protocols.finish import finish
from ingest.protocols.parsing import Led, Parsed, Parsing
from ingest.protocols.query import decode
from ingest.protocols.signed import opened
from ingest.rejects import REJECTS
from ingest.request import Answer, Request

NAME = "redirect"
#: What is signed, in this order. `until`: seconds since 1970.
SIGNED = ("to", "site", "campaign", "creative", "placement", "until")
_NAMES = frozenset((*SIGNED, "sig", "view", "slot", "told"))
#: Milliseconds for which a word in an address is taken for that of whoever follows it: who was sent a copy
#: has agreed to nothing.
FRESH = 600_000
#: A browser that only looks ahead gets nothing it could use later: it asks again when somebody clicks.
_AHEAD = Answer(503, b"")
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="robots" content="noindex">
<meta name="viewport" content="width=device-width,initial-scale=1"><title>This link leads nowhere</title>
<style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem}</style>
<h1>This link leads nowhere</h1>
<p>It was not followed, because %s. You have not been sent anywhere.</p></html>
"""
WRONG = {
    code: Answer(REJECTS[code].status, (_PAGE % says).encode(), b"text/html; charset=utf-8")
    for code, says in (
        ("unsigned", "it does not bear the mark of those who show adverts here"),
        ("altered", "it was altered or cut off"),
        ("expired", "it is too old"),
        ("target", "it does not lead to a web page"),
        ("query", "it cannot be read"),
        ("duplicate_key", "it says something twice"),
    )
}


def target(query: bytes, parsing: Parsing, now: int) -> tuple[str, Led] | str:
    """Where an address leads, and what was clicked; or the code of `ingest.rejects` why it leads nowhere.
    `now`: UTC milliseconds."""
    said = opened(query, _NAMES, NAME, SIGNED, parsing, now)
    if isinstance(said, str):
        return said
    if not advert_links.leads_out(said["to"]):
        return "target"
    click = Click(
        said.get("view"), said.get("campaign"), said.get("creative"), said.get("placement"), said.get("slot")
    )
    return said["to"], Led(click, said.get("told") == "1")


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """One click for each request. One that is refused for another reason than its address still leads on:
    whoever clicked has nothing to do with it."""
    rows = decode(requests, parsing, "ad_click")
    answers: list[Answer] = []
    clicked: dict[int, Led] = {}
    for index, request in enumerate(requests):
        found = target(request.query, parsing, request.received)
        if isinstance(found, str):
            rows.bad[index] = found
            answers.append(WRONG[found])
            continue
        ahead = prefetched(request.browser.said[2])
        answers.append(_AHEAD if ahead else Answer(302, b"", leads=found[0].encode()))
        if not ahead:
            clicked[index] = found[1]
        event = rows.events[index]
        if event is not UNREADABLE:
            event.type, event.name, event.props = "ad_click", None, ABSENT
            if _old(event.time, request.received):
                rows.bad.setdefault(index, "stale")
    parsed = finish(NAME, requests, rows, parsing)
    good = [index for index in range(len(requests)) if index not in rows.bad]
    return Parsed(parsed.raw, answers, parsed.rejects, [(one, clicked.get(one)) for one in good])


def _old(time: float | str | None, received: int) -> bool:
    """Whether an address says of itself that it is of another moment. What is no number is refused later."""
    try:
        return time is not None and abs(float(time) - received) > FRESH
    except ValueError:
        return False


def carry(answer: Answer, id: str) -> Answer:
    """The same way, with the id of the click for who is there."""
    return answer._replace(leads=advert_links.with_click(answer.leads.decode(), CLICK, id).encode())
