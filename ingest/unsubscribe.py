"""`/unsubscribe/…`: marketing stopped by one click (RFC 8058), without a login; answered when it is durable.

A POST acts; a GET never does, as scanners of mail follow links: it shows a page with buttons that post. The
answer is the same whether somebody unsubscribes for the first time, again, or after having been erased.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consent_filter.circumstances import Circumstances
from consent_filter.errors import Refused
from consent_filter.ledger import Ledger, Recorded
from consent_filter.marketing import EVERY, channels
from consent_filter.policy import Packs
from consent_filter.unsubscribe import Link, Links
from ingest.enrich.place import NOWHERE
from ingest.metrics import Metrics
from ingest.settings import Sites
from ingest.unsubscribe_page import HEAD, asks, done, wrong

#: The one name in the body, and what it may say: the link's channels, or all of them.
_NAME, _ONE, _ALL = "List-Unsubscribe", "One-Click", "All"
_LARGEST = 8192
_METHODS = "GET, HEAD, POST, OPTIONS"


class Unsubscribing:
    """Answers `/unsubscribe/{token}`. `receipt`: what is given to who asks for one."""

    def __init__(
        self,
        ledger: Ledger,
        sites: Sites,
        packs: Packs,
        links: Links,
        receipt: Callable[[Recorded, str], Any],
        metrics: Metrics,
    ) -> None:
        self._ledger, self._sites, self._packs = ledger, sites, packs
        self._links, self._receipt, self._metrics = links, receipt, metrics

    async def answer(self, request: Request) -> Response:
        page = "text/html" in request.headers.get("accept", "")
        try:
            return await self._answer(request, page)
        except Refused as error:
            self._metrics.links[error.code] += 1
            head = HEAD | ({"retry-after": "2"} if error.status == 503 else {})
            if error.status == 405:
                head["allow"] = _METHODS
            if page:
                return Response(wrong(error.message), error.status, head, "text/html")
            return JSONResponse(error.body(), error.status, head)

    async def _answer(self, request: Request, page: bool) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"allow": _METHODS})
        if request.method not in ("GET", "HEAD", "POST"):
            raise Refused(405, "method", f"send {_METHODS}")
        link = self._links.read(request.path_params.get("token", ""))
        if link.site not in self._sites:
            raise Refused(404, "link_site", "this link is of a site that is not measured here")
        if request.method != "POST":
            self._metrics.links["shown"] += 1
            return Response(asks(link.site, channels(link.purposes)), headers=HEAD, media_type="text/html")
        said = _said(request.headers.get("content-type", ""), await _body(request))
        if said not in (_ONE, _ALL):
            raise Refused(400, "body", f"send {_NAME}={_ONE}, urlencoded or as multipart/form-data")
        if said == _ALL:
            link = link._replace(purposes=EVERY)
        try:
            recorded = await run_in_threadpool(self._refuse, link)
        except OSError:
            raise Refused(503, "unavailable", "nothing can be stored now; try again") from None
        self._metrics.links["unsubscribed" if recorded else "unchanged"] += 1
        stopped = channels(link.purposes)
        if page:
            return Response(done(link.site, stopped), headers=HEAD, media_type="text/html")
        answer: dict[str, Any] = {"site": link.site, "unsubscribed": stopped}
        if request.query_params.get("receipt") == "1":
            made = recorded and await run_in_threadpool(self._receipt, recorded, link.site)
            answer["receipt"] = made
        return JSONResponse(answer, headers=HEAD)

    def _refuse(self, link: Link) -> Recorded | None:
        pack = self._packs[link.site]
        how = Circumstances(
            surface="unsubscribe",
            policy=f"{pack.name}/{pack.version}",
            # Who posts may be the mail's provider: its country is not the reader's.
            regime=pack.regime(NOWHERE.country),
        )
        now = time.time_ns() // 1_000_000
        return self._ledger.refuse(link.key, link.site, link.purposes, "link", now, how)


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Refused(413, "too_large", f"send {_NAME}={_ONE}")
    return body


_BOUNDARY = re.compile(r'multipart/form-data\s*;.*?\bboundary="?([^";,\s]{1,70})', re.IGNORECASE)
_FIELD = re.compile(
    rb"^content-disposition:[^\r\n]*;[ \t]*name=(\"?)%s\1[ \t]*(?:;|\r?$)" % _NAME.encode(),
    re.IGNORECASE | re.MULTILINE,
)
_BLANK = re.compile(rb"\r?\n\r?\n")


def _said(kind: str, body: bytes) -> str | None:
    """What a form says of `List-Unsubscribe`; None where it says nothing, or two things."""
    if kind.lower().startswith("multipart/"):
        # By hand: this one field is all there is to it, and a whole parser of mail stumbles over what is not.
        found = _BOUNDARY.match(kind)
        parts = body.split(b"--" + found[1].encode("latin-1")) if found else []
        heads = [_BLANK.split(part, maxsplit=1) for part in parts]
        values = [
            part[1].decode("latin-1").strip() for part in heads if len(part) == 2 and _FIELD.search(part[0])
        ]
    else:
        pairs = parse_qsl(body.decode("latin-1").strip(), keep_blank_values=True)
        values = [value for name, value in pairs if name == _NAME]
    return values[0] if len(values) == 1 else None
