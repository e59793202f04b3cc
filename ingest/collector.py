"""The collector's ordinary pages: the beacon, the banner's choice, health, metrics. Events take `fast.py`."""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable
from importlib.resources import files

import brotli
import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from consent_filter.ledger import Entry, Ledger
from consent_filter.policy import Packs
from consent_filter.purpose import BY_NAME, names
from ingest.metrics import Metrics
from ingest.settings import Sites

_LONG = "public, max-age=86400, stale-while-revalidate=604800"


class Choice(Struct, forbid_unknown_fields=True):
    """The body of `PUT /consent`: whose choice it is, and what was chosen."""

    site: str
    consent: dict[str, bool]
    device_id: str | None = None
    user_id: str | None = None


class Script:
    """The beacon in each encoding, made once."""

    def __init__(self) -> None:
        self.plain = (files("ingest") / "beacon" / "t.js").read_bytes()
        self.etag = f'"{hashlib.sha256(self.plain).hexdigest()[:20]}"'
        self.encoded = {
            "br": brotli.compress(self.plain, quality=11),
            "gzip": gzip.compress(self.plain, 9, mtime=0),
        }

    def answer(self, request: Request) -> Response:
        head = {
            "etag": self.etag,
            "cache-control": _LONG,
            "vary": "accept-encoding",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=head)
        accepted = {
            one.split(";")[0].strip() for one in request.headers.get("accept-encoding", "").split(",")
        }
        for name, body in self.encoded.items():
            if name in accepted:
                head["content-encoding"] = name
                return Response(body, media_type="text/javascript", headers=head)
        return Response(self.plain, media_type="text/javascript", headers=head)


def create(
    ledger: Ledger, sites: Sites, packs: Packs, metrics: Metrics, *, version: str, dashboards: str | None,
    ready: Callable[[], bool],
) -> Starlette:  # fmt: skip
    """The ASGI application behind every address that takes no events."""
    script = Script()

    async def beacon(request: Request) -> Response:
        return script.answer(request)

    async def health(request: Request) -> Response:
        ok = ready()
        return JSONResponse({"alive": True, "ready": ok, "version": version}, 200 if ok else 503)

    async def numbers(request: Request) -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    async def gpc(request: Request) -> Response:
        return JSONResponse({"gpc": True, "lastUpdate": "2026-11-23"})

    async def home(request: Request) -> Response:
        return RedirectResponse(dashboards) if dashboards else PlainTextResponse("Throng collects here.\n")

    async def choice(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204)
        if request.method == "PUT":
            return await _put(request, ledger, sites, packs)
        said = request.query_params
        kind, id = _who(said.get("user_id"), said.get("device_id"))
        site = _site(sites, said.get("site", ""))
        return _said(site, ledger.get(site, kind, id), packs)

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        later = {"retry-after": "2"} if error.status == 503 else None
        return JSONResponse(error.body(), error.status, headers=later)

    app = Starlette(
        routes=[
            Route("/", home),
            Route("/t.js", beacon),
            Route("/health", health),
            Route("/metrics", numbers),
            Route("/consent", choice, methods=["GET", "PUT", "OPTIONS"]),
            Route("/.well-known/gpc.json", gpc),
            *[
                Route(path, _preflight, methods=["OPTIONS"])
                for path in ("/e", "/ad/impression", "/ad/viewable", "/ad/click")
            ],
        ],
        exception_handlers={Refused: refused},
    )
    app.add_middleware(_Cors)
    return app


async def _preflight(request: Request) -> Response:
    return Response(status_code=204)


class _Cors:
    """Any page may ask; no credentials are ever used, so there is nothing to steal by asking."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        async def with_head(message: dict) -> None:  # type: ignore[type-arg]
            if message["type"] == "http.response.start" and scope["path"] != "/t.js":
                message["headers"] += [
                    (b"access-control-allow-origin", b"*"),
                    (b"access-control-allow-methods", b"GET, POST, PUT, OPTIONS"),
                    (b"access-control-allow-headers", b"content-type"),
                    (b"access-control-max-age", b"86400"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)  # type: ignore[operator]

        await self.app(scope, receive, with_head)  # type: ignore[operator]


async def _put(request: Request, ledger: Ledger, sites: Sites, packs: Packs) -> Response:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > 8192:
            raise Refused(413, "too_large", "a choice is a small object")
    try:
        said = msgspec.json.decode(body, type=Choice)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused(
            400, "malformed", "send {site, device_id or user_id, consent: {purpose: true or false}}"
        ) from None
    site = _site(sites, said.site)
    origin = request.headers.get("origin")
    if origin and sites[site].origins and origin not in sites[site].origins:
        raise Refused(403, "origin", "this page's origin is not in the site's list")
    if unknown := set(said.consent) - set(BY_NAME):
        raise Refused(400, "purpose", f"{len(unknown)} unknown purposes; known: {', '.join(BY_NAME)}")
    kind, id = _who(said.user_id, said.device_id)
    now = time.time_ns() // 1_000_000
    try:
        entry = await run_in_threadpool(ledger.put, site, kind, id, said.consent, "site", now)
    except OSError:
        raise Refused(503, "unavailable", "nothing can be stored now; try again") from None
    return _said(site, entry, packs)


def _site(sites: Sites, name: str) -> str:
    if name not in sites:
        raise Refused(400, "site", "site is missing or not one that is measured here")
    return name


def _who(user: str | None, device: str | None) -> tuple[str, str]:
    for kind, id in (("user", user), ("device", device)):
        if id:
            if len(id) > 256:
                raise Refused(400, f"{kind}_id", "an id is a short string")
            return kind, id
    raise Refused(400, "id", "say whose choice it is: device_id or user_id")


def _said(site: str, entry: Entry | None, packs: Packs) -> Response:
    pack = packs[site]
    chosen = None
    if entry is not None:
        chosen = dict.fromkeys(names(entry.grant), True) | dict.fromkeys(names(entry.deny), False)
    since = entry.since if entry else None
    return JSONResponse(
        {"site": site, "consent": chosen, "since": since, "policy": f"{pack.name}/{pack.version}"}
    )
