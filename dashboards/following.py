"""`/live` and `/returning`: what happens now, and who comes again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import structs
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import headline, numbers, panels
from dashboards.access import WITH_SCRIPTS
from dashboards.kept import Kept
from dashboards.language import say
from dashboards.numbers import METRICS, Numbers
from dashboards.pages import Pages, grown
from dashboards.period import Period
from dashboards.view import View
from warehouse.reader import Reading

#: Lists of the page on now.
_NOW = (panels.PAGES, panels.SOURCES, panels.COUNTRIES, panels.EVENTS)
_WEEK = timedelta(days=7)


class Following:
    """The two pages."""

    def __init__(self, pages: Pages, kept: Kept) -> None:
        self._pages, self._kept = pages, kept

    def routes(self) -> list[Route]:
        return [
            Route("/live", self._route(self.live, scripts=True), methods=["GET"]),
            Route("/returning", self._route(self.returning), methods=["GET"]),
        ]

    def _route(
        self, make: Callable[[Reading, View, Request], str], *, scripts: bool = False
    ) -> Callable[[Request], Any]:
        def page(request: Request) -> str:
            with self._pages.reader.reading() as reading:
                if not numbers.sites(reading):
                    return self._pages.nothing()
                return make(reading, self._pages.view(reading, request.query_params), request)

        async def answer(request: Request) -> Response:
            head = WITH_SCRIPTS if scripts else None
            return await run_in_threadpool(self._kept.answer, request, page, head)

        return answer

    def live(self, reading: Reading, view: View, request: Request) -> str:
        """The newest day by the hour, beside the same weekday a week before."""
        day = Period(view.newest, view.newest, "day")
        now = structs.replace(
            view, period=day, grain="hour", where=(),
            against=Period(day.first - _WEEK, day.last - _WEEK, "week"),
            show=view.show if view.show in METRICS and METRICS[view.show].hours else "people",
        )  # fmt: skip
        ask = Numbers(reading, view.site, day)
        today = view.newest > view.whole
        hours = ask.hourly(METRICS["people"], day)
        views = ask.hourly(METRICS["views"], day)
        newest = max((hour for _, hour in hours), default=None)
        return self._pages.page(
            "live.html", "/live", title=say("Live"), **self._pages.shown(now, "/live") | {
                "head": headline.headed(ask.daily, ask.hourly, now, None), "today": today, "hour": newest,
                "people": hours.get((view.newest, newest)) if newest is not None else None,
                "views": views.get((view.newest, newest)) if newest is not None else None,
                "clock": datetime.now(UTC).astimezone(ZoneInfo(view.zone)), "day": view.newest,
                "lists": [ask.panel(panel, 6) for panel in _NOW],
                "again": now.at("/live", live="", where=None),
            },
        )  # fmt: skip

    def returning(self, reading: Reading, view: View, request: Request) -> str:
        """Cohorts by weeks, growth, and who is new."""
        ask = Numbers(reading, view.site, view.period, joined=view.imported)
        spans, why = headline.fair(view, ask.oldest())
        return self._pages.page(
            "returning.html", "/returning", title=say("Coming back"),
            **self._pages.shown(view, "/returning") | {
                "retention": ask.retention(14), "said": why,
                "growing": grown({kind: ask.growth(kind) for kind in ("week", "month")}),
                "kinds": ask.panel(panels.RETURNING, fair=spans),
            },
        )  # fmt: skip
