"""The collector's ordinary pages: beacon, choices, unsubscribing, rights, health. Events take `fast.py`."""

from __future__ import annotations

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from ingest.acknowledging import Acknowledging
from ingest.choosing import Choosing
from ingest.looking import Looking
from ingest.metrics import Metrics
from ingest.preferring import HEADERS, Preferring
from ingest.protocols import ROUTES
from ingest.rights import Requesting
from ingest.scripts import SCRIPTS, PanelPage, Script
from ingest.secured import Secured
from ingest.settings import Ingest
from ingest.unsubscribe import Unsubscribing

_HEADERS = ", ".join(("content-type", "authorization", *HEADERS)).encode()
#: What the router answers by itself, as our own refusals have it.
_LOST = {404: ("no_such_address", "nothing is here"), 405: ("method", "this address takes another method")}
_ANY = ["GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"]


def create(
    choosing: Choosing,
    preferring: Preferring,
    acknowledging: Acknowledging,
    panel: PanelPage,
    unsubscribing: Unsubscribing,
    requesting: Requesting,
    looking: Looking,
    metrics: Metrics,
    settings: Ingest,
    *,
    version: str,
    dashboards: str | None,
    ready: Callable[[], bool],
) -> Starlette:
    """The ASGI application behind every address that takes no events."""

    async def health(request: Request) -> Response:
        ok = ready()
        return JSONResponse({"alive": True, "ready": ok, "version": version}, 200 if ok else 503)

    async def numbers(request: Request) -> Response:
        return PlainTextResponse(metrics.text(), media_type="text/plain; version=0.0.4")

    async def gpc(request: Request) -> Response:
        return JSONResponse({"gpc": True, "lastUpdate": "2026-11-23"})

    async def home(request: Request) -> Response:
        return RedirectResponse(dashboards) if dashboards else PlainTextResponse("Throng collects here.\n")

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        later = {"retry-after": "2"} if error.status == 503 else None
        return JSONResponse(error.body(), error.status, headers=later)

    async def lost(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code, says = _LOST[error.status_code]
        head = {**(error.headers or {})}
        return JSONResponse(Refused(error.status_code, code, says).body(), error.status_code, headers=head)

    app = Starlette(
        routes=[
            Route("/", home),
            *[Route(f"/{name}", Script(name).answer) for name in SCRIPTS],
            Route("/privacy", panel.answer),
            Route("/privacy/status", choosing.status),
            Route("/health", health),
            Route("/metrics", numbers),
            Route("/consent/key", choosing.key),
            Route("/consent", choosing.answer, methods=["GET", "PUT", "OPTIONS"]),
            Route("/preferences", preferring.answer, methods=["GET", "PUT", "OPTIONS"]),
            Route("/acknowledgement", acknowledging.answer, methods=["POST", "OPTIONS"]),
            # Every path below, so that no slash at the end is answered by a redirection.
            Route("/unsubscribe", unsubscribing.answer, methods=_ANY),
            Route("/unsubscribe/{token:path}", unsubscribing.answer, methods=_ANY),
            Route("/rights", requesting.receive, methods=["POST", "OPTIONS"]),
            Route("/rights/{request}", requesting.state, methods=["GET", "OPTIONS"]),
            Route("/rights/{request}/answer", requesting.answer, methods=["GET", "OPTIONS"]),
            Route("/rights/{request}/proof", requesting.proof, methods=["POST", "OPTIONS"]),
            Route("/rights/{request}/code", requesting.code, methods=["POST", "OPTIONS"]),
            Route("/rights/{request}/confirm", requesting.confirm, methods=["GET", "POST"]),
            Route("/.well-known/gpc.json", gpc),
            Route("/ad/go", looking.answer, methods=["HEAD"]),
            *[
                Route(path, _preflight, methods=["OPTIONS"])
                for path, (methods, _) in ROUTES.items()
                if "POST" in methods
            ],
        ],
        exception_handlers={Refused: refused, **dict.fromkeys(_LOST, lost)},
    )
    app.add_middleware(Secured, settings=settings)
    app.add_middleware(_Cors)
    return app


async def _preflight(request: Request) -> Response:
    return Response(status_code=204)


_CACHED = {f"/{name}" for name in SCRIPTS}


class _Cors:
    """Any page may ask; no credentials are ever used, so there is nothing to steal by asking."""

    def __init__(self, app: object) -> None:
        self.app = app

    async def __call__(self, scope: dict, receive: object, send: object) -> None:  # type: ignore[type-arg]
        async def with_head(message: dict) -> None:  # type: ignore[type-arg]
            if message["type"] == "http.response.start" and scope["path"] not in _CACHED:
                message["headers"] += [
                    (b"access-control-allow-origin", b"*"),
                    (b"access-control-allow-methods", b"GET, POST, PUT, OPTIONS"),
                    (b"access-control-allow-headers", _HEADERS),
                    (b"access-control-max-age", b"86400"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)  # type: ignore[operator]

        await self.app(scope, receive, with_head)  # type: ignore[operator]
