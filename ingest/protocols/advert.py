"""Advert tags: `/ad/impression`, `/ad/viewable`, `/ad/click` and so on, as an image's address or as JSON.

An impression counts when the advert begins to render, and is viewable after half its pixels were in view for
one second (MRC); the tag decides that. All are counted apart, so that each rate can be told.
"""

from __future__ import annotations

from collections.abc import Sequence

from consent_filter.counts import Counts
from ingest.protocols import beacon, query
from ingest.protocols.columns import join
from ingest.protocols.event import UNREADABLE
from ingest.protocols.finish import ACCEPTED, finish
from ingest.protocols.parsing import Parsed, Parser, Parsing
from ingest.request import Answer, Request


def parser(kind: str) -> Parser:
    """The parser of one address. The address, not the sender, says which type of event it is."""

    def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
        """A POST carries JSON as the beacon's does, without a `type`; anything else carries a query."""
        answers: list[Answer] = [ACCEPTED] * len(requests)
        rejects = Counts()
        parts = []
        for post in (True, False):
            places = [place for place, request in enumerate(requests) if (request.method == "POST") is post]
            if not places:
                continue
            some = [requests[place] for place in places]
            rows = beacon.decode(some, parsing) if post else query.decode(some, parsing, kind)
            for event in rows.events:
                if event is not UNREADABLE:
                    event.type = kind
            parsed = finish("advert", some, rows, parsing, ACCEPTED if post else query.IMAGE)
            parts.append(parsed.raw)
            rejects += parsed.rejects
            for place, answer in zip(places, parsed.answers, strict=True):
                answers[place] = answer
        return Parsed(join(parts), answers, rejects)

    return parse
