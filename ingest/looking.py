"""`HEAD /ad/go`: where a click would lead, for who checks links. Nobody has clicked: nothing is counted."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from ingest.protocols import redirect
from ingest.protocols.parsing import Parsing


class Looking:
    """Answers what a click would be answered, without its body."""

    def __init__(self, parsing: Parsing) -> None:
        self._parsing = parsing

    async def answer(self, request: Request) -> Response:
        query = request.scope["query_string"]
        found = redirect.target(query, self._parsing, time.time_ns() // 1_000_000)
        if isinstance(found, str):
            return Response(status_code=redirect.WRONG[found].status)
        return Response(status_code=302, headers={"location": found[0], "referrer-policy": "strict-origin"})
