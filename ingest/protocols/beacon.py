"""The beacon and the server API: `POST /e`, one event, an array of them, or `{"events": […]}`, as JSON.

`application/json` and `text/plain` are the same to us: `sendBeacon` sends text to spare a preflight request.
"""

from __future__ import annotations

from collections.abc import Sequence

from ingest.protocols.event import FAULTS, UNREADABLE, Event, code
from ingest.protocols.finish import finish
from ingest.protocols.parsing import Parsed, Parsing
from ingest.protocols.rows import Rows
from ingest.request import Request


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """Each body is decoded alone, so that a bad one costs its sender an error and nobody else anything."""
    return finish("beacon", requests, decode(requests, parsing), parsing)


def decode(requests: Sequence[Request], parsing: Parsing) -> Rows:
    """The events of all bodies. One that cannot be read is a row of its own, refused."""
    events: list[Event] = []
    owner: list[int] = []
    rows = Rows(events)
    one = parsing.decoder.one
    for index, request in enumerate(requests):
        try:
            event = one(request.body)
            if event.site is not None:
                events.append(event)
                owner.append(index)
                continue
            error: Exception | None = None
        except FAULTS as raised:
            error = raised
        _other(request.body, index, error, rows, owner, parsing)
    if rows.lists:
        rows.owner = owner
    return rows


def _other(
    body: bytes, index: int, error: Exception | None, rows: Rows, owner: list[int], parsing: Parsing
) -> None:
    """A body that is not one event with a site: a list, or a mistake."""
    found: list[Event | Exception | str] = []
    start = body.lstrip()[:1]
    if start == b"[" or (error is None and b'"events"' in body):
        rows.lists.add(index)
        try:
            found = list(parsing.decoder.many(body))
        except FAULTS as raised:
            found = [raised]
        if len(found) > parsing.limits.max_events:
            found = ["too_many"]
    elif not body.strip():
        found = ["empty"]
    else:
        found = [error or "site"]
    for one in found or ["empty"]:
        if isinstance(one, Event):
            rows.events.append(one)
        else:
            rows.bad[len(rows.events)] = one if isinstance(one, str) else code(one)
            rows.events.append(UNREADABLE)
        owner.append(index)
