"""Routes, the one error shape, and the headers that keep every page to itself."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from consent_filter.counts import REASONS
from consent_filter.errors import Refused
from dashboards import charts, period
from dashboards.numbers import PANELS, Source
from dashboards.settings import Dashboards
from warehouse.query import ask, render
from warehouse.settings import Warehouse
from warehouse.snapshot import manifest

_HERE = Path(__file__).parent
_HEAD = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
}
_EXAMPLES = (
    "SELECT day, people, views FROM traffic_day ORDER BY day DESC",
    "SELECT path, sum(views) AS views FROM pages GROUP BY path ORDER BY views DESC LIMIT 20",
    "SELECT reason, sum(n) AS events FROM refused GROUP BY reason ORDER BY events DESC",
    "SELECT name, title, released FROM reports",
)


class Pages:
    """The pages of one data folder."""

    def __init__(self, data: Path, warehouse: Warehouse, generated: bool) -> None:
        self.data, self.warehouse, self.generated = data, warehouse, generated
        self.source = Source(data, warehouse)
        self.templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=select_autoescape(), trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip
        self.templates.filters["short"] = charts.short

    def page(self, name: str, status: int = 200, **more: Any) -> HTMLResponse:
        found = manifest(self.data)
        at = datetime.fromtimestamp(found["time"], UTC) if found else None
        text = self.templates.get_template(name).render(
            published=found, published_at=at, generated=self.generated, min_group=self.warehouse.min_group, **more
        )
        return HTMLResponse(text, status)

    def overview(self, query: dict[str, str]) -> Response:
        if manifest(self.data) is None:
            return self.page("nothing.html", 200, title="Nothing yet")
        sites = self.source.sites()
        site = query.get("site") if query.get("site") in sites else (sites[0] if sites else "")
        assert site is not None
        newest = self.source.newest(site)
        chosen = period.read(query.get("period"), query.get("first"), query.get("last"), newest)
        labels, people, views = self.source.curve(site, chosen)
        totals, before = self.source.totals(site, chosen), self.source.totals(site, chosen.before())
        lists = [(panel, self.source.panel(panel, site, chosen)) for panel in PANELS]
        return self.page(
            "overview.html",
            title=site or "Overview",
            sites=sites,
            site=site,
            period=chosen,
            presets={"today": "Day", "7": "7 days", "28": "28 days", "90": "90 days"},
            headline=_headline(totals, before),
            chart=charts.line(labels, [("people", people), ("views", views)], "People and page views"),
            curve=list(zip(labels, people, views, strict=True)),
            lists=lists,
            refresh="refresh" in query,
            reasons=REASONS,
        )

    def table(self, name: str, query: dict[str, str]) -> Response:
        if name not in self.source.tables():
            raise Refused(404, "no_such_report", "there is no report of that name; /sql lists them")
        site = query.get("site", "")
        table = self.source.table(f"SELECT * FROM {name} WHERE site = ? ORDER BY ALL", [site])
        return _file(render(table, "csv"), f"{name}.csv")

    def sql(self, query: dict[str, str]) -> Response:
        statement = query.get("q", "").strip()
        shown: dict[str, Any] = {"q": statement, "examples": _EXAMPLES, "answer": None, "wrong": None, "status": 200}
        if statement:
            try:
                table = ask(self.data, statement, self.warehouse)
                if query.get("format") == "csv":
                    return _file(render(table, "csv"), "answer.csv")
                rows = table.slice(0, 500).to_pylist()
                shown["answer"] = {"names": table.column_names, "rows": [list(r.values()) for r in rows], "n": table.num_rows}
            except Refused as error:
                shown["wrong"], shown["status"] = error.message, error.status
        known = ask(self.data, "SELECT name, title, doc, keys, sums, has_people, released FROM reports", self.warehouse)
        status = shown.pop("status")
        return self.page("sql.html", status, title="SQL", reports=known.to_pylist(), **shown)


def _file(body: bytes, name: str) -> Response:
    return Response(body, media_type="text/csv", headers={"content-disposition": f'attachment; filename="{name}"'})


def _headline(now: dict[str, float | None], before: dict[str, float | None]) -> list[dict[str, Any]]:
    """The row of numbers: name, value, change against the period before, and what it means."""

    def ratio(of: dict[str, float | None], part: str, whole: str, times: float = 100.0) -> float | None:
        a, b = of.get(part), of.get(whole)
        return a / b * times if a is not None and b else None

    said = [
        ("Visitors", "people", None, "people a day, added up over days"),
        ("Page views", "views", None, ""),
        ("Visits", "visits", None, ""),
        ("Bounce rate", ("bounces", "visits"), "%", "one page and no action"),
        ("Time a visit", ("duration_ms", "visits"), "s", ""),
        ("Advert clicks", ("clicks", "impressions"), "%", "of impressions"),
        ("Refused", ("refused", "received"), "%", "of what was received"),
    ]
    rows = []
    for title, what, unit, note in said:
        if isinstance(what, str):
            value, old = now.get(what), before.get(what)
            text = "–" if value is None else charts.short(value)
        else:
            times = 0.001 if unit == "s" else 100.0
            value, old = ratio(now, *what, times), ratio(before, *what, times)
            text = "–" if value is None else f"{value:.0f} s" if unit == "s" else f"{value:.1f} %"
        change = (value - old) / old * 100 if value is not None and old else None
        rows.append({"title": title, "text": text, "change": change, "note": note})
    return rows


def create(data: Path, settings: Dashboards, warehouse: Warehouse, *, generated: bool = False) -> Starlette:
    """The ASGI application over one data folder's published tables."""
    pages = Pages(data, warehouse, generated)

    async def overview(request: Request) -> Response:
        return await run_in_threadpool(pages.overview, dict(request.query_params))

    async def sql(request: Request) -> Response:
        return await run_in_threadpool(pages.sql, dict(request.query_params))

    async def table(request: Request) -> Response:
        return await run_in_threadpool(pages.table, request.path_params["name"], dict(request.query_params))

    async def about(request: Request) -> Response:
        return pages.page("about.html", title="About these numbers", data=data.resolve())

    async def health(request: Request) -> Response:
        return JSONResponse({"alive": True})

    async def icon(request: Request) -> Response:
        return RedirectResponse("/static/icon.svg")

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        if "text/html" in request.headers.get("accept", ""):
            return pages.page("wrong.html", error.status, title="Not so", error=error)
        return JSONResponse(error.body(), error.status)

    app = Starlette(
        routes=[
            Route("/", overview),
            Route("/sql", sql),
            Route("/about", about),
            Route("/csv/{name:str}.csv", table),
            Route("/health", health),
            Route("/favicon.ico", icon),
            Mount("/static", StaticFiles(directory=_HERE / "static")),
        ],
        exception_handlers={Refused: refused},
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "testserver", *settings.hosts]),
            Middleware(_Head),
        ],
    )
    return app


class _Head:
    """The same headers on every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def with_head(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(k.encode(), v.encode()) for k, v in _HEAD.items()]
            await send(message)

        await self.app(scope, receive, with_head)
