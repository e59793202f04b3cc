"""`/panel/<name>`: one list, or the head of a page, by itself; how a page that is filtered gets them.

Under a filter the numbers are asked for, and the first question of a kind takes a second: the page is there
at once, and each of its parts comes when it is counted.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import headline, missing, numbers
from dashboards.headline import headed, metric_of
from dashboards.language import gettext, later
from dashboards.narrowed import Narrowed
from dashboards.numbers import Numbers
from dashboards.pages import Pages, presets
from dashboards.panels import BY_NAME
from dashboards.view import PLACES, View
from warehouse.enquiry import Enquiry
from warehouse.reader import Reading

HEAD = "at-a-glance"


class PanelPage:
    """The lists of `panels.py`, and HEAD, of any view. gate: what answers questions."""

    def __init__(self, pages: Pages, gate: Enquiry) -> None:
        self._pages, self._gate = pages, gate

    def routes(self) -> list[Route]:
        return [Route("/panel/{name:str}", self._page, methods=["GET"])]

    async def _page(self, request: Request) -> Response:
        name = request.path_params["name"]
        text, status = await run_in_threadpool(self.page, name, request.query_params)
        return HTMLResponse(text, status)

    def page(self, name: str, query: QueryParams) -> tuple[str, int]:
        """The panel as a page, or with `bare` as what stands in another page. Raises Refused."""
        if name != HEAD and name not in BY_NAME:
            raise Refused(404, "no_such_panel", "there are {names}", names=", ".join((HEAD, *BY_NAME)))
        title = BY_NAME[name].title if name in BY_NAME else later("At a glance")
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing(), 200
            view = self._pages.view(reading, query)
            metric_of(view)
            status, said = 200, dict[str, Any](found=None, head=None, notes=[], wrong=None, said="")
            try:
                said |= self._numbers(name, reading, view)
            except Refused as error:
                status, said["wrong"] = error.status, missing.unknown(error)
        return self._pages.page(
            "panel.html", "overview", title=gettext(title), bare="bare" in query, view=view,
            path=f"/panel/{name}",
            here_path=query["on"] if query.get("on") in PLACES else "/", presets=presets(view),
            lacks=missing.of_list(self._pages.warehouse.min_group, view.period), **said,
        ), status  # fmt: skip

    def _numbers(self, name: str, reading: Reading, view: View) -> dict[str, Any]:
        ask = Numbers(reading, view.site, view.period, joined=view.imported)
        spans, why = headline.fair(view, ask.oldest())
        if not view.where:
            if name == HEAD:
                return {"head": headed(ask.daily, ask.hourly, view, spans), "said": why}
            return {"found": ask.panel(BY_NAME[name], 50, spans), "said": why}
        asked = Narrowed(self._gate.ask, view)
        if name == HEAD:
            return {"head": headed(asked.daily, None, view, spans), "notes": asked.left.notes, "said": why}
        return {"found": asked.panel(BY_NAME[name], 9, spans), "notes": asked.left.notes, "said": why}
