"""`/files/…`: a table or a curve to take along, as workbook, Parquet or picture: the page's own rows.

Rights, rounding and days are the page's: it is asked for by the same address, and nothing else is read. A
filter is not cut into files: it is refused, before a file of everybody is taken for one of some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from consent_filter.errors import Refused
from dashboards import numbers, words
from dashboards.language import spoken
from dashboards.numbers import METRICS, Numbers
from dashboards.pages import Pages, chosen
from dashboards.period import Period
from dashboards.sharing import drawn
from dashboards.sharing.workbook import xlsx
from dashboards.view import of_everybody
from warehouse.answer import render

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Bars of a picture, days of a curve, and characters of a label.
BARS, DAYS = 15, 400


class Files:
    """`/files/NAME.xlsx`, `.parquet` and `.png` of a report; `/files/curve.png` of the overview."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def routes(self) -> list[Route]:
        return [
            Route("/files/{name:str}.xlsx", self._answer(self.workbook, "xlsx", _XLSX), methods=["GET"]),
            Route(
                "/files/{name:str}.parquet",
                self._answer(self.parquet, "parquet", "application/vnd.apache.parquet"),
                methods=["GET"],
            ),
            Route("/files/{name:str}.png", self._answer(self.picture, "png", "image/png"), methods=["GET"]),
        ]

    def _answer(self, make: Callable[[str, Mapping[str, str]], bytes], end: str, kind: str) -> Any:
        async def answer(request: Request) -> Response:
            name, query = request.path_params["name"], request.query_params
            of_everybody(query)
            with spoken("en"):  # a file is for programs, and for whoever it is passed on to
                body = await run_in_threadpool(make, name, query)
            head = {"content-disposition": f'attachment; filename="{name}.{end}"'}
            return Response(body, media_type=kind, headers=head)

        return answer

    def parquet(self, name: str, query: Mapping[str, str]) -> bytes:
        return render(self._pages.table(name, query)[0], "parquet")

    def workbook(self, name: str, query: Mapping[str, str]) -> bytes:
        table, about, span = self._pages.table(name, query)
        told = [about["title"], _days(span), about["doc"], about["released"], about["method"]]
        with self._pages.reader.reading() as reading:
            made = datetime.fromtimestamp(reading.made["time"], UTC)
        heads = [words.column(column) for column in table.column_names]
        return xlsx(table, heads, [*told, f"Published {made:%Y-%m-%d %H:%M} UTC"], made)

    def picture(self, name: str, query: Mapping[str, str]) -> bytes:
        if name == "curve":
            return self._curve(query)
        table, about, span = self._pages.table(name, query)
        number = [*about["counts"], *about["sums"]][0]
        keys = [key for key in about["keys"] if key not in ("site", "day")]
        source = f"{_site(table, query)}, {_days(span)}"
        title = f"{about['title']}: {words.column(number)}"
        if not keys:
            rows = table.sort_by("day").to_pylist()
            labels = [f"{row['day']:%-d %b}" for row in rows]
            return drawn.line(labels, [row[number] for row in rows], title, source)
        added = table.group_by(keys).aggregate([(number, "sum")])
        order = [(f"{number}_sum", "descending"), *((key, "ascending") for key in keys)]
        rows = added.sort_by(order).slice(0, BARS).to_pylist()
        labels = [" · ".join(words.value(key, row[key]) for key in keys) for row in rows]
        more = f", the first {BARS} of {added.num_rows}" if added.num_rows > BARS else ""
        return drawn.bars(labels, [row[f"{number}_sum"] for row in rows], title, source + more)

    def _curve(self, query: Mapping[str, str]) -> bytes:
        """The metric that `show` names, by day."""
        metric = METRICS.get(query.get("show", "people"))
        if metric is None:
            raise Refused(400, "metric", "show is one of {metrics}", metrics=", ".join(METRICS))
        with self._pages.reader.reading() as reading:
            site, span = chosen(numbers.sites(reading), query)
            if span.days > DAYS:
                raise Refused(400, "period", "a picture shows {days} days at most", days=DAYS)
            ask = Numbers(reading, site["site"], span, joined=query.get("imported") != "no")
            days = span.all()
            values = [ask.total(metric, Period(day, day, "day")) for day in days]
        labels = [f"{day:%-d %b}" for day in days]
        source = f"{site['site']}, {_days(span)}"
        return drawn.line(labels, values, metric.title, source, metric.unit)


def _days(span: Period) -> str:
    return f"{span.first:%-d %b %Y} to {span.last:%-d %b %Y}"


def _site(table: pa.Table, query: Mapping[str, str]) -> str:
    return str(table["site"][0].as_py()) if table.num_rows else query.get("site", "")
