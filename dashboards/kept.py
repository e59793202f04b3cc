"""Pages of numbers that were made, for whoever asks for the same and may see the same.

What is kept was made for nobody: instead of the account, its name, the word of its forms and how old the
numbers are, there are marks, which are filled in for each reading. A page is found by all else that it was
made of: its address, what its reader may see, the generation, the minute, the notes, the language. So
nothing has to be taken back: what has changed is another page (docs/dashboards.md).
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Hashable
from hashlib import blake2b
from html import escape
from typing import NamedTuple
from urllib.parse import urlencode

from msgspec import structs
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from dashboards import language
from dashboards.language import say, say_n
from dashboards.who import Who, here, present, word
from warehouse.reader import Reader
from warehouse.shelf import Shelf

#: Bytes of pages that are kept: 600 overviews.
_MOST = 64_000_000
#: Stand for what is one reader's. Drawn anew by each process, so that nobody can write one into a note.
_NAME, _WORD, _AGE = (f"{what}{secrets.token_hex(16)}" for what in ("name", "word", "age"))
_MARKS = re.compile(f"({_NAME}|{_WORD}|{_AGE})")
#: The account for which pages are made that are kept.
ANYBODY = "anybody"


class Page(NamedTuple):
    """pieces: what is between marks, and the marks. digest: of all of them."""

    pieces: tuple[str | bytes, ...]
    digest: bytes


class Kept:
    """changed: a number that is another one when notes, or names of accounts, are."""

    def __init__(self, reader: Reader, changed: Callable[[], int]) -> None:
        self._reader, self._changed, self._pages = reader, changed, Shelf[Page](_MOST)

    def answer(
        self, request: Request, make: Callable[[], str], head: dict[str, str] | None = None,
        of: Callable[[], Hashable] = tuple,
    ) -> Response:  # fmt: skip
        """The page that `make` makes, or has made, as whoever asks sees it; 304 where their browser says
        that it has it. of: what else the page is made of. Raises what `make` raises.

        Numbers under a filter are asked at the gate of questions each time, and a key of a machine asks for
        no page: neither is kept."""
        me, made = present(), self._reader.made()
        if me.key or not me.account or made is None or "where" in request.query_params:
            return HTMLResponse(make(), headers=head)
        key = (
            request.url.path, urlencode(sorted(request.query_params.multi_items(), key=lambda one: one[0])),
            me.roles, me.sites, me.advertisers, me.recipients, made["generation"], made["time"],
            self._reader.withheld(), int(time.time() // 60), self._changed(), of(), language.present().tag,
        )  # fmt: skip
        page = self._pages.made(key, lambda: _made(me, make), _weight)
        name, said = escape(me.name), word()
        own = blake2b(page.digest + f"{name} {said}".encode(), digest_size=16)
        tag = f'W/"{own.hexdigest()}"'  # weak: how old the numbers are is not in it (RFC 9110, 8.8.1)
        tagged = {**(head or {}), "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=tagged)
        fill = {_NAME: name.encode(), _WORD: said.encode(), _AGE: old(time.time() - made["time"]).encode()}
        body = b"".join(one if isinstance(one, bytes) else fill[one] for one in page.pieces)
        return HTMLResponse(body, headers=tagged)


def age(seconds: float) -> str:
    """How long ago that is, or what is filled in for it on a page that is kept."""
    return _AGE if present().account == ANYBODY else old(seconds)


def old(seconds: float) -> str:
    """How long ago, in words."""
    return say("just now") if seconds < 5 else say("{time} ago", time=long(seconds))


def long(seconds: float) -> str:
    """How long, in words."""
    if seconds >= 86_400:
        return say_n("{n} day", "{n} days", int(seconds // 86_400))
    if seconds >= 3_600:
        return say_n("{n} hour", "{n} hours", int(seconds // 3_600))
    if seconds >= 60:
        return say_n("{n} minute", "{n} minutes", int(seconds // 60))
    return say_n("{n} second", "{n} seconds", int(seconds))


def _made(me: Who, make: Callable[[], str]) -> Page:
    """The page for nobody who may see what they may."""
    nobody = structs.replace(me, account=ANYBODY, name=_NAME, key="", scopes=frozenset(), per_minute=0)
    with here(nobody, _WORD):
        pieces = _MARKS.split(make())
    told = tuple(one if n % 2 else one.encode() for n, one in enumerate(pieces))
    return Page(told, blake2b(b"|".join(one for one in told if isinstance(one, bytes))).digest())


def _weight(page: Page) -> int:
    return 1_000 + sum(map(len, page.pieces))
