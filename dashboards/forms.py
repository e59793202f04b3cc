"""Forms of our own pages: read within limits, and only with the word that our own page has put into them.

The word is a keyed hash of the session's cookie, or, where nobody is signed in, of a cookie that came with
the form. Another site's page can send a form here, and its browser the cookie, but it can't read the word.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from consent_filter.errors import Refused
from dashboards.who import WORD

#: Bytes of a form.
LARGEST = 65_536


async def read(request: Request, largest: int = LARGEST) -> FormData:
    """What was sent. Raises Refused for what is too large (413), or is no form of this session (403)."""
    length = request.headers.get("content-length", "")
    if not length.isdigit() or int(length) > largest:
        raise Refused(413, "too_large", "a form has at most {largest} bytes", largest=largest)
    form = await request.form(max_files=0, max_fields=100)
    expected = request.scope.get(WORD, "")
    if not expected or not secrets.compare_digest(text(form, "word").encode(), expected.encode()):
        raise Refused(403, "word", "this form is not of this session: open the page again")
    return form


def page(
    make: Callable[[Request, FormData | None], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """A route of a page with forms: None is given where none was sent. It does not hold the loop."""

    async def answer(request: Request) -> Response:
        form = await read(request) if request.method == "POST" else None
        return await run_in_threadpool(make, request, form)

    return answer


def text(form: FormData, name: str) -> str:
    """A field without what stands around it; "" where there is none."""
    said = form.get(name, "")
    return said.strip() if isinstance(said, str) else ""


def raw(form: FormData, name: str) -> str:
    """A field as it was typed: a password."""
    said = form.get(name, "")
    return said if isinstance(said, str) else ""


def several(form: FormData, name: str) -> list[str]:
    return [one for one in form.getlist(name) if isinstance(one, str) and one]
