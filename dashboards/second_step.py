"""The second factor: asked for between two steps at the door, set up and taken away on one's own page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.accounts import totp
from dashboards.accounts.door import Door
from dashboards.accounts.sessions import Session
from dashboards.gate import COOKIE, SESSION
from dashboards.language import say
from dashboards.own_account import stale_session
from dashboards.pages import Pages
from dashboards.sign_in import SignIn, onward, take
from dashboards.who import who

Make = Callable[[Request, FormData | None], Response]


class SecondStep:
    """`/sign-in/second` and `/account/second`."""

    def __init__(self, door: Door, pages: Pages, sign_in: SignIn) -> None:
        self._door, self._pages, self._sign_in = door, pages, sign_in

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/sign-in/second", forms.page(self._second), methods=both),
            Route("/account/second", forms.page(self._own), methods=both),
        ]

    def _second(self, request: Request, form: FormData | None) -> Response:
        session: Session | None = request.scope[SESSION]
        if session is None or not session.step:
            where = onward(request)
            return RedirectResponse("/sign-in" + (f"?next={where}" if where else ""), 303)
        wrong = None
        if form is not None:
            try:
                return self._sign_in.begun(request, self._proved(request, session, forms.text(form, "code")))
            except Refused as error:
                wrong = error
        return self._sign_in.second(request, session, wrong)

    def _proved(self, request: Request, session: Session, code: str) -> str:
        opened, id = self._door.open(), session.account.who.account
        take(self._door, f"second {id}", request)
        way = totp.check(opened.people, id, code)
        if not way:
            opened.sessions.wrong(request.scope[COOKIE])
            raise Refused(403, "code", "that is not the code of now, and none that is left for recovery")
        self._door.names.cleared(f"second {id}")
        return opened.sessions.whole(request.scope[COOKIE], way)

    # One's own.

    def _own(self, request: Request, form: FormData | None) -> Response:
        opened, id = self._door.open(), who(request).account
        account, wrong, codes = opened.people.get(id), None, list[str]()
        secret = totp.draft()
        if form is not None and (stale := stale_session(request, "/account/second", opened)):
            return stale
        if form is not None:
            try:
                act = forms.text(form, "act")
                if act == "set up":
                    draft = bytes.fromhex(forms.text(form, "draft"))
                    secret = opened.store.vault.open(draft, f"totp draft {id}")
                    codes = totp.set_up(opened.people, id, secret, forms.text(form, "code"))
                elif act in ("remove", "recovery"):
                    take(self._door, f"second {id}", request)
                    if not totp.check(opened.people, id, forms.text(form, "code")):
                        raise Refused(403, "code", "that is not the code of now, and none that is left")
                    self._door.names.cleared(f"second {id}")
                    if act == "recovery":
                        codes = totp.recovery(opened.people, id)
                    else:
                        totp.remove(opened.people, id, id)
                        return RedirectResponse("/account", 303)
            except Refused as error:
                wrong = error
            account = opened.people.get(id)
        has = "code" in account.second
        said: dict[str, Any] = {"account": account, "wrong": wrong, "codes": codes, "has": has}
        if not has:
            said["draft"] = opened.store.vault.seal(secret, f"totp draft {id}").hex()
            said["spelt"] = " ".join(totp.spelt(secret)[n : n + 4] for n in range(0, 32, 4))
            said["picture"] = totp.picture(secret, account.login)
        said["left"] = totp.left(opened.people, id)
        page = self._pages.page("own_second.html", "account", title=say("An app as a second factor"), **said)
        return HTMLResponse(page, wrong.status if wrong else 200)
