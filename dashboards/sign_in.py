"""In and out: by a password, by a link that is good once, and the first account of all."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.access import WITH_SCRIPTS
from dashboards.accounts import log
from dashboards.accounts.door import Door
from dashboards.accounts.people import Account
from dashboards.accounts.sessions import CHOOSE, SET_UP, Session
from dashboards.gate import COOKIE, SESSION, cookie_name
from dashboards.language import say
from dashboards.pages import Pages
from dashboards.rights import home, rule

#: What prints a link, of a name.
LINK = "throng access link"
#: Said of every wrong name, password and mixture of both.
_WRONG = Refused(403, "sign_in", "that is no name and password of an account")


class SignIn:
    """`/sign-in`, `/sign-out` and `/enter/…`. console: the officer's console is there. link: the command
    that prints links, as a terminal of this machine takes it."""

    def __init__(self, door: Door, pages: Pages, *, console: bool, link: str = LINK) -> None:
        self._door, self._pages, self._console, self._link = door, pages, console, link

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in", forms.page(self._sign_in), methods=["GET", "POST"]),
            Route("/sign-out", forms.page(self._sign_out), methods=["POST"]),
            Route("/enter/{word:str}", forms.page(self._enter), methods=["GET", "POST"]),
        ]

    def _sign_in(self, request: Request, form: FormData | None) -> Response:
        session: Session | None = request.scope[SESSION]
        again = session is not None and "again" in request.query_params
        if session is not None and form is None and not again:
            return self.inside(request, session)
        known, wrong = session.account if session is not None and again else None, None
        login = known.login if known is not None else ""
        if form is not None:
            login = forms.text(form, "login")
            try:
                return self._checked(request, login, forms.raw(form, "password"))
            except Refused as error:
                wrong = error
        return self._door_page(request, login, wrong, again=known)

    def _door_page(
        self, request: Request, login: str, wrong: Refused | None, *, again: Account | None = None
    ) -> Response:
        """again: who is signed in, and asked for the password once more."""
        return self._html(
            "sign_in.html", wrong.status if wrong else 200, title=say("Sign in"), login=login, wrong=wrong,
            empty=not self._door.open().people.any(), next=onward(request), issuer=self._door.settings.issuer,
            again=again, request=request, command=self._prints(again) if again else "",
        )  # fmt: skip

    def _prints(self, one: Account) -> str:
        """The command by which an account that has no way to sign in gets one; "" where it has one."""
        if one.has_password or "passkey" in one.second or self._door.settings.issuer.address:
            return ""
        return f"{self._link} {shlex.quote(one.login)}"

    def wrong(self, request: Request, error: Refused) -> Response:
        """The door again, and why somebody was not let in; or the second step, after the first."""
        session: Session | None = request.scope[SESSION]
        if session is not None and session.step:
            return self.second(request, session, error)
        return self._door_page(request, "", error)

    def second(self, request: Request, session: Session, wrong: Refused | None) -> Response:
        """The page of the second step."""
        said = {"account": session.account, "wrong": wrong, "next": onward(request), "request": request}
        return self._html("second.html", wrong.status if wrong else 200, title=say("The second step"), **said)

    def _checked(self, request: Request, login: str, password: str) -> Response:
        """Whoever has to wait is told so before anything is looked at: right and wrong look the same."""
        opened, name = self._door.open(), f"name {login.casefold()}"
        take(self._door, name, request)
        account = opened.people.check(login, password)
        if account is None:
            found = opened.people.find(login)
            log.note(opened.store, found.who.account if found else "", "sign-in refused", status=403)
            raise _WRONG
        self._door.names.cleared(name)
        opened.sessions.leave(request.scope[COOKIE])
        word = opened.sessions.begin(account.who.account, "password", half=bool(account.second))
        return self.begun(request, word)

    def _sign_out(self, request: Request, form: FormData | None) -> Response:
        self._door.open().sessions.leave(request.scope[COOKIE])
        answer = RedirectResponse("/sign-in", 303)
        answer.delete_cookie(cookie_name(request, self._door.open().cookie))
        # What a browser has kept of the pages goes, too.
        answer.headers["clear-site-data"] = '"cache"'
        return answer

    def _enter(self, request: Request, form: FormData | None) -> Response:
        """Only the button acts: scanners of mail and browsers that fetch ahead follow links."""
        opened, word = self._door.open(), request.path_params["word"]
        what, account = opened.sessions.behind(word)
        wrong, said = None, dict[str, str]()
        if form is not None:
            said = {name: forms.text(form, name) for name in ("login", "name")}
            try:
                chosen = forms.raw(form, "password")
                if what != SET_UP:
                    return self.begun(request, opened.sessions.use(word, chosen))
                made = opened.sessions.set_up(word, said["login"], said["name"], chosen)
                return self.begun(request, made)
            except Refused as error:
                wrong = error
        return self._html(
            "enter.html", wrong.status if wrong else 200,
            title=say("Set up") if what == SET_UP else say("Sign in"),
            what=what, account=account, wrong=wrong, said=said, chooses=what in (SET_UP, CHOOSE),
        )  # fmt: skip

    # Where to go then.

    def begun(self, request: Request, word: str, where: str = "") -> Response:
        """Signed in, or half: the cookie, and the next page."""
        opened = self._door.open()
        session = opened.sessions.find(word)
        assert session is not None
        answer = self.inside(request, session, where)
        secure = request.url.scheme == "https"
        answer.set_cookie(
            cookie_name(request, opened.cookie), word, max_age=self._door.settings.session_hours * 3600,
            path="/", httponly=True, samesite="lax", secure=secure,
        )  # fmt: skip
        return answer

    def inside(self, request: Request, session: Session, where: str = "") -> Response:
        where = where or onward(request)
        if session.step:
            return RedirectResponse("/sign-in/second" + (f"?next={where}" if where else ""), 303)
        return RedirectResponse(where or home(session.account.who.roles, console=self._console), 303)

    def _html(self, template: str, status: int, **said: Any) -> Response:
        return HTMLResponse(self._pages.page(template, "sign-in", **said), status, WITH_SCRIPTS)


def take(door: Door, name: str, request: Request) -> None:
    """One more try by that name, and from where it comes. Raises Refused where either has to wait."""
    door.places.take(request.client.host if request.client else "")
    door.names.take(name)


def onward(request: Request) -> str:
    """The page that was asked for before signing in: one of ours, or ""."""
    said = request.query_params.get("next", "")
    path = said.partition("?")[0]
    plain = said.startswith("/") and not said.startswith("//") and "\\" not in said and said.isprintable()
    one = rule(path)
    if (
        path == "/sign-out"
        or not plain
        or ".." in PurePosixPath(path).parts
        or one is None
        or one.roles is None
    ):
        return ""
    return said
