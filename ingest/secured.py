"""The collector's ordinary pages over an encrypted way: refused in clear where they must be; HSTS (M102)."""

from __future__ import annotations

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent_filter.errors import Refused
from consent_filter.transport import hsts
from ingest.rejects import REJECTS
from ingest.settings import Ingest

#: What monitors ask for, on the same machine or network: nothing of anybody is in it.
_ALWAYS = frozenset(("/health", "/metrics"))
#: What takes or gives an id, a word or a request of somebody.
_OF_SOMEBODY = ("/consent", "/preferences", "/acknowledgement", "/unsubscribe", "/rights", "/privacy/status")


class Secured:
    """Around the application. The scheme is the connection's, or what a trusted proxy says (`fast.py`)."""

    def __init__(self, app: ASGIApp, settings: Ingest) -> None:
        self._app, self._only = app, settings.https_only
        self._line = hsts(settings.hsts_days)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["scheme"] != "https":
            if self._refuses(scope["path"]):
                reject = REJECTS["clear"]
                error = Refused(reject.status, "clear", reject.message)
                await JSONResponse(error.body(), error.status)(scope, receive, send)
            else:
                await self._app(scope, receive, send)
            return

        async def with_line(message: Message) -> None:
            if message["type"] == "http.response.start" and self._line:
                message["headers"] = [*message["headers"], self._line]
            await send(message)

        await self._app(scope, receive, with_line)

    def _refuses(self, path: str) -> bool:
        if self._only == "no" or path in _ALWAYS:
            return False
        return self._only == "all" or path.startswith(_OF_SOMEBODY)
