"""`/rights`: asking for one's own data, proving who one is, and fetching the answer; answered when durable.

No answer says whether anything is held about anybody, or whether anybody has asked, before it is proved who
asks: what an answer holds depends on the request alone. The numbers and secrets are random; what opens the
answer is given to who has proved it, as who asked may be somebody else.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from consent_filter.errors import Broken, Misconfigured, Refused
from consent_filter.ledger import Ledger
from consent_filter.policy import Packs
from consent_filter.pseudonym import Keyring
from consent_filter.raw import Place
from consent_filter.rights.case import Case
from consent_filter.rights.office import Office, told
from consent_filter.rights.proof import UNGUESSABLE, Code, Device, Proof, Token, ways
from consent_filter.rights.register import Register
from consent_filter.rights.settings import Rights
from consent_filter.signing import Signer
from ingest.choosing import own_page
from ingest.enrich.place import NOWHERE
from ingest.forwarded import Trust
from ingest.limits import Rate
from ingest.metrics import Metrics
from ingest.rights_page import HEAD, asks, proved, standing, wrong
from ingest.settings import Sites

_LARGEST = 16_384
_T = TypeVar("_T")


class Asked(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /rights`."""

    site: str
    right: str
    user_id: str | None = None
    device_id: str | None = None
    email: str | None = None
    text: str | None = None
    purposes: list[str] | None = None
    channels: list[str] | None = None
    changes: dict[str, str] | None = None
    minor: bool | None = None
    past: bool | None = None
    about: list[str] = []
    token: str | None = None


class Proved(Struct, forbid_unknown_fields=True, kw_only=True):
    """The body of `POST /rights/{request}/proof`: one of the three."""

    token: str | None = None
    code: str | None = None
    device_id: str | None = None

    def proof(self) -> Proof:
        given = [
            Token(self.token) if self.token is not None else None,
            Code(self.code) if self.code is not None else None,
            Device(self.device_id) if self.device_id is not None else None,
        ]
        found = [one for one in given if one is not None]
        if len(found) != 1:
            raise Refused(400, "proof", "send one of token, code, device_id")
        return found[0]


class Requesting:
    """Answers all below `/rights`. The register is opened when it is first needed: no event waits for it."""

    def __init__(
        self,
        data: Path,
        settings: Rights,
        ledger: Ledger,
        keys: Keyring,
        sites: Sites,
        packs: Packs,
        signer: Signer,
        trust: Trust,
        look: Callable[[str], Place],
        metrics: Metrics,
    ) -> None:
        self._data, self._settings = data, settings
        self._parts = (ledger, keys, sites, packs, signer)
        self._sites, self._trust, self._look, self._metrics = sites, trust, look, metrics
        self._rate = Rate(settings.rate, settings.burst)
        self._lock = threading.Lock()
        self._office: Office | None = None
        self._teller: threading.Thread | None = None

    def office(self) -> Office:
        """Raises OSError or Broken where the register cannot be opened; asked again, it tries again."""
        with self._lock:
            if self._office is None:
                self._office = Office(Register.open(self._data, self._settings), *self._parts)
            return self._office

    def tidy(self) -> None:
        """Close, empty, and carry out what was left; called now and then. Nothing where nobody ever asked."""
        if self._office is not None or (self._data / "rights.sqlite").exists():
            office = self.office()
            office.register.tidy()
            office.carrying.all()
            if self._teller is None or not self._teller.is_alive():
                # Apart: a mail server that hangs must not hold up who looks at slow clients.
                self._teller = threading.Thread(target=self._tell, args=(office,), daemon=True)
                self._teller.start()
            self._metrics.rights = office.register.counts()

    def _tell(self, office: Office) -> None:
        with suppress(OSError, Broken, Refused, sqlite3.ProgrammingError):  # the last: closed meanwhile
            office.tell()

    def close(self) -> None:
        if self._teller is not None:
            self._teller.join(2.0)
        if self._office is not None:
            self._office.register.close()

    async def receive(self, request: Request) -> Response:
        """`POST /rights`."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        self._allow(request)
        said = await _read(
            request, Asked, "send {site, right, user_id or device_id, …}; docs/rights.md lists the rest"
        )
        said.site = self._sites.named(said.site)
        if said.site not in self._sites:
            raise Refused(400, "site", "site is missing or not one that is measured here")
        origin = own_page(request, self._sites[said.site])
        kind = "user" if said.user_id else "device"
        id = said.user_id or said.device_id or ""
        if not id and said.right != "complaint":
            raise Refused(400, "id", "say whose data it is about: device_id or user_id")
        proof: Proof | None = Token(said.token) if said.token is not None else None
        if proof is None and kind == "device" and len(id) >= UNGUESSABLE and said.right != "guardian":
            proof = Device(id)  # who sends it, holds it
        detail = {name: getattr(said, name) for name in ("purposes", "channels", "changes", "minor", "past")}
        if said.right == "object":
            detail["country"] = self._country(request) if origin else None

        def enter() -> tuple[Case, str]:
            office = self.office()
            case = office.receive(
                said.site, said.right, kind, id, detail=detail, email=said.email, text=said.text,
                about=said.about, proof=proof,
            )  # fmt: skip
            return case, office.register.secret(case.id, answer=proof is not None)

        case, secret = await self._do(enter)
        answer = told(case, answer=proof is not None) | {"secret": secret}
        mails = bool(self._settings.mail_host) and case.vouched
        if case.state == "unproved":
            answer["prove"] = [
                way
                for way in ways(case.right, kind, mailed=mails)
                if way != "device" or len(id) >= UNGUESSABLE
            ]
        task = BackgroundTask(self._send, case.id) if mails and case.state == "unproved" else None
        return JSONResponse(answer, 202, background=task)

    async def state(self, request: Request) -> Response:
        """`GET /rights/{request}`: where it stands."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        self._allow(request)
        id, secret = request.path_params["request"], _secret(request)

        def look() -> dict[str, Any]:
            register = self.office().register
            try:
                return told(register.opened(id, secret, answer=True), answer=True)
            except Refused:
                return told(register.opened(id, secret), answer=False)

        if not _page(request):
            return JSONResponse(await self._do(look))
        try:
            said = await self._do(look)
        except Refused as error:
            return Response(wrong(error.message), error.status, HEAD, "text/html")
        return Response(standing(said, secret), 200, HEAD, "text/html")

    async def answer(self, request: Request) -> Response:
        """`GET /rights/{request}/answer`: the answer itself, for who has proved who they are."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        self._allow(request)
        id, secret = request.path_params["request"], _secret(request)

        def fetch() -> tuple[str, bytes]:
            register = self.office().register
            case = register.opened(id, secret, answer=True)
            if case.open:
                raise Refused(409, "not_done", "it is not answered yet")
            found = register.answer(case.id)
            if found is None:
                raise Refused(404, "no_answer", "there is nothing to fetch: see the state of the request")
            return found

        try:
            media, body = await self._do(fetch)
        except Refused as error:
            if not _page(request):
                raise
            return Response(wrong(error.message), error.status, HEAD, "text/html")
        name = f"{id}.{'zip' if media == 'application/zip' else 'json'}"
        head = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
        return Response(body, headers=head, media_type=media)

    async def proof(self, request: Request) -> Response:
        """`POST /rights/{request}/proof`."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        self._allow(request)
        said = await _read(request, Proved, "send one of token, code, device_id")
        case, secret = await self._prove(request.path_params["request"], said.proof())
        return JSONResponse(told(case, answer=True) | {"secret": secret})

    async def code(self, request: Request) -> Response:
        """`POST /rights/{request}/code`: another code, if there is an address to send it to."""
        if request.method == "OPTIONS":
            return Response(status_code=204)
        self._allow(request)
        id, secret = request.path_params["request"], _secret(request)
        case = await self._do(lambda: self.office().register.opened(id, secret))
        return JSONResponse({"request": id}, 202, background=BackgroundTask(self._send, case.id))

    async def confirm(self, request: Request) -> Response:
        """`/rights/{request}/confirm`: the page behind the link of a mail; only its button acts."""
        id = request.path_params["request"]
        if request.method not in ("GET", "HEAD", "POST"):
            raise Refused(405, "method", "send GET or POST")
        try:
            if request.method != "POST":
                return Response(asks(id, request.query_params.get("code", "")), 200, HEAD, "text/html")
            self._allow(request)
            said = parse_qs((await _body(request)).decode("latin-1"))
            case, secret = await self._prove(id, Code(said.get("code", [""])[0]))
        except Refused as error:
            return Response(wrong(error.message), error.status, HEAD, "text/html")
        return Response(proved(case, secret), 200, HEAD, "text/html")

    async def _prove(self, id: str, proof: Proof) -> tuple[Case, str]:
        def prove() -> tuple[Case, str]:
            office = self.office()
            case = office.prove(id, proof)
            return case, office.register.secret(case.id, answer=True)

        return await self._do(prove)

    async def _do(self, what: Callable[[], _T]) -> _T:
        try:
            return await run_in_threadpool(what)
        except Refused as error:
            self._metrics.requests[error.code] += 1
            raise
        except (OSError, Broken):
            raise Refused(503, "unavailable", "nothing can be stored now; try again") from None

    def _send(self, id: str) -> None:
        self.office().send_code(id)

    def _allow(self, request: Request) -> None:
        if not self._rate.allows(self._client(request)):
            raise Refused(429, "rate", "too many requests from one address; try again later")

    def _client(self, request: Request) -> str:
        peer = request.client.host if request.client else ""
        forwarded = (", ".join(request.headers.getlist(name)) for name in ("x-forwarded-for", "forwarded"))
        return self._trust.client(peer, *forwarded)

    def _country(self, request: Request) -> str | None:
        try:
            found = self._look(self._client(request)).country
        except Misconfigured:
            return None
        return None if found == NOWHERE.country else found


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Refused(413, "too_large", f"a request has at most {_LARGEST} bytes")
    return body


async def _read(request: Request, type: type[_T], says: str) -> _T:
    body = await _body(request)
    try:
        return msgspec.json.decode(body, type=type)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused(400, "malformed", says) from None


def _page(request: Request) -> bool:
    """Whether a person looks, and not a program."""
    return "text/html" in request.headers.get("accept", "")


def _secret(request: Request) -> str:
    """In the header, or in the query, where a person follows a link."""
    kind, _, said = request.headers.get("authorization", "").partition(" ")
    return said.strip() if kind.lower() == "bearer" else request.query_params.get("secret", "")
