"""The pixel, `GET /p.gif?site=…&url=…`: for pages without scripts, and for mail."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.protocols.finish import finish
from ingest.protocols.parsing import Parsed, Parsing
from ingest.protocols.query import IMAGE, decode
from ingest.request import Request


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """A page view unless `type` says otherwise. A mail has no `url`; the event then has no path."""
    return finish("pixel", requests, decode(requests, parsing, "page_view"), parsing, IMAGE)
