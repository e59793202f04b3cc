"""In which language a page is said: who chooses it, its catalogue of words, its numbers and days.

English is the source: what stands in code and templates. Whoever asks is answered in the language of their
account, else in one that their browser asks for, else in that of `[dashboards] language`. Like who asks
(`who.py`), it is found once for each request and said by `present()` below it. Outside a request, and for
whatever a program reads, it is English.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from markupsafe import Markup
from starlette.types import ASGIApp, Receive, Scope, Send

from consent_filter.errors import Refused
from dashboards.languages import LANGUAGES

#: Every word in brackets and longer, for whoever looks for words that are in no catalogue. Never offered.
PSEUDO = "en-XA"
FOLDER = Path(__file__).parent / "languages"
#: What must stay as it is in a longer word: places for values, tags, entities.
_PLACE = re.compile(r"(%\(\w+\)s|%%|\{\w+\}|<[^>]*>|&\w+;)")
_LONGER = str.maketrans("aeiounAEIOU", "åéîøüñÅÉÎØÜ")


class Language:
    """tag: of LANGUAGES, for `lang`. direction: `ltr` or `rtl`. locale: its numbers and days (CLDR)."""

    def __init__(self, tag: str, catalogue: NullTranslations) -> None:
        self.tag, self.catalogue = tag, catalogue
        self.locale = Locale.parse(tag.partition("-")[0])
        self.direction = self.locale.text_direction
        symbols = self.locale.number_symbols["latn"]  # days and addresses have Latin digits, so all have
        self.signs = str.maketrans({",": symbols["group"], ".": symbols["decimal"]})
        self.percent = self.locale.percent_formats[None].pattern.replace("#,##0", "{}")


class _Longer(NullTranslations):
    """The catalogue of the language that is none: what is in no other one stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        said = (one.id for one in _read("de") if one.id)
        self._known = {text for id in said for text in ([id] if isinstance(id, str) else id)}

    def gettext(self, message: str) -> str:
        if message not in self._known:
            return message
        parts = _PLACE.split(message)
        return "⟦" + "".join(p if n % 2 else p.translate(_LONGER) for n, p in enumerate(parts)) + "…⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def _read(tag: str) -> Catalog:
    with (FOLDER / f"{tag}.po").open("rb") as file:
        return read_po(file, locale=tag)


@cache
def language(tag: str) -> Language:
    """The language of that tag, read once for each process. Raises KeyError where there is none."""
    if tag == PSEUDO:
        return Language(tag, _Longer())
    if tag not in LANGUAGES:
        raise KeyError(tag)
    if tag == "en":
        return Language(tag, NullTranslations())
    made = io.BytesIO()
    write_mo(made, _read(tag))
    made.seek(0)
    return Language(tag, GNUTranslations(made))


ENGLISH = language("en")
_PRESENT: ContextVar[Language] = ContextVar("language", default=ENGLISH)


def present() -> Language:
    """The language of what is made now."""
    return _PRESENT.get()


@contextmanager
def spoken(tag: str) -> Iterator[None]:
    """Within, in this task and in what it starts, that is the language; an unknown one changes nothing."""
    if tag not in LANGUAGES and tag != PSEUDO:
        yield
        return
    token = _PRESENT.set(language(tag))
    try:
        yield
    finally:
        _PRESENT.reset(token)


def wanted(accept: str, default: str) -> str:
    """The tag of what an Accept-Language asks for (RFC 9110, 12.5.4); the default where it names none that
    there is. Only the language counts, not the region."""
    best, most = default, 0.0
    for part in accept[:1000].split(","):
        name, _, more = part.strip().partition(";")
        tag = PSEUDO if name.lower() == PSEUDO.lower() else name.partition("-")[0].lower()
        found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", more)
        weight = float(found[1]) if found else 0.0 if more else 1.0
        if weight > most and (tag in LANGUAGES or tag == PSEUDO):
            best, most = tag, weight
    return best


class Spoken:
    """What a browser asks for, before the gate knows whose browser it is. default: of `[dashboards]`."""

    def __init__(self, app: ASGIApp, default: str) -> None:
        self._app, self._default = app, default

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        heads = dict(scope["headers"]) if scope["type"] == "http" else {}
        with spoken(wanted(heads.get(b"accept-language", b"").decode("latin-1"), self._default)):
            await self._app(scope, receive, send)


def gettext(message: str) -> str:
    return _PRESENT.get().catalogue.gettext(message) if message else ""


def marked(text: str, /, **parts: object) -> Markup:
    """A text of a template with `%(part)s` filled in: what jinja's own does, which a page asks for 300 times,
    without looking for each in the page's context."""
    return _filled(_PRESENT.get().tag, text) if not parts else Markup(gettext(text)) % parts


@lru_cache(4096)
def _filled(tag: str, text: str) -> Markup:
    return Markup(language(tag).catalogue.gettext(text) if text else "") % {}


def ngettext(one: str, many: str, n: int) -> str:
    return _PRESENT.get().catalogue.ngettext(one, many, n)


def say(text: str, **parts: object) -> str:
    """A text in the present language, with `{part}` filled in. Extraction finds it by this name."""
    said = gettext(text)
    return said.format(**parts) if parts else said


def say_n(one: str, many: str, n: int, **parts: object) -> str:
    """The same in the form that a number has: `{n}` is it, unless `parts` writes it in another way."""
    return ngettext(one, many, n).format(**{"n": n} | parts)


def refusal(error: Refused) -> str:
    """What a refusal says, in the present language. Extraction finds its text in `Refused(…)`."""
    return say(error.text, **error.parts)


def later(text: str) -> str:
    """A text that is said later, when somebody asks: it goes into the catalogues, and stays English here."""
    return text
