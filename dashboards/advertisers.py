"""The pages of an advertiser, by a signed link: its own rows of published tables, and a CSV of each (M53)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import PublicKey, SigningKey
from dashboards.outside import outside
from dashboards.pages import Pages
from warehouse import deliveries, link, own_rows
from warehouse.answer import render

#: Rows of a table that the page shows; the CSV has all.
MOST = 200


class Whose(NamedTuple):
    """Who has come: the advertiser that a link names, and its campaigns."""

    advertiser: str
    campaigns: list[str]


class Advertisers:
    """The pages below `/advertiser`. Nothing else is asked than the word: whoever has the link is let in.
    `file`: the catalogue."""

    def __init__(self, data: Path, pages: Pages, file: Path) -> None:
        self._data, self._pages, self._file = data, pages, file

    def routes(self) -> list[Route]:
        return [
            Route("/advertiser/{word:str}", outside(self._page, self._refused), methods=["GET"]),
            Route(
                "/advertiser/{word:str}/{name:str}.csv", outside(self._csv, self._refused), methods=["GET"]
            ),
        ]

    def _refused(self, error: Refused) -> Response:
        return self._html(error.status, title="This page can't be had", error=error)

    def _html(self, status: int, **said: object) -> Response:
        return HTMLResponse(self._pages.templates.get_template("advertiser.html").render(**said), status)

    def _whose(self, request: Request) -> Whose:
        """Raises Refused where the word is none of ours, has ended, or names nobody in the catalogue."""
        word = request.path_params["word"]
        advertiser = link.read(self._key(), word, deliveries.now(), link.ADVERTISER)
        listed = own_rows.owners(self._file)
        return Whose(advertiser, own_rows.campaigns(listed, advertiser))

    def _page(self, request: Request) -> Response:
        whose, today = self._whose(request), datetime.now(UTC).date()
        with self._pages.reader.reading() as reading:
            about = own_rows.tables(reading)
            found = {name: own_rows.rows(reading, name, whose.campaigns, today) for name in about}
        shown = {
            name: [tuple(row.values()) for row in _newest(table).to_pylist()] for name, table in found.items()
        }
        return self._html(
            200, title=whose.advertiser, error=None, word=request.path_params["word"], about=about,
            columns={name: table.column_names for name, table in found.items()}, rows=shown,
            n={name: table.num_rows for name, table in found.items()}, whose=whose,
            least=own_rows.LEAST, delay=own_rows.DELAY,
        )  # fmt: skip

    def _csv(self, request: Request) -> Response:
        whose, name = self._whose(request), request.path_params["name"]
        with self._pages.reader.reading() as reading:
            found = own_rows.rows(reading, name, whose.campaigns, datetime.now(UTC).date())
        head = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return Response(render(found, "csv", for_spreadsheets=True), media_type="text/csv", headers=head)

    def _key(self) -> PublicKey:
        try:
            return SigningKey.read(self._data / signing.FILE).public
        except FileNotFoundError:
            raise Refused(404, "no_such_link", "nothing was ever signed here") from None


def _newest(table: pa.Table) -> pa.Table:
    return table.sort_by([("day", "descending")]).slice(0, MOST)
