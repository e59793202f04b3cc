"""`/notes`: what was written on days of a site."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms
from dashboards.accounts.door import Door
from dashboards.language import say
from dashboards.pages import Pages
from dashboards.sharing import seen
from dashboards.sharing.notes import LONGEST, Notes, marker
from dashboards.sharing.views import owns, query
from dashboards.sharing.views_page import before
from dashboards.who import present, who


class NotesPage:
    """The page; `?site=` chooses whose."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door, self._pages = door, pages
        store = lambda: door.open().store  # noqa: E731
        pages.templates.globals |= {
            "noted": marker(store, present),
            "names": lambda: door.open().people.names(),
        }

    def routes(self) -> list[Route]:
        return [Route("/notes", forms.page(self._page), methods=["GET", "POST"])]

    def _page(self, request: Request, form: FormData | None) -> Response:
        opened, me, wrong, sites = self._door.open(), who(request), None, seen.sites(self._pages)
        notes, text = Notes(opened.store), dict[str, str]()
        if form is not None:
            text = {name: forms.text(form, name) for name in ("act", "note", "site", "day", "text")}
            try:
                match text["act"]:
                    case "add":
                        notes.add(me, text["site"], text["day"], text["text"])
                    case "remove":
                        notes.remove(text["note"], me)
                    case _:
                        raise Refused(400, "act", "there is no such thing to do")
                return RedirectResponse(str(request.url.include_query_params(site=text["site"])), 303)
            except Refused as error:
                wrong = error
        wanted = text.get("site") or request.query_params.get("site") or query(before(request)).get("site")
        site = wanted if wanted in sites else (sites or [""])[0]
        page = self._pages.page(
            "notes.html", "views", title=say("Notes"), wrong=wrong, sites=sites, site=site, longest=LONGEST,
            notes=notes.of(site, me)[::-1], names=opened.people.names(), typed=text,
            mine=lambda one: owns(me, one.account), today=datetime.now(UTC).date(),
        )  # fmt: skip
        return HTMLResponse(page, wrong.status if wrong else 200)
