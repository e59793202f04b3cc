"""`/sql` and `/api/sql`: one statement on the released tables, for people and for programs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import curves, forms, replies
from dashboards.access import WITH_SCRIPTS
from dashboards.examples import EXAMPLES
from dashboards.pages import MOST, Pages
from dashboards.saved import LONGEST, Saved
from warehouse.answer import render
from warehouse.meaning import meaning
from warehouse.query import cut

#: Ways to draw an answer, and what they are called.
CHARTS = {"": "No chart", "line": "Line", "bars": "Bars"}


class SqlPage:
    """The page, its programs' side, and the statements that are kept under a name."""

    def __init__(self, data: Path, pages: Pages) -> None:
        self._pages, self._saved = pages, Saved(data)

    def routes(self) -> list[Route]:
        return [
            Route("/sql", self._page, methods=["GET"]),
            Route("/sql/saved", self._keep, methods=["POST"]),
            Route("/api/sql", self._api, methods=["GET", "POST"]),
            Route("/api/sql/tables", self._tables, methods=["GET"]),
        ]

    # For programs.

    async def _api(self, request: Request) -> Response:
        sql, how = await replies.asked(request, "sql"), replies.form(request)
        purpose = request.query_params.get("purpose", "")

        def answer() -> Response:
            begun = time.monotonic()
            found = self._pages.desk.ask(sql, purpose)
            return replies.reply(found, how, {"seconds": round(time.monotonic() - begun, 3)})

        return await run_in_threadpool(answer)

    async def _tables(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self.tables))

    def tables(self) -> dict[str, Any]:
        """Every table with its columns and what they mean: what the editor completes."""
        with self._pages.reader.reading() as reading:
            found = reading.rows(
                "SELECT table_name AS name, t.comment AS says, list({'name': column_name, 'type': data_type}"
                " ORDER BY column_index) AS columns FROM duckdb_columns() JOIN (SELECT table_name, comment"
                " FROM duckdb_tables() WHERE NOT internal) t USING (table_name)"
                " GROUP BY ALL ORDER BY table_name"
            )
        for one in found:
            one["columns"] = [
                {"name": c["name"], "type": c["type"], "says": meaning(c["name"])} for c in one["columns"]
            ]
        return {"tables": found}

    # For people.

    async def _page(self, request: Request) -> Response:
        answer = await run_in_threadpool(self.page, request.query_params)
        if isinstance(answer, bytes):
            head = {"content-disposition": 'attachment; filename="answer.csv"'}
            return Response(answer, media_type="text/csv", headers=head)
        return HTMLResponse(*answer, WITH_SCRIPTS)

    def page(self, query: Mapping[str, str]) -> tuple[str, int] | bytes:
        """The analyst's page, with the answer where a statement was sent; or the answer alone, as CSV."""
        kept = self._saved.get("sql", query["saved"]) if "saved" in query else None
        statement = kept.text if kept else query.get("q", "").strip()
        chart = query.get("chart", "")
        answer, wrong, status, took = None, None, 200, 0.0
        if chart not in CHARTS:
            raise Refused(
                400, "chart", "chart is one of {charts}, or nothing", charts=", ".join(filter(None, CHARTS))
            )
        if statement:
            begun = time.monotonic()
            try:
                answer = self._pages.desk.ask(statement)
                if query.get("format") == "csv":
                    return render(answer, "csv", for_spreadsheets=True)
            except Refused as error:
                wrong, status = error, error.status
            took = time.monotonic() - begun
        else:
            self._pages.desk.ready()
        with self._pages.reader.reading() as reading:
            known = reading.rows("SELECT * FROM reports ORDER BY name")
        asked = urlencode({"q": statement})
        said = {
            "statement": statement, "examples": EXAMPLES, "reports": known, "wrong": wrong, "took": took,
            "most": MOST, "charts": CHARTS, "chart": chart, "saved": self._saved.all("sql"), "kept": kept,
            "again": lambda form: f"/api/sql?{asked}&format={form}", "csv": f"/sql?{asked}&format=csv",
            **answered(answer), **curves.of_statement(answer, chart),
        }  # fmt: skip
        return self._pages.page("sql.html", "sql", title="SQL", **said), status

    async def _keep(self, request: Request) -> Response:
        return await kept(request, self._saved, "sql", "/sql")


async def kept(request: Request, saved: Saved, kind: str, page: str) -> Response:
    """Keep what a form sends, or remove it; then back to the page."""
    form = await forms.read(request, 16 * LONGEST)
    said = {name: forms.text(form, name) for name in ("remove", "name", "q")}

    def change() -> str:
        if remove := said["remove"]:
            saved.remove(kind, remove)
            return page
        return f"{page}?{urlencode({'saved': saved.put(kind, said['name'], said['q']).id})}"

    return RedirectResponse(await run_in_threadpool(change), 303)


def answered(answer: pa.Table | None) -> dict[str, Any]:
    """The first rows of an answer, and which of its columns are numbers."""
    if answer is None:
        return {"names": [], "right": [], "rows": None, "n": 0, "cut": False}
    columns = [column.to_pylist() for column in answer.slice(0, MOST).columns]
    return {
        "names": answer.column_names,
        "right": [curves.number(kind) for kind in answer.schema.types],
        "rows": list(zip(*columns, strict=True)),
        "n": answer.num_rows,
        "cut": cut(answer),
    }
