"""`/funnels`: the funnel of the report, and one of whoever asks, built by clicking.

The address holds the steps. Opening it asks nothing: what was told already is read again, and only the button
spends of the account of these months (docs/funnels.md). Each step, order and window is a link, so that all of
it works by keyboard and without a script.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from msgspec import Struct, structs
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import forms, numbers, steps
from dashboards.kept import Kept
from dashboards.language import say
from dashboards.numbers import Numbers
from dashboards.pages import Pages
from dashboards.period import Period
from dashboards.view import View
from warehouse.answer import render
from warehouse.enquiry import Enquiry
from warehouse.funnel import FEWEST, MOST, WINDOWS, Funnel, Step
from warehouse.reader import Reading


class Own(Struct):
    """A funnel of one's own as far as it was asked. rows: what was told; said: what `Enquiry.follow` says
    beside it; days: which it is of; wrong: why nothing was."""

    steps: tuple[Step, ...]
    within: str
    rows: list[dict[str, Any]] = []
    said: dict[str, Any] = {}
    wrong: Refused | None = None
    days: Period | None = None


class FunnelPage:
    """The page, its form, and the rows as CSV."""

    def __init__(self, pages: Pages, kept: Kept, gate: Enquiry) -> None:
        self._pages, self._kept, self._gate = pages, kept, gate

    def routes(self) -> list[Route]:
        return [
            Route("/funnels", self._page, methods=["GET", "POST"]),
            Route("/funnels/own.csv", self._csv, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        if request.method == "POST":
            return await run_in_threadpool(self._ask, request, await forms.read(request))
        # What was told of a funnel changes with no publication.
        if "steps" in request.query_params:
            return HTMLResponse(await run_in_threadpool(self._made, request.query_params))
        return await run_in_threadpool(
            self._kept.answer, request, lambda asked: self._made(asked.query_params)
        )

    async def _csv(self, request: Request) -> Response:
        def body() -> bytes:
            with self._pages.reader.reading() as reading:
                view = self._pages.view(reading, request.query_params)
            own, table = self._own(view, request.query_params, spend=False)
            if own.wrong is not None or table is None or not own.said["asked"]:
                raise own.wrong or Refused(404, "not_asked", "this funnel was not followed yet")
            return render(table, "csv")

        return Response(await run_in_threadpool(body), media_type="text/csv")

    def _ask(self, request: Request, form: FormData) -> Response:
        """Follow, and show it at its address; or say on the page why not."""
        query = {name: forms.text(form, name) for name in form if name != "word"}
        with self._pages.reader.reading() as reading:
            view = self._pages.view(reading, query)
            own, _ = self._own(view, query, spend=True)
            if own.wrong is not None:
                return HTMLResponse(self._shown(reading, view, own), own.wrong.status)
        return RedirectResponse(_here(view, own).at("/funnels") + "#own", 303)

    def _made(self, query: Mapping[str, str]) -> str:
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            view = self._pages.view(reading, query)
            return self._shown(reading, view, self._own(view, query, spend=False)[0])

    def _own(self, view: View, query: Mapping[str, str], *, spend: bool) -> tuple[Own, pa.Table | None]:
        """What is known of the funnel that an address names, where it names enough steps. Raises Refused for
        what is no funnel."""
        within = query.get("within", WINDOWS[0])
        if within not in WINDOWS:
            raise Refused(400, "within", "within is one of {windows}", windows=", ".join(WINDOWS))
        own = Own(steps.read(query.get("steps", "")), within)
        if len(own.steps) < FEWEST:
            if spend:
                raise Refused(400, "steps", "choose {fewest} steps at least", fewest=FEWEST)
            return own, None
        try:
            asked = Funnel(
                steps=own.steps, within="range" if within == "range" else "day", site=view.site,
                first=view.period.first, last=view.period.last,
            )  # fmt: skip
            table, own.said = self._gate.follow(asked, spend=spend)
        except Refused as error:
            own.wrong = error
            return own, None
        own.rows = _shares(table.to_pylist())
        own.days = Period(date.fromisoformat(own.said["first"]), date.fromisoformat(own.said["last"]), "")
        return own, table

    def _shown(self, reading: Reading, view: View, own: Own) -> str:
        ask, here = Numbers(reading, view.site, view.period), _here(view, own)
        before = Numbers(reading, view.site, view.against).funnel() if view.against else []
        kept = {row["step"]: row["kept"] for row in before}

        def at(some: tuple[Step, ...] | None) -> str | None:
            return None if some is None else here.at("/funnels", steps=steps.written(some)) + "#own"

        chosen = [
            {
                "step": step, "without": at(tuple(one for one in own.steps if one != step)),
                "earlier": at(steps.moved(own.steps, n, -1)), "later": at(steps.moved(own.steps, n, 1)),
            }
            for n, step in enumerate(own.steps)
        ]  # fmt: skip
        accounts = [
            one | {"first": date.fromisoformat(f"{one['month']}-01")} for one in own.said.get("accounts", ())
        ]
        return self._pages.page(
            "funnels.html", "/funnels", title=say("Funnels"), **self._pages.shown(here, "/funnels") | {
                "funnel": [row | {"before": kept.get(row["step"])} for row in ask.funnel()],
                "own": own, "chosen": chosen, "accounts": accounts, "fewest": FEWEST, "most": MOST,
                "left": min((one["left"] for one in accounts), default=0),
                "offered": [one for one in steps.offered(ask) if one not in own.steps],
                "added": lambda one: at((*own.steps, one)),
                "window": lambda one: here.at("/funnels", within=one if one != WINDOWS[0] else None) + "#own",
                "csv": here.at("/funnels/own.csv"), "fields": here.query(),
            },
        )  # fmt: skip


def address(asked: Funnel) -> str:
    """Where the page has that funnel."""
    days = {"first": asked.first, "last": asked.last} if asked.first else {}
    parts = {"site": asked.site, **days, "steps": steps.written(asked.steps), "within": asked.within}
    return f"/funnels?{urlencode({name: said for name, said in parts.items() if said})}#own"


def _here(view: View, own: Own) -> View:
    """The view whose address names the funnel, too."""
    parts = {"steps": steps.written(own.steps), "within": own.within if own.within != WINDOWS[0] else None}
    return structs.replace(view, more={name: said for name, said in parts.items() if said})


def _shares(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each row with `share`, of the first step's people, in percent: the length of its bar; and `off`, by how
    many its number may be off."""
    first = (rows[0]["people"] if rows else None) or 0
    return [
        row | {
            "share": min(100 * (row["people"] or 0) / first, 100) if first else 0,
            "off": None if row["people"] is None
            else max(row["people_high"] - row["people"], row["people"] - row["people_low"]),
        }
        for row in rows
    ]  # fmt: skip
