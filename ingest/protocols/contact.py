"""What a sender of mails, letters and calls says that it has sent: `POST /ad/contact`, JSON as the beacon's.

It says who was written to (`user_id`) and by which way (`ad.step`), and comes from a server with a token or
of a trusted network, as nobody else may say how often somebody was written to (M74). No visitor sends it: so
it has no address, no agent and no page, whatever its sender's own are.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from consent_filter.advert import Ad
from consent_filter.marketing import CONTACT, WAYS
from ingest.protocols.beacon import decode
from ingest.protocols.event import UNREADABLE
from ingest.protocols.finish import finish
from ingest.protocols.parsing import Parsed, Parsing
from ingest.request import UNSEEN, Browser, Request

NAME = "contact"
_NOBODY = {encrypted: Browser(UNSEEN, encrypted=encrypted) for encrypted in (False, True)}


def parse(requests: Sequence[Request], parsing: Parsing) -> Parsed:
    """One row a contact. It is refused without the account that was written to, and without a known way."""
    asked = [replace(request, address="", browser=_NOBODY[request.browser.encrypted]) for request in requests]
    rows = decode(asked, parsing)
    for row, event in enumerate(rows.events):
        if event is UNREADABLE:
            continue
        event.type, event.url, event.device_id = CONTACT, None, None
        if event.user_id in (None, ""):
            rows.bad.setdefault(row, "user_id")
        else:
            ad = parsing.advert(bytes(event.ad)) if event.ad else False
            if not isinstance(ad, Ad) or ad.step not in WAYS:
                rows.bad.setdefault(row, "step")
    return finish(NAME, asked, rows, parsing)
