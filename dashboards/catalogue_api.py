"""`/api/adverts`: the catalogue of adverts, for an ad server: read, replaced or added to, with a token.

A token is a word in a header, which no browser adds by itself: another site's page can do nothing with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from consent_filter.advert_links import Seals, whose
from consent_filter.errors import Misconfigured, Refused
from consent_filter.pseudonym import Keyring
from consent_filter.tokens import Tokens
from dashboards.access import bearer
from warehouse import catalogue, catalogue_file, catalogue_import
from warehouse.catalogue import Catalogue
from warehouse.catalogue_file import Edition
from warehouse.catalogue_rows import KINDS, Row

#: Bytes of a body.
_LARGEST = 4 << 20


class CatalogueApi:
    """The addresses below /api/adverts. `file`: the catalogue in use."""

    def __init__(self, data: Path, file: Path) -> None:
        self._data, self._file = data, file

    def routes(self) -> list[Route]:
        return [
            Route("/api/adverts", self._answer, methods=["GET", "PUT", "POST"]),
            Route("/api/adverts/editions", self._answer, methods=["GET"]),
        ]

    async def _answer(self, request: Request) -> Response:
        body = await _body(request) if request.method != "GET" else b""

        def make() -> Response:
            who = self._who(bearer(request))
            if request.url.path.endswith("/editions"):
                return JSONResponse([one._asdict() for one in catalogue_file.history(self._file)])
            if request.method == "GET":
                found, used = catalogue.read(self._file), catalogue_file.edition(self._file)
                whole = {**used._asdict(), "catalogue": msgspec.to_builtins(found)}
                return JSONResponse(whole, headers=_tag(used))
            change = self._put if request.method == "PUT" else self._add
            return change(body, request.headers.get("if-match"), who)

        return await run_in_threadpool(_taught, make)

    def _who(self, token: str) -> str:
        keys = self._data / "keys.json"
        if not keys.exists():
            raise Refused(503, "no_keys", "there are no keys yet: start the collector first")
        seals = Seals.of(Keyring.open(keys))
        name = whose(seals, token, "catalogue", time.time(), Tokens(self._data))
        if name is None:
            raise Refused(401, "token", "send a token of `throng adverts token NAME --for catalogue`")
        return name

    def _put(self, body: bytes, match: str | None, who: str) -> Response:
        if match is None:
            raise Refused(428, "if_match", "say by If-Match which edition yours is made from")
        number = match.strip().strip('"')
        if not number.isdecimal():
            raise Refused(400, "if_match", 'If-Match is an edition, such as "7"')
        return self._written(catalogue.build(_json(body), "body"), who, "API: all of it", int(number[:9]))

    def _add(self, body: bytes, match: str | None, who: str) -> Response:
        some: list[tuple[str, Row]] = []
        for kind, rows in _json(body).items():
            if kind not in KINDS:
                raise Misconfigured("body", kind, f"lists named {', '.join(KINDS)}")
            try:
                listed = msgspec.convert(rows, list[dict[str, Any]])
                some += [(kind, msgspec.convert(row, KINDS[kind])) for row in listed]
            except msgspec.ValidationError as error:
                raise Misconfigured(kind, "…", f"{error}; keys: {', '.join(_keys(kind))}") from None
        used = catalogue_file.edition(self._file)
        found, counts = catalogue_import.merge(catalogue.read(self._file), some)
        what = f"API: {', '.join(f'{n} {how}' for how, n in counts.items())}"
        if not counts["added"] + counts["changed"]:
            return JSONResponse({**used._asdict(), **counts}, headers=_tag(used))
        return self._written(found, who, what, used.number, counts)

    def _written(
        self, found: Catalogue, who: str, what: str, expect: int, counts: dict[str, int] | None = None
    ) -> Response:
        made = catalogue_file.write(self._file, found, who, what, expect=expect)
        return JSONResponse({**made._asdict(), **(counts or {})}, headers=_tag(made))


def _taught(make: Callable[[], Response]) -> Response:
    """What is wrong with a catalogue is told as at a terminal: which key, what it holds, what may be."""
    try:
        return make()
    except Misconfigured as error:
        raise Refused(422, "catalogue", str(error)) from None


def _keys(kind: str) -> tuple[str, ...]:
    return KINDS[kind].__struct_fields__


def _tag(one: Edition) -> dict[str, str]:
    return {"etag": f'"{one.number}"', "cache-control": "no-store"}


def _json(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise Refused(400, "malformed", 'send JSON: {"campaign": [{"id": …}], …}')
    return said


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _LARGEST:
            raise Refused(413, "too_large", f"a catalogue has at most {_LARGEST} bytes; add it row by row")
    return body
