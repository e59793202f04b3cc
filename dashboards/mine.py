"""What advertisers and investors see who have an account: their own adverts, and packs given to them.

An account is one more way to the pages that signed links open (`advertisers.py`, `exports.py`), and opens no
other row: from here a link of a few minutes leads there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import SigningKey
from dashboards import forms
from dashboards.exports import may_be_fetched
from dashboards.language import refusal, say
from dashboards.packs import reading
from dashboards.pages import Pages
from dashboards.who import Role, who
from warehouse import deliveries, link, own_rows, period

#: Milliseconds that a link to adverts is good: it stands in the address of a page that is looked at.
_GOOD = 30 * 60_000


class Mine:
    """`/mine`, `/mine/adverts/…` and `/mine/packs/…`. file: the catalogue."""

    def __init__(self, data: Path, pages: Pages, file: Path) -> None:
        self._data, self._pages, self._file = data, pages, file

    def routes(self) -> list[Route]:
        return [
            Route("/mine", forms.page(self._list), methods=["GET"]),
            Route("/mine/adverts/{name:str}", forms.page(self._adverts), methods=["GET"]),
            Route("/mine/packs/{name:str}", forms.page(self._pack), methods=["GET"]),
        ]

    def _list(self, request: Request, form: FormData | None) -> Response:
        me = who(request)
        advertisers = sorted(me.advertisers) if me.has(Role.ADVERTISER) else []
        page = self._pages.page(
            "mine.html",
            "mine",
            title=say("What is yours"),
            advertisers=advertisers,
            packs=self._packs(request),
        )
        return HTMLResponse(page)

    def _packs(self, request: Request) -> list[dict[str, Any]]:
        """Deliveries to whom this account stands for, the newest first, and why one can't be fetched."""
        me, found = who(request), list[dict[str, Any]]()
        if not me.has(Role.INVESTOR) or not deliveries.file(self._data).exists():
            return []
        with deliveries.ledger(self._data) as book:
            for one in (one for name in sorted(me.recipients) for one in book.deliveries(recipient=name)):
                release, why = book.release(one.release), ""
                try:
                    may_be_fetched(book, one, release)
                except Refused as error:
                    why = refusal(error)
                if one.expires <= deliveries.now():
                    why = say("its time is over: ask for a new link")
                elif len(book.fetches(one.id)) >= one.times:
                    why = say("it was fetched as often as was agreed: ask for a new link")
                span = reading.span(period.read(release.period))
                until = datetime.fromtimestamp(one.expires / 1000, UTC)
                found.append({"id": one.id, "release": release, "why": why, "span": span, "until": until})
        return found[::-1]

    def _adverts(self, request: Request, form: FormData | None) -> Response:
        me, name = who(request), request.path_params["name"]
        if not me.has(Role.ADVERTISER) or name not in me.advertisers:
            raise Refused(404, "no_such_advertiser", "there are no adverts of that name for you")
        own_rows.campaigns(own_rows.owners(self._file), name)
        until = deliveries.now() + _GOOD
        return RedirectResponse(f"/advertiser/{link.make(self._key(), name, until, link.ADVERTISER)}", 303)

    def _pack(self, request: Request, form: FormData | None) -> Response:
        me, one = who(request), None
        if deliveries.file(self._data).exists():
            with deliveries.ledger(self._data) as book:
                one = book.delivery(request.path_params["name"])
        if one is None or not me.has(Role.INVESTOR) or one.recipient not in me.recipients:
            raise Refused(404, "no_such_pack", "there is no pack of that name for you")
        return RedirectResponse(f"/packs/{link.make(self._key(), one.id, one.expires)}", 303)

    def _key(self) -> SigningKey:
        try:
            return SigningKey.read(self._data / signing.FILE)
        except FileNotFoundError:
            raise Refused(404, "no_such_link", "nothing was ever signed here") from None
