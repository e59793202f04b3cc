"""Pages between us and the issuer, where one is configured: there, and back."""

from __future__ import annotations

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Misconfigured, Refused
from dashboards import forms
from dashboards.accounts.door import Door
from dashboards.accounts.issuer import Elsewhere
from dashboards.accounts.sessions import ISSUER
from dashboards.gate import COOKIE
from dashboards.sign_in import SignIn, onward
from dashboards.who import WORD


class ElsewherePages:
    """`/sign-in/elsewhere` and `/sign-in/back`."""

    def __init__(self, door: Door, sign_in: SignIn) -> None:
        self._door, self._sign_in = door, sign_in
        self._issuer = Elsewhere(door.data, door.settings.issuer)

    def routes(self) -> list[Route]:
        return [
            Route("/sign-in/elsewhere", forms.page(self._there), methods=["GET"]),
            Route("/sign-in/back", forms.page(self._back), methods=["GET"]),
        ]

    def _there(self, request: Request, form: FormData | None) -> Response:
        try:
            back = f"{request.base_url}sign-in/back"
            return RedirectResponse(self._issuer.begin(request.scope[WORD], back, onward(request)), 303)
        except (Refused, Misconfigured) as error:
            return self._wrong(request, error)

    def _back(self, request: Request, form: FormData | None) -> Response:
        opened = self._door.open()
        try:
            account, where = self._issuer.end(opened.people, request.scope[WORD], request.query_params)
        except (Refused, Misconfigured, OSError) as error:
            return self._wrong(request, error)
        opened.sessions.leave(request.scope[COOKIE])
        word = opened.sessions.begin(account.who.account, ISSUER)
        return self._sign_in.begun(request, word, where)

    def _wrong(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, Refused):
            error = Refused(502, "issuer", "the issuer is not set up rightly: throng check")
        return self._sign_in.wrong(request, error)
