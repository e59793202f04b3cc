"""Every way an event may come in. A new one is a module beside this, and a line in each table here."""

from __future__ import annotations

from collections.abc import Sequence

from consent_filter.counts import Counts
from ingest.protocols import advert, beacon, contact, notice, pixel, redirect, vast
from ingest.protocols.columns import join
from ingest.protocols.parsing import Parsed, Parser, Parsing
from ingest.request import Answer, Request

__all__ = ["PROTOCOLS", "ROUTES", "Parsed", "Parser", "Parsing", "parse", "redirect"]

#: `Request.protocol` to its parser.
PROTOCOLS: dict[str, Parser] = {
    "beacon": beacon.parse,
    "pixel": pixel.parse,
    "impression": advert.parser("ad_impression"),
    "viewable": advert.parser("ad_viewable"),
    "click": advert.parser("ad_click"),
    "request": advert.parser("ad_request"),
    "served": advert.parser("ad_served"),
    "landing": advert.parser("ad_landing"),
    "conversion": advert.parser("ad_conversion"),
    "refund": advert.parser("ad_refund"),
    redirect.NAME: redirect.parse,
    vast.NAME: vast.parse,
    notice.NAME: notice.parse,
    contact.NAME: contact.parse,
}

#: Addresses of the collector: the methods each takes, and the protocol spoken there.
ROUTES: dict[str, tuple[tuple[str, ...], str]] = {
    "/e": (("POST",), "beacon"),
    "/p.gif": (("GET",), "pixel"),
    "/ad/impression": (("GET", "POST"), "impression"),
    "/ad/viewable": (("GET", "POST"), "viewable"),
    "/ad/click": (("GET", "POST"), "click"),
    "/ad/request": (("GET", "POST"), "request"),
    "/ad/served": (("GET", "POST"), "served"),
    "/ad/landing": (("GET", "POST"), "landing"),
    "/ad/conversion": (("GET", "POST"), "conversion"),
    "/ad/refund": (("GET", "POST"), "refund"),
    "/ad/go": (("GET",), redirect.NAME),
    "/ad/vast": (("GET",), vast.NAME),
    "/ad/notice": (("GET",), notice.NAME),
    "/ad/contact": (("POST",), contact.NAME),
}


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """Requests of any protocols, at least one; one answer for each, in their order."""
    protocols = dict.fromkeys([request.protocol for request in requests])
    if len(protocols) == 1:
        return PROTOCOLS[requests[0].protocol](requests, parsing)
    answers: list[Answer | None] = [None] * len(requests)
    parts, rejects = [], Counts()
    for protocol in protocols:
        places = [place for place, request in enumerate(requests) if request.protocol == protocol]
        parsed = PROTOCOLS[protocol]([requests[place] for place in places], parsing)
        parts.append(parsed.raw)
        rejects.update(parsed.rejects)
        for place, answer in zip(places, parsed.answers, strict=True):
            answers[place] = answer
    return Parsed(join(parts), [answer for answer in answers if answer is not None], rejects)
