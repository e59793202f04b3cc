"""What a share link shows: its view's tables as they may be told outside, locked to what it was made for.

Nothing in an address changes what is shown. A page of another site may have it in a frame where the link
names that site; there browsers keep no cookies, so that a password opens another signed word for an hour.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qs

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import Signer
from dashboards import charts, words
from dashboards.access import POLICY
from dashboards.accounts.door import Door
from dashboards.language import say
from dashboards.outside import outside
from dashboards.pages import Pages
from dashboards.settings import Dashboards
from dashboards.sharing.shares import PER_MINUTE, Share, Shares, Told
from dashboards.sign_in import take
from warehouse import link, outward, own_rows
from warehouse.answer import render
from warehouse.reader import Reading

#: Rows of a table that the page shows; bytes of a form with a password; milliseconds that it opens a link.
MOST, _LARGEST, _OPEN = 50, 2_000, 3_600_000


class SharedPage:
    """`/shared/WORD`, its tables as CSV, and `/unlock/WORD`, which takes a password."""

    def __init__(self, door: Door, pages: Pages, settings: Dashboards) -> None:
        self._door, self._pages, self._longest = door, pages, settings.share_days
        self._signer = Signer(door.data / signing.FILE)

    def routes(self) -> list[Route]:
        return [
            Route("/shared/{word:str}", outside(self._page, self._refused), methods=["GET"]),
            Route("/shared/{word:str}/{name:str}.csv", outside(self._csv, self._refused), methods=["GET"]),
            Route("/unlock/{word:str}", self._unlock, methods=["POST"]),
        ]

    def _refused(self, error: Refused) -> Response:
        return self._html(error.status, None, title=say("This page can't be had"), error=error)

    def _html(self, status: int, one: Share | None, **said: Any) -> Response:
        text = self._pages.templates.get_template("shared.html").render(**said)
        if one is None or not one.frames:
            return HTMLResponse(text, status)
        policy = POLICY.replace("frame-ancestors 'none'", f"frame-ancestors {' '.join(one.frames)}")
        return HTMLResponse(text, status, {"content-security-policy": policy})

    def _find(self, request: Request) -> tuple[Share, Told, bool]:
        """The link, what it tells, and whether a password has to be said first. Raises Refused."""
        word, now, key = request.path_params["word"], self._door.open().store.now(), self._signer.key().public
        id = link.read(key, word, now, link.SHARED)
        host = request.client.host if request.client else ""
        place = self._door.open().store.vault.hash("place", host.encode()).hex()  # no address, even in memory
        for whose, pace in ((f"share {id}", PER_MINUTE), (f"place {place}", 2 * PER_MINUTE)):
            if wait := self._door.pace.take(whose, pace):
                raise Refused(
                    429, "too_often", "this is asked for too often: wait {wait} s", wait=f"{wait:.0f}"
                )
        one, what = self._shares().good(id)
        said = request.query_params.get("as", "")
        open = not one.locked
        if one.locked and said:
            try:
                open = link.read(key, said, now, link.UNLOCKED) == id
            except Refused:
                open = False  # its hour is over: the password is asked for again
        return one, what, open

    def _page(self, request: Request) -> Response:
        one, what, open = self._find(request)
        said: dict[str, Any] = {"title": one.name, "error": None, "word": request.path_params["word"]}
        if not open:
            return self._html(401, one, locked=True, wrong=False, **said)
        with self._pages.reader.reading() as reading:
            found, first, last = self._tables(reading, what)
            about = reading.rows("SELECT * FROM reports WHERE name IN (SELECT unnest(?))", [list(found)])
        self._shares().note(one)
        more = f"?as={request.query_params['as']}" if one.locked else ""
        return self._html(
            200, one, locked=False, what=what, first=first, last=last, csv=f"/shared/{said['word']}",
            more=more, about={row["name"]: row for row in about}, least=own_rows.LEAST, delay=own_rows.DELAY,
            tables={name: _added(table) for name, table in found.items()}, most=MOST,
            drawn=_drawn(found, what, first, last), generated=self._pages.generated, **said,
        )  # fmt: skip

    def _csv(self, request: Request) -> Response:
        one, what, open = self._find(request)
        name = request.path_params["name"]
        if not open:
            raise Refused(401, "password", "say the password first, on the page of this link")
        with self._pages.reader.reading() as reading:
            found, _, _ = self._tables(reading, what)
        if name not in found:
            raise Refused(404, "no_such_table", "this link tells {found}", found=", ".join(found))
        self._shares().note(one)
        head = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return Response(
            render(found[name], "csv", for_spreadsheets=True), media_type="text/csv", headers=head
        )

    async def _unlock(self, request: Request) -> Response:
        """Reads its own form: whoever sends it knows a password, and no cookie takes part."""
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > _LARGEST:
                raise Refused(413, "too_large", "a form has at most {largest} bytes", largest=_LARGEST)
        said = parse_qs(body.decode("utf-8", "replace")).get("password", [""])[0]

        def answer(request: Request) -> Response:
            one, _, _ = self._find(request)
            word = request.path_params["word"]
            take(self._door, f"share {one.id}", request)
            if not self._shares().opens(one.id, said):
                more = {"title": one.name, "error": None, "word": word}
                return self._html(403, one, locked=True, wrong=True, **more)
            self._door.names.cleared(f"share {one.id}")
            self._door.places.cleared(request.client.host if request.client else "")
            until = self._door.open().store.now() + _OPEN
            opened = link.make(self._signer.key(), one.id, until, link.UNLOCKED)
            return RedirectResponse(f"/shared/{word}?as={opened}", 303)

        return await outside(answer, self._refused)(request)

    def _tables(self, reading: Reading, what: Told) -> tuple[dict[str, pa.Table], date, date]:
        first, last = what.span(outward.newest(outward.reading_day(reading)))
        names = [name for name in what.reports if name in reading.tables]
        found = {name: outward.rows(reading, name, what.site, first, last, what.where) for name in names}
        self._pages.leave(found, what.site)
        return found, first, last

    def _shares(self) -> Shares:
        return Shares(self._door.open().people, self._longest)


def _added(table: pa.Table) -> dict[str, Any]:
    """The rows of all days together, the largest first. People are of each day, added up."""
    keys = [name for name in table.column_names[:-2] if name != "day"]
    number = table.column_names[-1]
    if not keys:
        return {"keys": [], "number": number, "rows": [], "of": 0}
    added = table.group_by(keys).aggregate([("people", "sum"), (number, "sum")])
    order = [("people_sum", "descending"), *((key, "ascending") for key in keys)]
    rows = added.sort_by(order).slice(0, MOST).to_pylist()
    shown = [
        {**{key: row[key] for key in keys}, "people": row["people_sum"], number: row[f"{number}_sum"]}
        for row in rows
    ]
    return {"keys": keys, "number": number, "rows": shown, "of": added.num_rows}


def _drawn(tables: dict[str, pa.Table], what: Told, first: date, last: date) -> dict[str, Any] | None:
    """People by day, where a table has one row for each: the whole site, or one value of all its keys."""
    whole = lambda table: set(table.column_names[:-2]) - {"day"} <= what.where.keys()  # noqa: E731
    name = next((name for name, table in tables.items() if whole(table)), "")
    if not name or not tables[name].num_rows:
        return None
    at = {row["day"]: row for row in tables[name].to_pylist()}
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    people = [at[day]["people"] if day in at else None for day in days]
    number = tables[name].column_names[-1]
    numbers = [at[day][number] if day in at else None for day in days]
    labels = [words.day(day, "day") for day in days]
    chart = charts.curve(labels, people, [None] * len(days), say("Visitors by day"))
    rows = list(zip(days, people, numbers, strict=True))
    return {"chart": chart, "number": number, "rows": rows, "name": name}
