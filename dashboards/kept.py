"""Pages of numbers that were made, for whoever asks for the same and may see the same.

What is kept was made for nobody: instead of the account, its name, the word of its forms and how old the
numbers are, there are marks, which are filled in for each reading. A page is found by all else that it was
made of: its address, what its reader may see, the generation, the minute, the notes, the language. So
nothing has to be taken back: what has changed is another page (docs/dashboards.md).

What was asked for lately is made again when a generation or a minute begins, beside the pages (`ahead.py`).
Until it is there, and for two seconds at most, whoever asks is shown the page of the generation or minute
before, which says so: a first making is what everybody else would wait behind.
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
from dashboards.ahead import Ahead
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


#: Seconds for which the page of the generation or the minute before is shown while the new one is made.
LATE = 2.0


class Page(NamedTuple):
    """pieces: what is between marks, and the marks. digest: of all of them. made: when its numbers were
    published (seconds since 1970)."""

    pieces: tuple[str | bytes, ...]
    digest: bytes
    made: float


class Asked(NamedTuple):
    """What somebody asked for, but for when. of: what else the page is made of than tables."""

    request: Request
    make: Callable[[Request], str]
    of: Callable[[], Hashable]
    me: Who
    tag: str

    def key(self) -> Hashable:
        """What a page is found by, of all that whoever asks says or is."""
        query = urlencode(sorted(self.request.query_params.multi_items(), key=lambda one: one[0]))
        me = self.me
        return self.request.url.path, query, me.roles, me.sites, me.advertisers, me.recipients, self.tag


class Moment(NamedTuple):
    """When a page is of: generation, when that was published, minute."""

    generation: int
    made: float
    minute: int


class Kept:
    """changed: a number that is another one when notes, or names of accounts, are."""

    def __init__(self, reader: Reader, changed: Callable[[], int]) -> None:
        self._reader, self._changed, self._pages = reader, changed, Shelf[Page](_MOST)
        self.ahead = Ahead(self._moment, self._again)
        #: The generation that is published, and the one that was before it, as this process has seen them.
        self._generations = (Moment(0, 0.0, 0),) * 2

    def answer(
        self, request: Request, make: Callable[[Request], str], head: dict[str, str] | None = None,
        of: Callable[[], Hashable] = tuple,
    ) -> Response:  # fmt: skip
        """The page that `make` makes, or has made, as whoever asks sees it; 304 where their browser says
        that it has it. of: what else the page is made of. Raises what `make` raises.

        Numbers under a filter are asked at the gate of questions each time, and a key of a machine asks for
        no page: neither is kept."""
        since = self._reader.since()  # first: of a generation that comes between, it would be too late
        me, now = present(), self._moment()
        if me.key or not me.account or now is None or "where" in request.query_params:
            return HTMLResponse(make(request), headers=head)
        asked = Asked(_bare(request), make, of, _nobody(me), language.present().tag)
        self.ahead.note(asked.key(), asked)
        page = self._page(asked, now, since if self.ahead.runs else 0.0)
        name, said = escape(me.name), word()
        own = blake2b(page.digest + f"{name} {said}".encode(), digest_size=16)
        tag = f'W/"{own.hexdigest()}"'  # weak: how old the numbers are is not in it (RFC 9110, 8.8.1)
        tagged = {**(head or {}), "etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=tagged)
        fill = {_NAME: name.encode(), _WORD: said.encode(), _AGE: old(time.time() - page.made).encode()}
        body = b"".join(one if isinstance(one, bytes) else fill[one] for one in page.pieces)
        return HTMLResponse(body, headers=tagged)

    def _moment(self) -> Moment | None:
        made = self._reader.made()
        return Moment(made["generation"], made["time"], int(time.time() // 60)) if made else None

    def _page(self, asked: Asked, now: Moment, since: float) -> Page:
        """The page as it is now; while that is not made, as it was just before `since`."""
        what = asked.key(), self._reader.withheld(), self._changed(), asked.of()
        before = self._before(now, since)
        if since and self._pages.get((what, now)) is None:
            for moment in before:
                if (page := self._pages.get((what, moment))) is not None:
                    return page
        return self._pages.made((what, now), lambda: _made(asked, now), _weight)

    def _before(self, now: Moment, since: float) -> list[Moment]:
        """The moments whose pages may still be shown, the newest first."""
        published, replaced = (one._replace(minute=now.minute) for one in self._generations)
        if published[:2] != now[:2]:
            self._generations = now, published
            published, replaced = now, published
        clock, moments = time.time(), [now]
        # One after the other: of a generation that nobody looked at between, nothing is known for how long
        # it has been over. And a clock that was set back says nothing at all.
        if replaced.generation == now.generation - 1 and 0 <= clock - since < LATE:
            moments.append(replaced)
        if clock % 60 < LATE:
            moments += [one._replace(minute=now.minute - 1) for one in moments]
        return moments[1:]

    def _again(self, asked: Asked, now: Moment) -> None:
        self._page(asked, now, 0.0)


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


def _made(asked: Asked, now: Moment) -> Page:
    """The page for nobody who may see what they may."""
    with here(asked.me, _WORD), language.spoken(asked.tag):
        pieces = _MARKS.split(asked.make(asked.request))
    told = tuple(one if n % 2 else one.encode() for n, one in enumerate(pieces))
    digest = blake2b(b"|".join(one for one in told if isinstance(one, bytes))).digest()
    return Page(told, digest, now.made)


def _nobody(me: Who) -> Who:
    """Nobody, who may see what they may."""
    return structs.replace(me, account=ANYBODY, name=_NAME, key="", scopes=frozenset(), per_minute=0)


def _bare(request: Request) -> Request:
    """What a page may be made of: the address, and nothing of whoever sent it (no head, no cookie)."""
    names = ("type", "method", "path", "root_path", "query_string", "path_params", "scheme", "server")
    return Request({"headers": []} | {name: request.scope[name] for name in names if name in request.scope})


def _weight(page: Page) -> int:
    return 1_000 + sum(map(len, page.pieces))
