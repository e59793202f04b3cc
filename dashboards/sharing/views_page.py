"""`/views`: the views that are kept, and keeping the page that somebody has just looked at."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.accounts.door import Door
from dashboards.language import say
from dashboards.pages import Pages
from dashboards.sharing import mails_page, shares_page
from dashboards.sharing.views import Views, owns, placed
from dashboards.who import who


class ViewsPage:
    """`/views`, and `/views/ID`, which goes on to the page."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door, self._pages = door, pages

    def routes(self) -> list[Route]:
        return [
            Route("/views", forms.page(self._list), methods=["GET", "POST"]),
            Route("/views/{id:str}", forms.page(self._open), methods=["GET"]),
        ]

    def _open(self, request: Request, form: FormData | None) -> Response:
        """The gate asks again there, of whoever opens it."""
        one = Views(self._door.open().store).get(request.path_params["id"], who(request))
        return RedirectResponse(one.address, 303)

    def _list(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong, text = self._door.open(), who(request), None, dict[str, str]()
        views = Views(opened.store)
        if form is not None:
            text = {name: forms.text(form, name) for name in ("act", "view", "name", "address", "house")}
            try:
                match text["act"]:
                    case "keep":
                        views.keep(me, text["name"], text["address"], house=bool(text["house"]))
                    case "change":
                        views.change(text["view"], me, text["name"], house=bool(text["house"]))
                    case "remove":
                        views.remove(text["view"], me)
                    case _:
                        raise Refused(400, "act", "there is no such thing to do")
                return RedirectResponse("/views", 303)
            except Refused as error:
                wrong = error
        kept = views.all(me)
        page = self._pages.page(
            "views.html", "views", title=say("Saved views"), wrong=wrong, views=kept,
            shareable={one.id for one in kept if shares_page.can(one)},
            mailable={one.id for one in kept if mails_page.can(one)},
            names=opened.people.names(), mine=lambda one: owns(me, one.account),
            address=text.get("address") or request.query_params.get("of") or before(request),
            typed=text.get("name", "") if text.get("act") == "keep" else "",
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200)


def before(request: Request) -> str:
    """The page of numbers from which somebody has come here, as browsers say it among pages of one host;
    "" where it was none."""
    said = urlsplit(request.headers.get("referer", ""))
    if said.netloc != request.headers.get("host"):
        return ""
    try:
        return placed(said.path + (f"?{said.query}" if said.query else ""))
    except Refused:
        return ""
