"""By which names the pages may be asked for, and by whose pages: before it is looked who asks (`gate.py`).

By a name for outsiders there is what a signed link opens, or an advertiser's or recipient's account, and no
more (M53). The server binds loopback; what this is against is the browser of somebody who may see the pages,
made by a stranger's page to ask for us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent_filter.errors import Refused
from consent_filter.transport import hsts
from dashboards.rights import rule

#: What machines change, with a token.
_API = "/api/adverts"
#: What there is for whoever comes from outside: what a signed link opens, what is an advertiser's or a
#: recipient's who signs in, and our own style. An address, or all that begin with it where it ends with `/`.
OUTSIDE = (
    "/advertiser/", "/partner/", "/packs/", "/shared/", "/unlock/", "/mails/stop/", "/static/",
    "/favicon.ico", "/health", "/sign-in", "/sign-in/", "/sign-out", "/enter/", "/mine", "/mine/",
    "/account", "/account/",
)  # fmt: skip
_LOCAL = ("127.0.0.1", "localhost", "[::1]")
_HOST = re.compile(rb"(\[[0-9a-fA-F:.]+\]|[^:]*)(?::\d{1,5})?")
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
#: What a page says that has scripts of ours, as its own head: no other's, and none within the page.
WITH_SCRIPTS = {"content-security-policy": f"{POLICY}; script-src 'self'; connect-src 'self'"}
_HEAD = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), browsing-topics=()"),
]  # fmt: skip


def bearer(request: Request) -> str:
    """The token by which somebody says to have a role; "" where there is none."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


class Access:
    """Lets pass what is for us, to read, and asked for by our own pages or by a person; sets headers.

    A Host that we don't know is a stranger's name pointed at this machine (DNS rebinding). A request that
    another site's page makes, and not a person who follows a link, could only be there to make us work or to
    measure us (Fetch Metadata).
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = (),
        *,
        outside: Iterable[str] = (),
        hsts_days: int = 0,
    ) -> None:
        self._app = app
        self._line = hsts(hsts_days)
        self._outside = {host.lower().encode() for host in outside}
        self._hosts = {host.lower().encode() for host in (*_LOCAL, *hosts)} | self._outside

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def with_head(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [
                    *message["headers"], *((name, value) for name, value in _HEAD if name not in there)
                ]  # fmt: skip
                if self._line and scope["scheme"] == "https" and not _local(scope):
                    message["headers"].append(self._line)
                if b"cache-control" not in there:
                    # Of pages nothing stays behind; what is the same for everyone is asked for anew each
                    # time, and sent again where it is another file.
                    kept = b"no-cache" if scope["path"].startswith("/static/") else b"no-store"
                    message["headers"].append((b"cache-control", kept))
            await send(message)

        wrong = self._wrong(scope)
        if wrong is None:
            await self._app(scope, receive, with_head)
        else:
            await _answer(wrong, dict(scope["headers"]))(scope, receive, with_head)

    def _wrong(self, scope: Scope) -> Refused | None:
        head = dict(scope["headers"])
        found = _HOST.fullmatch(head.get(b"host", b""))
        if found is None or found[1].lower() not in self._hosts:
            return Refused(
                421,
                "host",
                "this server does not answer to that name; names besides localhost: [dashboards] hosts",
            )
        if found[1].lower() in self._outside and not _outside(scope["path"]):
            return Refused(404, "no_such_page", "there is no such page")
        if scope["method"] not in ("GET", "HEAD"):
            if scope["path"] == _API and b"authorization" in head:
                return None  # a token is looked at there; no browser sends one by itself
            one = rule(scope["path"])
            if one is None or not one.post or scope["method"] != "POST":
                return Refused(405, "method", "these pages can only be read")
            # Only a form of our own page. Its word is looked at where it is read (`forms.py`).
            site, origin = head.get(b"sec-fetch-site"), head.get(b"origin", b"")
            ours = origin.partition(b"://")[2] == head[b"host"]
            if site not in (None, b"same-origin") or (origin and not ours):
                return Refused(403, "other_site", "another site's page may not do this")
        if head.get(b"sec-fetch-site") == b"cross-site" and head.get(b"sec-fetch-mode") != b"navigate":
            return Refused(403, "other_site", "another site's page may not ask for this")
        return None


def _answer(wrong: Refused, head: dict[bytes, bytes]) -> Response:
    """The one shape for a program; the sentence for a browser, which gets no page before it is let in."""
    if b"text/html" in head.get(b"accept", b""):
        return PlainTextResponse(wrong.message + "\n", wrong.status)
    return JSONResponse(wrong.body(), wrong.status)


def _outside(path: str) -> bool:
    return path in OUTSIDE or any(path.startswith(one) for one in OUTSIDE if one.endswith("/"))


def _local(scope: Scope) -> bool:
    """Whether it was asked for as localhost, whose other ports must not be held to TLS (RFC 6797, 8.3)."""
    found = _HOST.fullmatch(dict(scope["headers"]).get(b"host", b""))
    return found is None or found[1].lower().decode("latin-1") in _LOCAL
