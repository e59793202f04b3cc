"""`/speed`: how fast pages are and which errors they have, by page, kind of device and country (M47)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import structs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from consent_filter.performance import VITALS
from dashboards import charts, headline, missing, numbers, quartiles
from dashboards.language import later, say
from dashboards.numbers import Numbers
from dashboards.pages import Pages
from dashboards.period import Period
from dashboards.quartiles import BANDS, Speed, speed
from warehouse.report import OTHER

#: What a vital is, for who has not heard of it.
SAYS = {
    "LCP": later("until the largest thing is painted"),
    "INP": later("until the slowest action shows something"),
    "CLS": later("how far things jump"),
    "FCP": later("until the first thing is painted"),
    "TTFB": later("until the server answers"),
    "load": later("until everything is loaded"),
}
KINDS = {
    "promise": later("a rejection that nobody handled"), "resource": later("a file that did not load"),
    "foreign": later("in a script of another origin"), "other": later("of another kind"),
}  # fmt: skip
_CUTS = (("page", later("Pages")), ("device", later("Devices")), ("country", later("Countries")))
_MOST = 15
_SUMS = ", ".join(f"sum({name})::BIGINT AS {name}" for name in ("people", *BANDS))


class SpeedPage:
    """The page on speed and errors."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        return [Route("/speed", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(self.page, request.query_params))

    def page(self, query: Mapping[str, str]) -> str:
        """A site's speed in a period; its parts by one vital, `vital`. Raises Refused."""
        vital = query.get("vital", "LCP")
        if vital not in VITALS:
            raise Refused(400, "vital", "vital is one of {vitals}", vitals=", ".join(VITALS))
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            view = self._pages.view(reading, query)
            ask = Numbers(reading, view.site, view.period)
            spans, why = headline.fair(view, ask.oldest())
            here = structs.replace(view, more={"vital": vital} if vital != "LCP" else {})
            before = _whole(ask, spans[1]) if spans else {}
            return self._pages.page(
                "speed.html", "/speed", title=say("Speed and errors"), **self._pages.shown(here, "/speed") | {
                    "said": why, "vital": vital, "says": SAYS, "kinds": KINDS, "stack": charts.stack,
                    "written": quartiles.said, "least": quartiles.LEAST, "whole": _whole(ask, view.period),
                    "before": before,
                    "cuts": [(cut, title, _parts(ask, vital, cut)) for cut, title in _CUTS],
                    "errors": _errors(ask, "error"), "pages": _errors(ask, "path"),
                    "lacks": missing.of_period(ask, view, self._pages.warehouse.min_group),
                },
            )  # fmt: skip


def _whole(ask: Numbers, span: Period) -> dict[str, Speed]:
    """Vital → of everybody, who has one kind of device at a time."""
    rows = ask.ask("speed", f"vital, {_SUMS}", span, "AND cut = 'device' GROUP BY vital")
    found = {row["vital"]: speed(row["vital"], row) for row in rows if row["vital"] in VITALS}
    return {vital: found[vital] for vital in VITALS if vital in found}


def _parts(ask: Numbers, vital: str, cut: str) -> list[tuple[str, Speed]]:
    """The largest parts with their speed; those of small groups, together, last."""
    rows = ask.ask(
        "speed", f"part, {_SUMS}",
        group=f"AND vital = '{vital}' AND cut = '{cut}' GROUP BY part"
        f" ORDER BY part = '{OTHER}', people DESC, part LIMIT {_MOST:d}",
    )  # fmt: skip
    return [(row["part"], speed(vital, row)) for row in rows]


def _errors(ask: Numbers, key: str) -> list[dict[str, Any]]:
    """Errors by kind, or by page with how many there were to a thousand of its views."""
    rows = ask.ask(
        "page_errors", f"{key} AS name, sum(errors)::BIGINT AS errors, sum(people)::BIGINT AS people",
        group=f"GROUP BY {key} ORDER BY {key} = '{OTHER}', errors DESC, {key} LIMIT {_MOST:d}",
    )  # fmt: skip
    views: dict[str, int] = {}
    if key == "path":
        seen = ask.ask("pages", "path, sum(views)::BIGINT AS views", group="GROUP BY path")
        views = {row["path"]: row["views"] for row in seen if row["path"] != OTHER}
    top = max((row["errors"] for row in rows), default=0) or 1
    return [
        row
        | {
            "share": 100 * row["errors"] / top,
            "rate": 1000 * row["errors"] / views[row["name"]] if views.get(row["name"]) else None,
        }
        for row in rows
    ]
