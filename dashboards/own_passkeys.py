"""Pages of passkeys: at the door, as the second step, and one's own."""

from __future__ import annotations

from typing import NamedTuple

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.access import WITH_SCRIPTS
from dashboards.accounts import passkeys
from dashboards.accounts.door import Door
from dashboards.accounts.passkeys import Place
from dashboards.accounts.sessions import Session
from dashboards.gate import COOKIE, SESSION
from dashboards.language import say
from dashboards.own_account import stale_session
from dashboards.pages import Pages
from dashboards.sign_in import SignIn
from dashboards.who import WORD, who


class Question(NamedTuple):
    """What a form asks a browser for, and what it must bring back."""

    options: str
    challenge: str


class OwnPasskeys:
    """`/sign-in/passkey` and `/account/passkeys`."""

    def __init__(self, door: Door, pages: Pages, sign_in: SignIn) -> None:
        self._door, self._pages, self._sign_in = door, pages, sign_in
        pages.templates.globals["passkey"] = lambda request, account="": question(door, request, account)

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in/passkey", forms.page(self._enter), methods=["POST"]),
            Route("/account/passkeys", forms.page(self._own), methods=["GET", "POST"]),
        ]

    def _enter(self, request: Request, form: FormData | None) -> Response:
        """Signed in, or the second step taken; else back to the form, which says why not."""
        assert form is not None
        opened, session = self._door.open(), request.scope[SESSION]
        half = session.account.who.account if session is not None and session.step else ""
        here = Place.of(str(request.base_url))
        try:
            self._door.places.take(request.client.host if request.client else "")
            if here is None:
                raise Refused(403, "passkey", "there are no passkeys at this address")
            challenge = self._door.questions.take("get", request.scope[WORD], forms.text(form, "challenge"))
            account = passkeys.check(opened.people, here, forms.raw(form, "credential"), challenge, half)
        except Refused as error:
            return self._sign_in.wrong(request, error)
        self._door.places.cleared(request.client.host if request.client else "")
        if half:
            return self._sign_in.begun(request, opened.sessions.whole(request.scope[COOKIE], "passkey"))
        opened.sessions.leave(request.scope[COOKIE])
        return self._sign_in.begun(request, opened.sessions.begin(account, "passkey"))

    def _own(self, request: Request, form: FormData | None) -> Response:
        opened, id, wrong = self._door.open(), who(request).account, None
        here = Place.of(str(request.base_url))
        if stale := stale_session(request, "/account/passkeys", opened):
            return stale
        if form is not None:
            try:
                if forms.text(form, "act") == "remove":
                    passkeys.remove(opened.people, id, forms.text(form, "passkey"), id)
                elif here is not None:
                    challenge = self._door.questions.take(
                        "create", request.scope[WORD], forms.text(form, "challenge")
                    )
                    name, said = forms.text(form, "name"), forms.raw(form, "credential")
                    passkeys.add(opened.people, id, here, name, said, challenge)
                return RedirectResponse("/account/passkeys", 303)
            except Refused as error:
                wrong = error
        asked = None
        session: Session = request.scope[SESSION]
        if here is not None:
            challenge = self._door.questions.new("create", request.scope[WORD])
            options = passkeys.create_options(opened.people, session.account, here, challenge)
            asked = Question(options, challenge.hex())
        page = self._pages.page(
            "own_passkeys.html", "account", title=say("Passkeys"), wrong=wrong, asked=asked,
            host=request.url.hostname, keys=passkeys.listed(opened.people, id),
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200, WITH_SCRIPTS)


def question(door: Door, request: Request, account: str = "") -> Question | None:
    """What a form at the door asks for; None where this address can have no passkeys, or nobody has one."""
    here, people = Place.of(str(request.base_url)), door.open().people
    if here is None or not people.store.row("SELECT 1 FROM passkey WHERE host = ?", here.host):
        return None
    challenge = door.questions.new("get", request.scope[WORD])
    return Question(passkeys.get_options(people, account, here, challenge), challenge.hex())
