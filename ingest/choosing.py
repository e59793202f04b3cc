"""`/consent`: what somebody has chosen, and choosing; answered when it is durable, also by a receipt."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consent_filter.circumstances import Circumstances
from consent_filter.decide import NO_WORD, Laws, lapsed
from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Entry, Ledger, Recorded
from consent_filter.policy import Pack, Packs
from consent_filter.policy_status import status
from consent_filter.purpose import BY_NAME, names
from consent_filter.raw import Place
from consent_filter.receipt import draw
from consent_filter.signing import Signer
from consent_filter.site import Site, day
from consent_filter.standing import join
from ingest.enrich.place import NOWHERE
from ingest.forwarded import Trust
from ingest.redaction import plain
from ingest.settings import Sites
from ingest.vouching import Vouching

_LARGEST = 8192
#: The header of a token that the site's server has signed (`vouching.py`).
TOKEN = "throng-token"
_Body = TypeVar("_Body", bound=Struct)


class Choice(Struct, forbid_unknown_fields=True):
    """The body of `PUT /consent`: whose choice it is, what was chosen, and where, over which text."""

    site: str
    consent: dict[str, bool]
    device_id: str | None = None
    user_id: str | None = None
    surface: str | UnsetType = UNSET
    locale: str | UnsetType = UNSET
    wording: str | UnsetType = UNSET
    token: str | None = None


class Choosing:
    """Answers `/consent` and `/consent/key`. `look`: what is known of an address, which is then forgotten."""

    def __init__(
        self,
        ledger: Ledger,
        sites: Sites,
        packs: Packs,
        signer: Signer,
        trust: Trust,
        look: Callable[[str], Place],
        vouching: Vouching,
    ) -> None:
        self._ledger, self._sites, self._packs, self._signer = ledger, sites, packs, signer
        self._trust, self._look, self._vouching = trust, look, vouching
        self._laws = Laws(packs)

    async def answer(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method == "PUT":
            return await self._put(request)
        said = request.query_params
        kind, id = who(said.get("user_id"), said.get("device_id"))
        site = self.site(said.get("site", ""))
        await self.vouched(site, kind, id, request.headers.get(TOKEN), once=False)
        entry = self._ledger.get(site, kind, id)
        answer = _said(site, entry, self._packs[site])
        country = self.country(request) if request.headers.get("origin") else None
        if again := self.again(site, [(kind, id)], country):
            answer["again"] = names(again)
        return JSONResponse(answer)

    def again(self, site: str, ids: Sequence[tuple[str, str]], country: str | None) -> int:
        """Purposes that they have agreed to and have to be asked for again (M123), where they are; wherever
        that may be, if nobody knows."""
        turns = self._laws.turns(site)
        word = NO_WORD
        for kind, id in ids:
            word = join(word, self._ledger.now(self._ledger.key(site, kind, id), turns))
        today, _ = day(self._sites[site].timezone, time.time_ns() // 1_000_000)
        found = 0
        for one in ([country] if country else [*self._packs[site].by_country(), "--"]) if word.old else ():
            found |= lapsed(self._laws.of(site, one, today), word)
        return found

    async def _put(self, request: Request) -> Response:
        said = await read(
            request, Choice, "send {site, device_id or user_id, consent: {purpose: true or false}}"
        )
        site = self.site(said.site)
        origin = self.own_page(request, site)
        if unknown := set(said.consent) - set(BY_NAME):
            raise Refused(400, "purpose", f"{len(unknown)} unknown purposes; known: {', '.join(BY_NAME)}")
        kind, id = who(said.user_id, said.device_id)
        await self.vouched(site, kind, id, said.token, once=True)
        pack = self._packs[site]
        told = {name: getattr(said, name) for name in ("surface", "locale", "wording")}
        ids = [id for id in (said.user_id, said.device_id) if id]
        how = circumstances(told, ids, pack, self.country(request) if origin else None)
        now = time.time_ns() // 1_000_000
        try:
            recorded = await run_in_threadpool(
                self._ledger.record, site, kind, id, said.consent, "site", now, how,
                removes=pack.withdrawal == "remove",
            )  # fmt: skip
        except OSError:
            raise Refused(503, "unavailable", "nothing can be stored now; try again") from None
        answer = _said(site, recorded.entry, pack)
        if request.query_params.get("receipt") == "1":
            answer["receipt"] = await run_in_threadpool(self.receipt, recorded, site)
        return JSONResponse(answer, await self.taken())

    async def taken(self) -> int:
        """The status of what was recorded: 202 where other collectors do not know of it yet."""
        return 200 if await run_in_threadpool(self._ledger.everywhere) else 202

    def receipt(self, recorded: Recorded, site: str) -> Any:
        """As it goes into an answer. None where it can't be signed: the choice is made all the same."""
        try:
            key = self._signer.key()
        except (OSError, Broken):
            return None
        # Starlette writes it letter by letter as it was signed.
        return json.loads(draw(recorded.said, recorded.link, self._sites[site], self._packs[site], key))

    async def status(self, request: Request) -> Response:
        """`/privacy/status`: which policy is in force, and which signal does what where (M106)."""
        site = self.site(request.query_params.get("site", ""))
        now = time.time_ns() // 1_000_000
        return JSONResponse(status(site, self._packs.history(site), now))

    async def key(self, request: Request) -> Response:
        """`/consent/key`: what receipts are checked with."""
        try:
            key = await run_in_threadpool(self._signer.key)
        except (OSError, Broken):
            raise Refused(503, "unavailable", "there is no key now; try again") from None
        return JSONResponse(key.public.jwk())

    async def vouched(self, site: str, kind: str, id: str, token: str | None, *, once: bool) -> None:
        """Raises Refused where a site's server says who is signed in, and has not said that it is they."""
        if kind == "user":
            await run_in_threadpool(self._vouching.check, site, id, token, once=once)

    def site(self, name: str) -> str:
        """The id of the site of that name, also of another name of it (M4). Raises Refused."""
        name = self._sites.named(name)
        if name not in self._sites:
            raise Refused(400, "site", "site is missing or not one that is measured here")
        return name

    def own_page(self, request: Request, site: str) -> str | None:
        """The origin of the page that sends this, None where none does. Raises Refused for a strange one."""
        return own_page(request, self._sites[site])

    def country(self, request: Request) -> str | None:
        """Where the visitor's browser is; a site's own server (which names no origin) is not the visitor."""
        peer = request.client.host if request.client else ""
        head = request.headers
        forwarded = (", ".join(head.getlist(name)) for name in ("x-forwarded-for", "forwarded"))
        try:
            found = self._look(self._trust.client(peer, *forwarded)).country
        except Misconfigured:  # a database that turns out to be damaged costs nobody their word
            return None
        return None if found == NOWHERE.country else found


def own_page(request: Request, site: Site) -> str | None:
    """The origin of the page that sends this, None where none does. Raises Refused for a strange one."""
    origin = request.headers.get("origin")
    # The panel's own page; no script can send this header.
    own = request.headers.get("sec-fetch-site") == "same-origin"
    if origin and not own and site.origins and origin not in site.origins:
        raise Refused(403, "origin", "this page's origin is not in the site's list")
    return origin


async def read(request: Request, type: type[_Body], says: str) -> _Body:
    """A small JSON body. Raises Refused, with what should have been sent."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Refused(413, "too_large", "a choice is a small object")
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused(400, "malformed", says) from None


def circumstances(
    told: Mapping[str, str | UnsetType | None], ids: Sequence[str], pack: Pack, country: str | None
) -> Circumstances:
    """Raises Refused for what is no surface, language or text's name, or would name the visitor."""
    how = Circumstances(
        policy=f"{pack.name}/{pack.version}",
        jurisdiction=country,
        regime=pack.regime(country or NOWHERE.country),
        **{name: text for name, text in told.items() if text is not UNSET},
    )
    if how.surface == "officer":
        raise Refused(400, "surface", "a page can't speak as the operator's own people")
    name = how.wording.partition("/")[0] if how.wording else ""
    if plain(name) != name or any(how.names(id) for id in ids):
        raise Refused(400, "wording", "wording and locale are of the text that was shown, not of its reader")
    return how


def who(user: str | None, device: str | None) -> tuple[str, str]:
    """Kind and id: the account's before the browser's. Raises Refused."""
    for kind, id in (("user", user), ("device", device)):
        if id:
            if len(id) > 256:
                raise Refused(400, f"{kind}_id", "an id is a short string")
            return kind, id
    raise Refused(400, "id", "say whose choice it is: device_id or user_id")


def _said(site: str, entry: Entry | None, pack: Pack) -> dict[str, object]:
    chosen = None
    if entry is not None:
        chosen = dict.fromkeys(names(entry.grant), True) | dict.fromkeys(names(entry.deny), False)
    since = entry.since if entry else None
    return {"site": site, "consent": chosen, "since": since, "policy": f"{pack.name}/{pack.version}"}
