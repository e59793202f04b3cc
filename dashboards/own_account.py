"""One's own account: where one is signed in, the password, second factors, keys for machines."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms, words
from dashboards.accounts import keys
from dashboards.accounts.door import Door, Opened
from dashboards.accounts.sessions import Session
from dashboards.accounts.totp import left
from dashboards.gate import SESSION
from dashboards.language import say
from dashboards.languages import LANGUAGES
from dashboards.pages import Pages
from dashboards.rights import SCOPES
from dashboards.sign_in import take
from dashboards.who import who


class OwnAccount:
    """`/account` and `/account/keys`."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door, self._pages = door, pages
        pages.templates.filters["clock"] = clock

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/account", forms.page(self._page), methods=both),
            Route("/account/keys", forms.page(self._keys), methods=both),
        ]

    def _page(self, request: Request, form: FormData | None) -> Response:
        opened, wrong, done = self._door.open(), None, ""
        session: Session = request.scope[SESSION]
        if form is not None:
            # A first password needs no other, and with it whoever holds a session could answer the door.
            first = forms.text(form, "act") == "password" and not session.account.has_password
            if first and (stale := stale_session(request, "/account", opened)):
                return stale
            try:
                done = self._act(opened, request, form)
                if not done:
                    return RedirectResponse("/account", 303)
            except Refused as error:
                wrong = error
        account = opened.people.get(who(request).account)
        return self._html(
            "account.html", wrong, title=account.who.name, account=account, done=done,
            session=session, sessions=opened.sessions.list(account.who.account),
            keys=keys.listed(opened.people, account.who.account),
            left=left(opened.people, account.who.account), languages=LANGUAGES,
        )  # fmt: skip

    def _act(self, opened: Opened, request: Request, form: FormData) -> str:
        """What was done, where that does not show by itself. Raises Refused."""
        session: Session = request.scope[SESSION]
        id = session.account.who.account
        match forms.text(form, "act"):
            case "end":
                opened.sessions.end(id, id, only=forms.text(form, "session"))
                return ""
            case "end others":
                opened.sessions.end(id, id, but=session.id)
                return ""
            case "language":
                opened.people.speak(id, forms.text(form, "language"))
                return ""
            case "password":
                take(self._door, f"own {id}", request)
                login, old = session.account.login, forms.raw(form, "old")
                if session.account.has_password and opened.people.check(login, old) is None:
                    raise Refused(403, "password", "that is not the password of now")
                self._door.names.cleared(f"own {id}")
                opened.people.set_password(id, forms.raw(form, "password"))
                opened.sessions.end(id, id, but=session.id)
                return "The password is another one. Whoever was signed in elsewhere is no more"
        raise Refused(400, "act", "there is no such thing to do")

    def _keys(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong, made = self._door.open(), who(request), None, ""
        if form is not None and (stale := stale_session(request, "/account/keys", opened)):
            return stale
        if form is not None:
            try:
                if forms.text(form, "act") == "end":
                    keys.end(opened.people, me.account, forms.text(form, "key"), me.account)
                    return RedirectResponse("/account/keys", 303)
                made = keys.make(
                    opened.people, me, forms.text(form, "name"), forms.several(form, "scope"),
                    sites=forms.text(form, "sites").replace(",", " ").split() or None,
                    per_minute=number(form, "per_minute"), days=number(form, "days"),
                )  # fmt: skip
            except Refused as error:
                wrong = error
        return self._html(
            "account_keys.html", wrong, title=say("Keys for machines"), made=made, scopes=SCOPES,
            keys=keys.listed(opened.people, me.account), most=keys.LONGEST, fastest=keys.FASTEST,
        )  # fmt: skip

    def _html(self, template: str, wrong: Refused | None, **said: Any) -> Response:
        said["wrong"] = wrong
        page = self._pages.page(template, "account", **said)
        return HTMLResponse(page, wrong.status if wrong else 200)


def stale_session(request: Request, back: str, opened: Opened) -> Response | None:
    """To the door and back, where somebody signed in too long ago for what changes who may do what."""
    session: Session = request.scope[SESSION]
    if session.fresh(opened.store.now()):
        return None
    return RedirectResponse(f"/sign-in?again=&next={back}", 303)


def number(form: FormData, name: str) -> int:
    said = forms.text(form, name)
    return int(said) if said.isdecimal() and len(said) < 7 else -1


def clock(at: int) -> str:
    """A moment as people read it."""
    when = datetime.fromtimestamp(at / 1000, UTC)
    return f"{words.day(when)}, {when:%H:%M} UTC"
