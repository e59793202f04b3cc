"""An answer as the asker's program wants it: JSON, CSV, Arrow or Parquet, by `format=` or by Accept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pyarrow as pa
from starlette.requests import Request
from starlette.responses import Response

from consent_filter.errors import Refused
from warehouse.answer import render
from warehouse.query import cut

#: What an answer can be, and what it is called on the wire; the first is what whoever does not say gets.
FORMS = {
    "json": "application/json",
    "csv": "text/csv",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
#: Bytes of a body that asks.
LARGEST = 100_000


def form(request: Request) -> str:
    """The form asked for. Raises Refused with those there are."""
    if wanted := request.query_params.get("format"):
        if wanted not in FORMS:
            raise Refused(400, "format", f"format is one of {', '.join(FORMS)}")
        return wanted
    accept = request.headers.get("accept", "*/*").lower()
    said = [part.split(";")[0].strip() for part in accept.split(",")]
    for kind in said:
        for name, mime in FORMS.items():
            if kind == mime:
                return name
    if any(kind in ("", "*/*", "application/*", "text/html") for kind in said):
        return "json"
    raise Refused(406, "format", f"Accept one of {', '.join(FORMS.values())}, or say format=")


def reply(table: pa.Table, how: str, more: Mapping[str, Any]) -> Response:
    """The table in that form. `more`: what JSON says beside the rows."""
    if how == "json":
        columns = [{"name": field.name, "type": str(field.type)} for field in table.schema]
        head = {"columns": columns, "cut": cut(table), **more}
        rows = render(table, "json").decode().rstrip()
        body = f'{json.dumps(head, ensure_ascii=False)[:-1]}, "rows": {rows}}}\n'.encode()
    else:
        body = render(table, how)
    heads = {"x-throng-rows": str(table.num_rows), "x-throng-cut": str(cut(table)).lower()}
    return Response(body, media_type=FORMS[how], headers=heads)


async def asked(request: Request, name: str) -> str:
    """What is asked: `?q=`, or the body: JSON with that name, or the text itself. Raises Refused."""
    if request.method in ("GET", "HEAD"):
        found = request.query_params.get("q", "")
    else:
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                raise Refused(413, "too_large", f"a question has at most {LARGEST} bytes")
        found = _text(body, request.headers.get("content-type", ""), name)
    if not found.strip():
        raise Refused(400, "empty", f'ask something: ?q=…, or a body {{"{name}": "…"}}')
    return found.strip()


def _text(body: bytes, kind: str, name: str) -> str:
    try:
        if "json" not in kind:
            return body.decode()
        said = msgspec.json.decode(body, type=dict[str, Any])
        return str(said.get(name, ""))
    except (UnicodeDecodeError, msgspec.DecodeError):
        raise Refused(400, "malformed", f'send text in UTF-8, or JSON: {{"{name}": "…"}}') from None
