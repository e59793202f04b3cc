"""`/preferences`: what holds of somebody, why and since when, what they have said so far; and choosing anew.

No id is ever in an address, where proxies and browsers keep it: a GET has it in a header.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote

from msgspec import Struct
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consent_filter.chain import Link
from consent_filter.errors import Refused
from consent_filter.ledger import Entry, Ledger, Recorded
from consent_filter.marketing import CHANNELS
from consent_filter.policy import Pack, Packs
from consent_filter.preferences import Record, acknowledged, history, said, together
from consent_filter.purpose import BY_NAME, names
from consent_filter.signals import SIGNALS
from ingest import storage
from ingest.choosing import TOKEN, Choosing, circumstances, read, who
from ingest.enrich.place import NOWHERE
from ingest.settings import Sites

#: Where somebody changes what they have chosen, and what the ledger calls that surface (M68).
SOURCES = {"account_settings": "account", "panel": "panel"}
#: Headers that say whose preferences are asked for; percent-encoded where an id is not ASCII.
HEADERS = ("throng-user", "throng-device", TOKEN)
_OBJECTING = {"gpc": "sec-gpc", "dnt": "dnt"}


class Change(Struct, forbid_unknown_fields=True):
    """The body of `PUT /preferences`. purposes and channels: name to true or false; one of them at least."""

    site: str
    source: str
    purposes: dict[str, bool] = {}
    channels: dict[str, bool] = {}
    device_id: str | None = None
    user_id: str | None = None
    locale: str | None = None
    wording: str | None = None
    token: str | None = None


class _Asked(NamedTuple):
    site: str
    pack: Pack
    country: str | None
    objecting: list[str]


class Preferring:
    """Answers `/preferences`. `choosing`: who knows sites, places and receipts."""

    def __init__(self, ledger: Ledger, sites: Sites, packs: Packs, choosing: Choosing) -> None:
        self._ledger, self._sites, self._packs, self._choosing = ledger, sites, packs, choosing

    async def answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method == "PUT":
            return await self._put(request)
        if {"user_id", "device_id"} & set(request.query_params):
            raise Refused(400, "id_in_address", f"send an id in a header: {' or '.join(HEADERS[:2])}")
        site = self._choosing.site(request.query_params.get("site", ""))
        told = [_plain(request.headers.get(name)) for name in HEADERS[:2]]
        if told[0]:
            token = request.headers.get(TOKEN)
            await self._choosing.vouched(site, "user", told[0], token, once=False)
        ids = [who(id if kind == "user" else None, id if kind == "device" else None)
               for kind, id in zip(("user", "device"), told, strict=True) if id]  # fmt: skip
        receipts = request.query_params.get("receipts") == "1"
        asked = self._asked(request, site)
        return JSONResponse(await run_in_threadpool(self._said, asked, ids, receipts))

    async def _put(self, request: Request) -> Response:
        change = await read(
            request, Change, "send {site, source, device_id or user_id, purposes: {purpose: true or false}}"
        )
        site = self._choosing.site(change.site)
        self._choosing.own_page(request, site)
        choice, pack = _choice(change), self._packs[site]
        kind, id = who(change.user_id, change.device_id)
        await self._choosing.vouched(site, kind, id, change.token, once=True)
        asked = self._asked(request, site)
        told = {"surface": SOURCES[change.source], "locale": change.locale, "wording": change.wording}
        how = circumstances(told, [id], pack, asked.country)
        now = time.time_ns() // 1_000_000
        try:
            recorded = await run_in_threadpool(
                self._ledger.record, site, kind, id, choice, change.source, now, how
            )
        except OSError:
            raise Refused(503, "unavailable", "nothing can be stored now; try again") from None
        answer = await run_in_threadpool(self._said, asked, [(kind, id)], False)
        answer["receipt"] = await run_in_threadpool(self._choosing.receipt, recorded, site)
        return JSONResponse(answer, await self._choosing.taken())

    def _asked(self, request: Request, site: str) -> _Asked:
        country = self._choosing.country(request) if request.headers.get("origin") else None
        objecting = [
            signal
            for signal, header in _OBJECTING.items()
            if SIGNALS[signal].read(request.headers.get(header)).deny
        ]
        return _Asked(site, self._packs[site], country, objecting)

    def _said(self, asked: _Asked, ids: list[tuple[str, str]], receipts: bool) -> dict[str, Any]:
        pack, site = asked.pack, asked.site
        regime = pack.regime(asked.country or NOWHERE.country)
        one = together([self._ledger.subject(self._ledger.key(site, *id)) for id in ids])
        again = self._choosing.again(site, ids, asked.country)
        one = one._replace(word=one.word._replace(grant=one.word.grant & ~again))
        return {
            "site": site,
            "controller": self._sites[site].controller or None,
            "policy": f"{pack.name}/{pack.version}",
            "text": pack.policy,
            "country": asked.country,
            "regime": regime,
            "kind": pack.regimes[regime].kind,
            "known": one.known,
            "since": None if one.word.erased else one.since,
            "erased": one.word.erased,
            "restricted": one.restricted,
            "objecting": asked.objecting,
            "again": names(again),
            "purposes": said(pack, regime, one, asked.objecting),
            "history": history(one, self._receipts(site, pack) if receipts else None),
            "acknowledged": acknowledged(one),
            "storage": storage.listed(),
        }

    def _receipts(self, site: str, pack: Pack) -> Callable[[int, Record], Any]:
        """Receipts of what is on record: of what was chosen under another pack, only the one given then."""

        def receipt(position: int, record: Record) -> Any:
            if record.get("policy") != f"{pack.name}/{pack.version}":
                return None
            found = self._ledger.find(position)
            if found is None or found.subject is None:
                return None
            link = Link(position, found.commitment, found.subject)
            return self._choosing.receipt(Recorded(Entry(0, 0, record["at"]), record, link), site)

        return receipt


def _choice(change: Change) -> dict[str, bool]:
    """What was chosen, by purpose. Raises Refused."""
    if change.source not in SOURCES:
        raise Refused(400, "source", f"source is one of {', '.join(SOURCES)}")
    if unknown := set(change.purposes) - set(BY_NAME):
        raise Refused(400, "purpose", f"{len(unknown)} unknown purposes; known: {', '.join(BY_NAME)}")
    if unknown := set(change.channels) - set(CHANNELS):
        raise Refused(400, "channel", f"{len(unknown)} unknown channels; known: {', '.join(CHANNELS)}")
    choice = dict(change.purposes)
    for channel, granted in change.channels.items():
        for name in names(CHANNELS[channel]):
            if choice.setdefault(name, granted) != granted:
                raise Refused(400, "channel", "a channel and a purpose of it say two things")
    if not choice:
        raise Refused(400, "purpose", "say at least one purpose or channel")
    return choice


def _plain(id: str | None) -> str | None:
    """An id as it was before it was put into a header."""
    if id is None:
        return None
    try:
        return unquote(id, errors="strict")
    except UnicodeDecodeError:
        raise Refused(400, "id", "an id in a header is percent-encoded UTF-8") from None
