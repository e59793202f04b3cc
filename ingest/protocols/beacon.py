"""The beacon and the server API: `POST /e`, one event, an array of them, or `{"events": […]}`, as JSON.

`application/json` and `text/plain` are the same to us: `sendBeacon` sends text to spare a preflight request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

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
    rows = Rows([], [])
    one, events, owner, bodies = parsing.decoder.one, rows.events, cast("list[int]", rows.owner), rows.bodies
    for index, request in enumerate(requests):
        try:
            event = one(request.body)
        except FAULTS as error:
            _other(request.body, index, error, rows, parsing)
            continue
        if event.site is None:
            _other(request.body, index, None, rows, parsing)
            continue
        events.append(event)
        owner.append(index)
        bodies.append(index)
    if not rows.lists:
        rows.owner = None
    return rows


def _other(body: bytes, index: int, error: Exception | None, rows: Rows, parsing: Parsing) -> None:
    """A body that is not one event with a site: a list of them, or a mistake."""
    found: list[Event | Exception | str] = [error or "site"]
    bare = body.lstrip()[:1] == b"["
    if bare or (error is None and b'"events"' in body):
        try:
            found = list(parsing.decoder.many(body)) or ["empty"]
        except FAULTS as raised:
            found = [raised]
        else:
            rows.bodies.append(index)
            rows.wrapped += not bare
            if len(found) > parsing.limits.max_events:
                found = ["too_many"]
            elif found != ["empty"]:
                rows.lists.add(index)
    elif not body.strip():
        found = ["empty"]
    owner = cast("list[int]", rows.owner)
    for one in found:
        if isinstance(one, Event):
            rows.events.append(one)
        else:
            rows.bad[len(rows.events)] = one if isinstance(one, str) else code(one)
            rows.events.append(UNREADABLE)
        owner.append(index)
