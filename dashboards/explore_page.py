"""`/explore` and `/api/explore`: a question by the mouse or by the keyboard, answered with released rows.

The page never meets a fact: a question goes to the gate (`warehouse/enquiry.py`) as text, and rows come back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import curves, numbers, replies
from dashboards.access import WITH_SCRIPTS
from dashboards.funnel_page import address
from dashboards.language import say
from dashboards.pages import MOST, Pages
from dashboards.saved import Saved
from dashboards.sql_page import answered, kept
from warehouse import funnel
from warehouse.askable import DIMENSIONS, MEASURES, MOST_KEYS, PEOPLE, PURPOSES, SUBJECTS
from warehouse.enquiry import LEFT, Enquiry
from warehouse.meaning import meaning
from warehouse.question import CLAUSES, TIMES, Condition, Question, made, read
from warehouse.report import OTHER

EXAMPLES = (
    ("Countries of who reads one page", "people, views by country where path = '/' last 28 days"),
    ("Devices, week by week", "people, views by week, device last 90 days"),
    ("What search visitors do first", "people, visits, bounces by entry where referrer_group = 'search'"),
    ("Newsletters by country", "people, visits by utm_campaign, country where utm_source = 'newsletter'"),
    ("Hours on telephones", "people, views by hour where device = 'mobile' order by hour asc"),
    ("Campaigns by device", "people, impressions, clicks by ad_campaign, device"),
)
#: Ways to compare, as the form calls them.
_WAYS = {"is": False, "not": True}


class ExplorePage:
    """The page, its programs' side, and the questions that are kept under a name."""

    def __init__(self, data: Path, pages: Pages) -> None:
        self._pages, self._saved = pages, Saved(data)
        self.gate = Enquiry(data, pages.warehouse)

    def routes(self) -> list[Route]:
        return [
            Route("/explore", self._page, methods=["GET"]),
            Route("/explore/saved", self._keep, methods=["POST"]),
            Route("/api/explore", self._api, methods=["GET", "POST"]),
            Route("/api/explore/words", self._words, methods=["GET"]),
        ]

    def close(self) -> None:
        """End the gate's process."""
        self.gate.close()

    async def _api(self, request: Request) -> Response:
        text, how = await replies.asked(request, "question"), replies.form(request)

        def answer() -> Response:
            begun = time.monotonic()
            if funnel.asks(text):
                # To read is for nothing; to ask what was not asked yet spends, and so is a POST.
                table, said = self.gate.follow(funnel.read(text), spend=request.method == "POST")
                if not said["asked"]:
                    raise Refused(409, "not_asked", "this funnel was not followed yet: POST it, which spends"
                                  " one of the account of each of its months")  # fmt: skip
                return replies.reply(table, how, said)
            table, said = self.gate.ask(read(text))
            said["left_out"] = {
                why: {"days": days, "says": LEFT[why]} for why, days in said["left_out"].items()
            }
            return replies.reply(table, how, {**said, "seconds": round(time.monotonic() - begun, 3)})

        return await run_in_threadpool(answer)

    async def _words(self, request: Request) -> Response:
        """What the editor completes: every measure and dimension, with what it means, and the clauses."""
        tables = [
            {
                "name": one.name, "says": one.title, "silent": True,
                "columns": [
                    {"name": name, "says": meaning(name)} for name in (*one.measures, *one.dimensions)
                ],
            }
            for one in SUBJECTS
        ]  # fmt: skip
        more = {PEOPLE: meaning(PEOPLE)} | dict.fromkeys((*TIMES, *CLAUSES), "")
        plain = [{"name": name, "says": says} for name, says in more.items()]
        return JSONResponse(
            {"tables": [*tables, {"name": "words", "says": "", "silent": True, "columns": plain}]}
        )

    async def _keep(self, request: Request) -> Response:
        return await kept(request, self._saved, "explore", "/explore")

    async def _page(self, request: Request) -> Response:
        if "m" in request.query_params and "q" not in request.query_params:
            question = await run_in_threadpool(composed, request.query_params)
            return RedirectResponse(f"/explore?{urlencode({'q': str(question)})}", 303)
        if funnel.asks(text := request.query_params.get("q", "")):
            return RedirectResponse(address(funnel.read(text)), 303)
        return HTMLResponse(*await run_in_threadpool(self.page, request.query_params), WITH_SCRIPTS)

    def page(self, query: Mapping[str, str]) -> tuple[str, int]:
        """The page, with the answer where a question was asked."""
        of = self._saved.get("explore", query["saved"]) if "saved" in query else None
        text = of.text if of else query.get("q", "").strip()
        question, table, said, wrong, status, took = None, None, dict[str, Any](), None, 200, 0.0
        if text:
            begun = time.monotonic()
            try:
                question = read(text)
                table, said = self.gate.ask(question)
                question = read(said["question"])
            except Refused as error:
                wrong, status = error, error.status
            took = time.monotonic() - begun
        else:
            self.gate.ready()
        with self._pages.reader.reading() as reading:
            sites = numbers.sites(reading)
        if question and table is not None:
            table = _told(question, table, said["days"])
        asked, told = urlencode({"q": said.get("question", text)}), answered(table)
        more: dict[str, Any] = {
            "text": said.get("question", text), "example": EXAMPLES[0][1], "examples": EXAMPLES,
            "wrong": wrong, "took": took, "most": MOST, "saved": self._saved.all("explore"), "kept": of,
            "question": question,
            "sites": sites, "subjects": SUBJECTS, "purposes": PURPOSES, "dimensions": DIMENSIONS,
            "times": TIMES, "keys": MOST_KEYS,
            "said": said, "why": LEFT, "dated": date.fromisoformat,
            "drawn": curves.of_question(question, table),
            "narrow": lambda key, value: _narrowed(question, key, value),
            "again": lambda form: f"/api/explore?{asked}&format={form}",
            **told, "share": _shares(question, table), "other": OTHER,
            "nothing": any(0 in row for row in told["rows"] or ()),
        }  # fmt: skip
        return self._pages.page("explore.html", "explore", title=say("Explore"), **more), status


def composed(query: QueryParams) -> Question:
    """The question that a form says: `m` measures, `by` keys, `for` a purpose, and conditions `k1 o1 v1`,
    `k2 o2 v2`. Raises Refused."""

    def conditions() -> Iterator[Condition]:
        for n in range(1, MOST_KEYS + 1):
            key, values = query.get(f"k{n}", ""), query.get(f"v{n}", "").strip()
            if key and values:
                if key not in DIMENSIONS:
                    raise Refused(
                        400, "dimension", "there are {dimensions}", dimensions=", ".join(DIMENSIONS)
                    )
                parts = tuple(part.strip() for part in values.split("|") if part.strip())
                yield Condition(key, parts, _WAYS.get(query.get(f"o{n}", "is"), False))

    by = [one for one in query.getlist("by") if one in (*DIMENSIONS, *TIMES)]
    if sum(one in TIMES for one in by) > 1:
        raise Refused(400, "bad_question", "one of day, week and month")
    days = [_day(query.get(name, "")) for name in ("first", "last")]
    span: dict[str, Any] = {"first": days[0], "last": days[1]} if all(days) else {}
    measures = [one for one in query.getlist("m") if one in MEASURES]
    purpose, site = query.get("for", ""), query.get("site", "")
    return made(measures, by, conditions(), purpose, site=site, **span)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise Refused(400, "days", "a day is written 2026-09-30") from None


def _narrowed(question: Question | None, key: str, value: object) -> str | None:
    """The address of the same question of one row only: what is clicked becomes a filter."""
    if question is None or value is None or value == OTHER:
        return None
    if key in TIMES:
        if key != "day" or not isinstance(value, date):
            return None
        found = msgspec.structs.replace(
            question, by=tuple(one for one in question.by if one != "day"), first=value, last=value
        )
    else:
        by = tuple(one for one in question.by if one != key)
        where = [one for one in question.where if one.key != key]
        parts: dict[str, Any] = {"site": question.site, "first": question.first, "last": question.last}
        where.append(Condition(key, (str(value),)))
        found = made(question.measures, by, where, question.purpose, **parts)
    return f"/explore?{urlencode({'q': str(msgspec.structs.replace(found, order='', limit=0))})}"


def _told(question: Question, table: pa.Table, days: int) -> pa.Table:
    """The answer as the page has it: in the order of time where it is by that and nothing else was asked for,
    and of how many days a row is only where that can be several."""
    at = curves.clock(question)
    if at and not question.order and not question.limit:
        table = table.sort_by([(at, "ascending"), (question.measures[0], "descending")])
    return table.drop_columns(["days"]) if days == 1 and "days" in table.column_names else table


def _shares(question: Question | None, table: pa.Table | None) -> list[float]:
    """How long each row's bar is, of 100."""
    if question is None or table is None or not table.num_rows:
        return []
    values = [value or 0 for value in table[question.measures[0]].to_pylist()]
    most = max(values) or 1
    return [100 * value / most for value in values]
