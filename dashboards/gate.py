"""The gate: who asks, whether they may, and that they did. Before every route, and on every answer.

What is refused here is refused before a page does anything. What was read is in the log before the first byte
of it goes out.
"""

from __future__ import annotations

import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consent_filter.errors import Refused
from dashboards.access import bearer
from dashboards.accounts import keys, log
from dashboards.accounts.door import Door
from dashboards.accounts.sessions import ISSUER, Session
from dashboards.language import spoken
from dashboards.rights import Rule, home, rule
from dashboards.who import NOBODY, SCOPE, WORD, Who, here
from warehouse.report import load

#: Where the gate writes into a request the session by which somebody is signed in, and its word.
SESSION, COOKIE = "throng.session", "throng.cookie"
#: Pages for who is signed in and has yet to set up a second factor that their role needs.
_ALWAYS = ("/account", "/account/", "/sign-out")
#: What of an address's query goes into the log, if it looks like a name or a day: nothing that is free text.
_FILTERS = (
    "site", "period", "first", "last", "show", "campaign", "format", "compare", "grain", "month", "page",
)  # fmt: skip
_PLAIN = re.compile(r"[\w.,:@ -]{1,64}")
_NAME = re.compile(r"\w+")
#: Seconds in which a page that is asked for again is one reading; one that loads itself again, too.
_ONE, _LIVE = 60.0, 600.0


class Asked(NamedTuple):
    """made: a cookie for forms that has to be set."""

    who: Who
    session: Session | None
    cookie: str
    word: str
    made: str


class Gate:
    """refused: what makes the answer of an error."""

    def __init__(
        self, app: ASGIApp, door: Door, refused: Callable[[Request, Exception], Awaitable[Response]]
    ) -> None:
        self._app, self._door, self._refused = app, door, refused
        self._scribe = log.Scribe(lambda: door.open().store)
        self._read: OrderedDict[tuple[str, str], float] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, one = Request(scope), rule(scope["path"])
        if one is not None and one.roles is None and not one.post and not one.path.startswith("/security"):
            await self._app(scope, receive, send)  # nobody is looked up for a style sheet, or for a link
            return
        asked, no = await run_in_threadpool(self._look, request, one)
        scope[SCOPE], scope[WORD] = asked.who, asked.word
        scope[SESSION], scope[COOKIE] = asked.session, asked.cookie

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                if asked.made:
                    message["headers"] = [
                        *message["headers"],
                        (b"set-cookie", self._form_cookie(request, asked)),
                    ]
                if one is not None and one.log and asked.who.account:
                    # Most readings are of a page that was read a moment ago: no thread is waited for.
                    status = (
                        200 if message["status"] == 304 else message["status"]
                    )  # they read what they have
                    if self._another(request, one, asked.who, status):
                        await run_in_threadpool(self._note, request, one, asked.who, status)
            await send(message)

        with here(asked.who, asked.word), spoken(asked.who.language):
            if no is not None:
                await (await self._no(request, no))(scope, receive, noted)
                return
            await self._app(scope, receive, noted)

    def _look(self, request: Request, one: Rule | None) -> tuple[Asked, Refused | None]:
        """Who asks, and why they may not; in one go, as a thread is waited for each time."""
        asked = self._ask(request)
        try:
            self._let(one, asked)
        except Refused as error:
            return asked, error
        return asked, None

    def _ask(self, request: Request) -> Asked:
        opened = self._door.open()
        if token := bearer(request):
            return Asked(keys.find(opened.people, token) or NOBODY, None, "", "", "")
        name = cookie_name(request, opened.cookie)
        cookie = request.cookies.get(name, "")
        session = opened.sessions.find(cookie)
        if session is not None:
            word = opened.store.vault.hash("word", cookie.encode()).hex()
            whole = NOBODY if session.step else session.account.who
            return Asked(whole, session, cookie, word, "")
        form = request.cookies.get(f"{name}_form", "")
        made = "" if form else secrets.token_urlsafe(16)
        word = opened.store.vault.hash("form", (form or made).encode()).hex()
        return Asked(NOBODY, None, "", word, made)

    def _let(self, one: Rule | None, asked: Asked) -> None:
        """Raises Refused where they may not."""
        who = asked.who
        if one is not None and one.roles is None:
            return
        if not who.account:
            raise Refused(401, "sign_in", "sign in first, or send an API key: Authorization: Bearer …")
        if one is None:
            raise Refused(404, "no_such_page", "there is no such page")
        if who.key:
            if wait := self._door.pace.take(who.key, who.per_minute):
                raise Refused(
                    429,
                    "too_often",
                    "this key may ask {per_minute} times a minute: wait {wait} s",
                    per_minute=who.per_minute,
                    wait=f"{wait:.0f}",
                )
            if not one.scope or one.scope not in who.scopes:
                raise Refused(
                    403,
                    "scope",
                    "this key is not for that: it is for {names}",
                    names=", ".join(sorted(who.scopes)),
                )
        if self._lacks(asked) and one.path not in _ALWAYS:
            raise Refused(403, "second_factor", "your role needs a second factor: set one up first")
        if not who.has(*one.roles or ()):
            raise Refused(
                403, "role", "this page is for the role {roles}", roles=" or ".join(sorted(one.roles or ()))
            )
        if one.every_site and who.sites is not None:
            raise Refused(
                403, "every_site", "this page is about all sites at once, and you may see some of them"
            )

    def _lacks(self, asked: Asked) -> bool:
        """Whether a role needs a second factor that is not there; an issuer sees to its own."""
        session = asked.session
        needs = any(role in asked.who.roles for role in self._door.settings.second_factor)
        return session is not None and needs and session.way != ISSUER and not session.account.second

    async def _no(self, request: Request, error: Refused) -> Response:
        program = request.url.path.startswith("/api/")
        pages = not program and "text/html" in request.headers.get("accept", "")
        if pages and error.status == 401 and not bearer(request):
            return RedirectResponse(f"/sign-in?next={quote(_here(request), safe='')}", 303)
        if pages and error.code == "second_factor":
            return RedirectResponse("/account/second", 303)
        if pages and error.code == "role" and request.url.path == "/":
            who: Who = request.scope[SCOPE]
            return RedirectResponse(home(who.roles, console=True), 303)
        answer = await self._refused(request, error)
        if error.status == 401:
            answer.headers["www-authenticate"] = "Bearer"
        return answer

    def _another(self, request: Request, one: Rule, who: Who, status: int) -> bool:
        """Whether this is another reading than the last of theirs."""
        if request.method not in ("GET", "HEAD") or who.key:
            return True
        query, where = request.query_params, _where(request.url.path, one)
        now, this = time.monotonic(), (who.account, f"{where} {status}?{query}")
        since = now - self._read.get(this, -_LIVE)
        if since < (_LIVE if "live" in query else _ONE):
            return False
        self._read[this] = now
        self._read.move_to_end(this)
        while len(self._read) > 5000:
            self._read.popitem(last=False)
        return True

    def _note(self, request: Request, one: Rule, who: Who, status: int) -> None:
        query, where = request.query_params, _where(request.url.path, one)
        what = "read" if request.method in ("GET", "HEAD") else "sent"
        self._scribe.note(who.account, what, where, status=status, key=who.key, **_narrowed(query))

    def _form_cookie(self, request: Request, asked: Asked) -> bytes:
        name = cookie_name(request, self._door.open().cookie)
        secure = "; Secure" if request.url.scheme == "https" else ""
        return f"{name}_form={asked.made}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()


def cookie_name(request: Request, name: str) -> str:
    """`__Host-` where it came encrypted: browsers take that from this host alone (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{name}" if request.url.scheme == "https" else name


def _here(request: Request) -> str:
    if request.method not in ("GET", "HEAD"):
        return "/"
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _where(path: str, one: Rule) -> str:
    """The page, without what may stand for a person or a secret."""
    if not one.path.endswith("/") or one.path == "/":
        return one.path
    rest = path.removeprefix(one.path)
    return path if rest.partition(".")[0] in load() else f"{one.path}…"


def _narrowed(query: QueryParams) -> dict[str, str]:
    said = {name: query[name] if _PLAIN.fullmatch(query[name]) else "…" for name in _FILTERS if name in query}
    if statement := query.get("q"):
        said["tables"] = ", ".join(sorted(set(_NAME.findall(statement)) & load().keys()))
    return said
