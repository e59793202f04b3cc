"""Everybody's accounts, for administrators; and the log of who read what, for privacy officers, too."""

from __future__ import annotations

from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms, numbers
from dashboards.accounts import keys, log, passkeys, totp
from dashboards.accounts.door import Door, Opened
from dashboards.accounts.people import Account
from dashboards.language import say
from dashboards.own_account import stale_session
from dashboards.pages import Pages
from dashboards.who import Role, who

#: What each role is for, as the pages say it.
ROLES = {
    Role.ANALYST: "looks at the numbers",
    Role.ADVERTISER: "sees its own adverts",
    Role.INVESTOR: "fetches its own packs",
    Role.PRIVACY_OFFICER: "answers requests about people’s data; reads the log",
    Role.SECURITY: "sees networks that spiked",
    Role.ADMINISTRATOR: "lets others in; reads the log",
}
#: Entries of a page of the log.
_MOST = 200


class Administration:
    """`/accounts`, `/accounts/…` and `/log`."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door, self._pages = door, pages

    def routes(self) -> list[Route]:
        both = ["GET", "POST"]
        return [
            Route("/accounts", forms.page(self._all), methods=both),
            Route("/accounts/{id:str}", forms.page(self._one), methods=both),
            Route("/log", forms.page(self._log), methods=["GET"]),
        ]

    def _all(self, request: Request, form: FormData | None) -> Response:
        opened, wrong = self._door.open(), None
        if form is not None and (stale := stale_session(request, "/accounts", opened)):
            return stale
        if form is not None:
            try:
                roles, sites, advertisers, recipients = _rights(form)
                by = who(request).account
                made = opened.people.add(
                    forms.text(form, "login"), forms.text(form, "name"), roles, sites, by,
                    advertisers, recipients,
                )  # fmt: skip
                return self._shown(request, opened, made, opened.sessions.link(made.who.account, by))
            except Refused as error:
                wrong = error
        return self._html(
            "accounts.html", wrong, title=say("Accounts"), accounts=opened.people.list(), roles=ROLES,
            form=form, sites=self._sites(), gone=opened.people.list(ended=True),
        )  # fmt: skip

    def _one(self, request: Request, form: FormData | None) -> Response:
        opened, id, wrong = self._door.open(), request.path_params["id"], None
        account = opened.people.get(id)
        if form is not None and (stale := stale_session(request, f"/accounts/{id}", opened)):
            return stale
        if form is not None:
            try:
                word = self._act(opened, account, form, who(request).account)
                if word:
                    return self._shown(request, opened, account, word)
                return RedirectResponse(
                    "/accounts" if forms.text(form, "act") == "end" else f"/accounts/{id}", 303
                )
            except Refused as error:
                wrong = error
        return self._shown(request, opened, account, "", wrong)

    def _act(self, opened: Opened, account: Account, form: FormData, by: str) -> str:
        """The word of a link, where one was made. Raises Refused."""
        id = account.who.account
        if account.ended is not None:
            raise Refused(409, "ended", "this account has ended")
        match forms.text(form, "act"):
            case "rights":
                roles, sites, advertisers, recipients = _rights(form)
                opened.people.change(id, roles, sites, by, advertisers, recipients)
            case "link":
                return opened.sessions.link(id, by)
            case "sessions":
                opened.sessions.end(id, by)
            case "second":
                totp.remove(opened.people, id, by)
                passkeys.remove(opened.people, id, "", by)
            case "key":
                keys.end(opened.people, id, forms.text(form, "key"), by)
            case "end":
                opened.people.end(id, by)
            case _:
                raise Refused(400, "act", "there is no such thing to do")
        return ""

    def _shown(
        self, request: Request, opened: Opened, account: Account, word: str, wrong: Refused | None = None
    ) -> Response:
        id = account.who.account
        at = f"{request.url.scheme}://{request.url.netloc}/enter/{word}" if word else ""
        return self._html(
            "accounts_one.html", wrong, title=account.who.name, account=account, roles=ROLES,
            link=at, sites=self._sites(), sessions=opened.sessions.list(id) if not account.ended else [],
            keys=keys.listed(opened.people, id),
        )  # fmt: skip

    def _sites(self) -> list[str]:
        """What is published, as a help to whoever ticks sites."""
        try:
            with self._pages.reader.reading() as reading:
                return [one["site"] for one in numbers.sites(reading)]
        except Refused:
            return []

    def _log(self, request: Request, form: FormData | None) -> Response:
        opened, query = self._door.open(), request.query_params
        said = {name: query.get(name, "")[:100] for name in ("account", "what", "where")}
        before = int(query["before"]) if query.get("before", "").isdecimal() else 0
        found = log.entries(opened.store, before=before, most=_MOST + 1, **said)
        return self._html(
            "log.html", None, title=say("Who read what"), entries=found[:_MOST], said=said,
            names=opened.people.names(), more=found[_MOST - 1].number if len(found) > _MOST else 0,
            whats=WHATS, keep=self._door.settings.log_days, total=log.verify(opened.store),
        )  # fmt: skip

    def _html(self, template: str, wrong: Refused | None, **said: Any) -> Response:
        said["wrong"] = wrong
        here = "log" if template == "log.html" else "accounts"
        return HTMLResponse(self._pages.page(template, here, **said), wrong.status if wrong else 200)


#: Kinds of entries, as the log has them.
WHATS = (
    "read", "sent", "signed in", "sign-in refused", "sessions ended", "password set", "link made",
    "account added", "account changed", "account ended", "second factor added", "second factor removed",
    "recovery code used", "key made", "key ended", "passkey added", "passkey removed",
)  # fmt: skip


def _rights(form: FormData) -> tuple[list[Role], list[str] | None, list[str], list[str]]:
    """Roles, sites (None: all), advertisers and recipients. Raises Refused."""
    roles = [role for role in Role if role in forms.several(form, "role")]
    named = [
        forms.text(form, name).replace(",", " ").split() for name in ("sites", "advertisers", "recipients")
    ]
    sites = [*forms.several(form, "site"), *named[0]]
    return roles, None if forms.text(form, "every") else sites, named[1], named[2]
