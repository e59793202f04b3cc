"""What an exchange calls, `GET /ad/notice?kind=…&…&sig=…`: OpenRTB's nurl, burl and lurl, signed by us.

A notice says that money is owed, and anybody can call an address: so what the operator wrote into it (kind,
site, campaign, creative, placement, end) is signed, and an unsigned one is refused. What the exchange fills
in (`${AUCTION_ID}` and the like) cannot be; of it the view's id is hashed, and the price is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec.structs import replace

from ingest.protocols.event import UNREADABLE
from ingest.protocols.finish import finish
from ingest.protocols.parsing import Parsed, Parsing
from ingest.protocols.query import IMAGE, decode
from ingest.protocols.signed import opened
from ingest.request import Request

NAME = "notice"
#: What is signed, in this order. `until`: seconds since 1970.
SIGNED = ("kind", "site", "campaign", "creative", "placement", "until")
#: OpenRTB 2.6, 7: winning is no delivery, and a lost auction shows nothing; billing is the impression.
KINDS = {"win": ("ad_request", "won"), "bill": ("ad_impression", "billed"), "loss": ("ad_request", "lost")}
#: What stands in our addresses, and the macros that are to replace it. No price.
MACROS = {"view": "${AUCTION_ID}.${AUCTION_IMP_ID}", "loss": "${AUCTION_LOSS}"}
_NAMES = frozenset((*SIGNED, *MACROS, "sig", "id", "i", "type", "t", "step"))
_LOSS = re.compile(r"[1-9]\d{0,3}")


def translate(query: bytes, parsing: Parsing, now: int) -> bytes | str:
    """The same in the words of our own addresses; or the code of `ingest.rejects` why it is not believed.
    `now`: UTC milliseconds."""
    said = opened(query, _NAMES, NAME, SIGNED, parsing, now)
    if isinstance(said, str):
        return said
    if said.get("kind") not in KINDS:
        return "step"
    type_, step = KINDS[said["kind"]]
    if step == "lost" and _LOSS.fullmatch(said.get("loss", "")):
        step += f"_{said['loss']}"
    dropped = {b"kind", b"until", b"sig", b"loss", b"id", b"i", b"type", b"t", b"step"}
    unsaid = "$" in said.get("view", "")
    if unsaid:
        dropped.add(b"view")
    parts = [part for part in query.split(b"&") if part.partition(b"=")[0] not in dropped]
    parts += [f"type={type_}".encode(), f"step={step}".encode()]
    if said.get("view") and not unsaid:
        # Called again it is the same notice: a retry, or a replay.
        (view,) = [part for part in query.split(b"&") if part.startswith(b"view=")]
        parts.append(b"id=notice." + said["kind"].encode() + b"." + view[5:])
    return b"&".join(parts)


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """One event for each request, answered with an image: a browser may be who calls."""
    said = [translate(request.query, parsing, request.received) for request in requests]
    asked = [
        replace(request, query=one if isinstance(one, bytes) else request.query)
        for request, one in zip(requests, said, strict=True)
    ]
    rows = decode(asked, parsing, "ad_request")
    for index, one in enumerate(said):
        if isinstance(one, str):
            rows.bad[index] = one
            if rows.events[index] is not UNREADABLE:
                rows.events[index].type = "ad_request"
    return finish(NAME, requests, rows, parsing, IMAGE)
