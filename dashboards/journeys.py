"""`/journeys`: where visits come from, where they begin and where they end, as flows of a crowd.

One question at the gate (`visits by referrer_group, entry, leave`): rows of groups, and whatever is too small
is one. No path of anybody is anywhere: three facts of a visit are counted together, not its steps.
"""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import numbers, sankey, words
from dashboards.access import WITH_SCRIPTS
from dashboards.language import gettext, later, refusal, say
from dashboards.missing import of_list, unknown
from dashboards.narrowed import Narrowed, fits
from dashboards.pages import Pages
from dashboards.period import Period
from dashboards.sankey import Flow
from dashboards.view import View
from warehouse.askable import MOST_KEYS
from warehouse.enquiry import Enquiry
from warehouse.report import OTHER

#: Dimensions of visits in the order of a visit, and what a column of them is called.
_COLUMNS = {
    "referrer_group": later("came from"), "entry": later("began at"), "leave": later("ended at"),
}  # fmt: skip
#: Blocks of a column, the rest of which is one, and rows of the table.
_BLOCKS, _ROWS = 7, 60
_REST, _FEW = later("all others"), later("too few to tell apart")


class Journeys:
    """gate: what answers questions."""

    def __init__(self, pages: Pages, gate: Enquiry) -> None:
        self._pages, self._gate = pages, gate

    def routes(self) -> list[Route]:
        return [Route("/journeys", self._page, methods=["GET"])]

    async def _page(self, request: Request) -> Response:
        query = request.query_params
        text = await run_in_threadpool(self.page, query)
        return HTMLResponse(text, headers=None if "bare" in query else WITH_SCRIPTS)

    def page(self, query: QueryParams) -> str:
        """The page, which is there at once; with `bare` the flows, when they are counted. Raises Refused."""
        with self._pages.reader.reading() as reading:
            if not numbers.sites(reading):
                return self._pages.nothing()
            view = self._pages.view(reading, query)
        said: dict[str, Any] = {
            "bare": "bare" in query,
            "flows": [],
            "wrong": None,
            "notes": [],
            "before": None,
        }
        if said["bare"]:
            try:
                said |= self._flows(view)
            except Refused as error:
                said["wrong"] = unknown(error)
        shown = self._pages.shown(view, "/journeys")
        return self._pages.page("journeys.html", "/journeys", title=say("Journeys"), **shown | said)

    def _flows(self, view: View) -> dict[str, Any]:
        where = [one.key for one in view.where]
        room = MOST_KEYS - len({*where} - _COLUMNS.keys())
        keys = [*_COLUMNS][-room:]
        if len(keys) < 2:
            raise Refused(400, "narrow", "a question has three words at most: take a filter away")
        if why := fits(keys, view.where):
            raise Refused(400, "apart", why)
        asked = Narrowed(self._gate.ask, view)
        rows = self._rows(asked, keys, view.period)
        flows = folded(rows, keys, rows)
        before, apart = self._before(asked, keys, view, rows)
        titles = [gettext(_COLUMNS[key]) for key in keys]
        title = say("Visits, {flow}, {days}", flow=" → ".join(titles), days=words.days(view.period))
        rest = (gettext(_REST), gettext(_FEW))
        return {
            "chart": sankey.drawn(flows, titles, title, rest),
            "flows": sorted(flows, key=lambda one: -one.number)[:_ROWS],
            "titles": titles,
            "whole": sum(one.number for one in flows), "notes": [*asked.left.notes, *apart],
            "before": before,
            "lacks": of_list(self._pages.warehouse.min_group, view.period),
        }  # fmt: skip

    @staticmethod
    def _rows(asked: Narrowed, keys: list[str], period: Period) -> list[Flow]:
        rows = asked.rows(["visits"], keys, period)
        return [Flow(tuple(str(row[key]) for key in keys), row["visits"]) for row in rows]

    def _before(
        self, asked: Narrowed, keys: list[str], view: View, now: list[Flow]
    ) -> tuple[dict[tuple[str, ...], int] | None, list[str]]:
        """How many visits each flow had on the days compared with, in the same blocks; or why that is not
        told. Sums of as many days only: a missing day would look like a loss."""
        if view.against is None:
            return None, []
        try:
            then = self._rows(asked, keys, view.against)
        except Refused as error:
            return None, [say("Not compared: {why}.", why=refusal(error))]
        days, others = asked.told[view.period], asked.told[view.against]
        if days != others:
            return None, [
                say(
                    "Not compared: of these days {now} can be told, and of those before {then}.",
                    now=days,
                    then=others,
                )
            ]
        return {one.values: one.number for one in folded(then, keys, now)}, []


def folded(flows: list[Flow], keys: list[str], like: list[Flow]) -> list[Flow]:
    """The same with the smaller values of each column as one, and values as people read them. `like`: the
    flows whose largest values are shown."""
    largest = []
    for column in range(len(keys)):
        sums: dict[str, int] = {}
        for one in like:
            if one.values[column] != OTHER:
                sums[one.values[column]] = sums.get(one.values[column], 0) + one.number
        largest.append(set(sorted(sums, key=lambda value: (-sums[value], value))[:_BLOCKS]))
    found: dict[tuple[str, ...], int] = {}
    rest, few = gettext(_REST), gettext(_FEW)
    for one in flows:
        values = tuple(
            few if value == OTHER else words.value(keys[n], value) if value in largest[n] else rest
            for n, value in enumerate(one.values)
        )
        found[values] = found.get(values, 0) + one.number
    return [Flow(values, number) for values, number in found.items()]
