"""The pages of `topics.py`: one route each, all made the same way."""

from __future__ import annotations

from functools import partial
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from dashboards import headline, missing, numbers, topics
from dashboards.access import WITH_SCRIPTS
from dashboards.kept import Kept
from dashboards.language import gettext
from dashboards.numbers import Numbers
from dashboards.pages import Pages
from dashboards.topics import BY_PATH, Topic


class TopicPages:
    """Sources, pages, audience, events, the market, consent."""

    def __init__(self, pages: Pages, kept: Kept) -> None:
        self._pages, self._kept = pages, kept

    def routes(self) -> list[Route]:
        """One for each of TOPICS, by name: what every address gives is written down (`test_ways_out.py`)."""
        return [
            Route("/sources", self._page, methods=["GET"]),
            Route("/pages", self._page, methods=["GET"]),
            Route("/audience", self._page, methods=["GET"]),
            Route("/events", self._page, methods=["GET"]),
            Route("/deals", self._page, methods=["GET"]),
            Route("/consent", self._page, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        topic = BY_PATH[request.url.path]
        head = WITH_SCRIPTS if "where" in request.query_params else None
        return await run_in_threadpool(self._kept.answer, request, partial(self.page, topic), head)

    def page(self, topic: Topic, request: Request) -> str:
        """The page of a view. Raises Refused."""
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            view = self._pages.view(reading, request.query_params)
            headline.metric_of(view)
            said: dict[str, Any] = {"topic": topic, "lacks": None, "keys": "", "left": [], "told": {}}
            if view.where:
                said |= self._pages.narrowed(view, topic.cards, topic.path)
            else:
                ask = Numbers(reading, view.site, view.period, joined=view.imported)
                spans, why = headline.fair(view, ask.oldest())
                said |= self._pages.shown(view, topic.path) | {
                    "said": why,
                    "lacks": missing.of_period(ask, view, self._pages.warehouse.min_group),
                    "head": headline.headed(ask.daily, ask.hourly, view, spans) if topic.head else None,
                    "cards": [
                        [ask.panel(panel, topics.MOST, spans, rates=True) for panel in card]
                        for card in topic.cards
                    ],
                    "told": topics.more(topic, ask, view, spans),
                }
        return self._pages.page(topic.template, topic.path, title=gettext(topic.title), **said)
