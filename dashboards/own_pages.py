"""The pages of an advertiser, or of a partner, by a signed link: its own rows of published tables, and a CSV
of each (M53)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from consent_filter import signing
from consent_filter.errors import Refused
from consent_filter.signing import PublicKey, SigningKey
from dashboards.language import say
from dashboards.outside import outside
from dashboards.pages import Pages
from warehouse import deliveries, link, own_rows
from warehouse.answer import render
from warehouse.own_rows import Own
from warehouse.reader import Reading
from warehouse.recipient import Recipient

#: Rows of a table that the page shows; the CSV has all.
MOST = 200


class Room(NamedTuple):
    """Where somebody's own rows are: below `path`, by links of a `kind`, of tables by a key (`own`). `mine`:
    what of it is whose; raises Refused. `people`: who is counted in it, in words."""

    path: str
    kind: bytes
    own: Own
    mine: Callable[[str], list[str]]
    people: str


def advertisers(file: Path) -> Room:
    """Rows by campaign. `file`: the catalogue."""
    return Room(
        "/advertiser", link.ADVERTISER, own_rows.CAMPAIGNS,
        lambda name: own_rows.campaigns(own_rows.owners(file), name),
        "of those who allowed adverts to be measured",
    )  # fmt: skip


def partners(recipients: Iterable[Recipient]) -> Room:
    """Rows by the source that links name, until the day on which the partner is given nothing any more."""
    known = {one.name: one for one in recipients if one.sources}

    def mine(name: str) -> list[str]:
        if name in known and datetime.now(UTC).date() >= known[name].until:
            raise Refused(410, "recipient_ended", "what was agreed with this partner has ended")
        return own_rows.sources({name: one.sources for name, one in known.items()}, name)

    says = "of those who came by links that name it and may be counted"
    return Room("/partner", link.PARTNER, own_rows.SOURCES, mine, says)


class Whose(NamedTuple):
    """Who has come: whom a link names, and what is theirs."""

    name: str
    mine: list[str]


class OwnPages:
    """The pages of a room. Nothing else is asked than the word: whoever has the link is let in."""

    def __init__(self, data: Path, pages: Pages, room: Room) -> None:
        self._data, self._pages, self._room = data, pages, room

    def routes(self) -> list[Route]:
        page, csv = outside(self._page, self._refused), outside(self._csv, self._refused)
        if self._room.kind == link.PARTNER:
            return [
                Route("/partner/{word:str}", page, methods=["GET"]),
                Route("/partner/{word:str}/{name:str}.csv", csv, methods=["GET"]),
            ]
        return [
            Route("/advertiser/{word:str}", page, methods=["GET"]),
            Route("/advertiser/{word:str}/{name:str}.csv", csv, methods=["GET"]),
        ]

    def _refused(self, error: Refused) -> Response:
        return self._html(error.status, title=say("This page can't be had"), error=error)

    def _html(self, status: int, **said: object) -> Response:
        return HTMLResponse(self._pages.templates.get_template("own.html").render(**said), status)

    def _whose(self, request: Request) -> Whose:
        """Raises Refused where the word is none of ours, has ended, or names nobody who is listed."""
        name = link.read(self._key(), request.path_params["word"], deliveries.now(), self._room.kind)
        return Whose(name, self._room.mine(name))

    def _page(self, request: Request) -> Response:
        whose, today = self._whose(request), datetime.now(UTC).date()
        with self._pages.reader.reading() as reading:
            about = own_rows.tables(reading, self._room.own)
            found = {name: self._rows(reading, name, whose, today) for name in about}
        self._pages.leave(found)
        shown = {
            name: [tuple(row.values()) for row in _newest(table).to_pylist()] for name, table in found.items()
        }
        return self._html(
            200, title=whose.name, error=None, room=self._room, word=request.path_params["word"], about=about,
            columns={name: table.column_names for name, table in found.items()}, rows=shown,
            n={name: table.num_rows for name, table in found.items()}, whose=whose,
            least=own_rows.LEAST, delay=own_rows.DELAY,
        )  # fmt: skip

    def _csv(self, request: Request) -> Response:
        whose, name = self._whose(request), request.path_params["name"]
        with self._pages.reader.reading() as reading:
            found = self._rows(reading, name, whose, datetime.now(UTC).date())
        self._pages.leave({name: found})
        head = {"content-disposition": f'attachment; filename="{name}.csv"'}
        return Response(render(found, "csv", for_spreadsheets=True), media_type="text/csv", headers=head)

    def _rows(self, reading: Reading, name: str, whose: Whose, today: date) -> pa.Table:
        return own_rows.rows(reading, name, whose.mine, today, self._room.own)

    def _key(self) -> PublicKey:
        try:
            return SigningKey.read(self._data / signing.FILE).public
        except FileNotFoundError:
            raise Refused(404, "no_such_link", "nothing was ever signed here") from None


def _newest(table: pa.Table) -> pa.Table:
    return table.sort_by([("day", "descending")]).slice(0, MOST)
