"""Answers for somebody from outside, who came by a signed link: also where it is refused, without a way to
other pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from consent_filter.errors import Refused


def outside(
    make: Callable[[Request], Response], refused: Callable[[Refused], Response]
) -> Callable[[Request], Awaitable[Response]]:
    """`make`, and a page that says why not (`refused`) for whoever reads pages. Neither holds the loop."""

    async def answer(request: Request) -> Response:
        try:
            return await run_in_threadpool(make, request)
        except Refused as error:
            if "text/html" not in request.headers.get("accept", ""):
                raise
            return await run_in_threadpool(refused, error)

    return answer
