"""A page's URL reduced to what a report may show: a templated path and campaign tags (M5, M9, M12, M25)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote

from consent_filter.raw import Page
from consent_filter.site import Site
from ingest.redaction import CONTROLS, card, redact, token

#: The parts of a URL (RFC 3986, appendix B), with the backslash that browsers read as a slash.
_PARTS = re.compile(
    r"(?:([A-Za-z][A-Za-z0-9+.\-]*):)?(?:[/\\]{2}([^/\\?#]*))?([^?#]*)(?:\?([^#]*))?", re.DOTALL
)
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9\-_.\u0080-\U0010ffff]{1,253}")
#: Nothing here can be an id, a name or a secret: only the site's own templates are tried.
_ORDINARY = re.compile(r"(?:/[a-z][a-z_.\-]{0,30})*/?")
_UUID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_ID = re.compile(r"\d+|[A-Z]{1,4}-?\d{2,}")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
#: What follows one of these in a path is a secret unless it is a plain word.
_BEFORE_A_SECRET = frozenset(
    [
        "activate",
        "auth",
        "confirm",
        "confirmation",
        "invitation",
        "invite",
        "key",
        "magic",
        "password",
        "recover",
    ]
) | {"reset", "reset-password", "secret", "session", "sso", "token", "unsubscribe", "verification", "verify"}
_WORD = re.compile(r"[a-z][a-z\-_]{0,30}")
_TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content")
_LONGEST_SEGMENT, _LONGEST_PATH, _LONGEST_TAG = 80, 300, 120

NOWHERE = Page(None, None, None, None, None, None, None, 0)


def host(said: str) -> str | None:
    """The host of an authority, without user, port and trailing dot; None when it is not one."""
    name = said.rpartition("@")[2].lower()
    if not name.startswith("["):
        name = name.partition(":")[0].rstrip(".")
    elif "]" in name:
        name = name[: name.index("]") + 1]
    return name if _HOST.fullmatch(name) else None


def decoded(text: str) -> str:
    """The text behind percent-encoding, also where it was encoded twice, without invisible characters.

    Bytes that are not UTF-8 become U+FFFD. What is still encoded after four rounds was hidden on purpose.
    """
    for _ in range(4):
        text = unquote(text, errors="replace") if "%" in text else text
        text = text if text.isascii() else unicodedata.normalize("NFKC", text)
        if "%" not in text:
            break
    else:
        text = _ESCAPE.sub("\ufffd", text)
    return CONTROLS.sub("", text)


class Scrub:
    """Scrubs the URLs of one site by its templates and its list of query parameters."""

    def __init__(self, site: Site) -> None:
        self._query = frozenset(site.query)
        # Addresses differ more in their queries than in their paths.
        self._known = lru_cache(maxsize=4096)(self._path)
        self._templates = [[part for part in path.split("/") if part] for path in site.paths]

    def page(self, url: str) -> Page:
        """What may be kept of a URL. Anything may be given; a scheme other than http leaves no path."""
        match = _PARTS.match(url.strip())
        assert match is not None  # every part may be empty
        scheme, authority, path, query = match.groups()
        if scheme and scheme.lower() not in ("http", "https"):
            return NOWHERE
        if not (scheme or authority or path.startswith(("/", "\\")) or query):
            return NOWHERE
        path, redacted = self._known(path) if len(path) <= _LONGEST_PATH else self._path(path)
        tags: dict[str, str] = {}
        if query:
            kept, more = self._parameters(query, tags)
            path, redacted = path + kept, redacted + more
        source, medium, campaign, term, content = map(tags.get, _TAGS)
        where = host(authority) if authority else None
        return Page(where, path, source, medium, campaign, term, content, redacted)

    def _path(self, path: str) -> tuple[str, int]:
        if _ORDINARY.fullmatch(path):
            parts = [part for part in path.split("/") if part and part not in (".", "..")]
            return self._written(self._templated(parts), 0)
        parts = []
        for part in decoded(path).replace("\\", "/").split("/"):
            if part == "..":
                del parts[-1:]
            elif part not in ("", "."):
                parts.append(part)
        parts = self._templated(parts)
        redacted, before = 0, ""
        for place, part in enumerate(parts):
            if not (part.startswith("{") and part.endswith("}") and part[1:-1].isidentifier()):
                parts[place], found = _segment(part, before)
                redacted += found
            before = part.lower()
        return self._written([part for part in parts if part], redacted)

    def _templated(self, parts: list[str]) -> list[str]:
        """The site's templates bind before the automatic ones, and also at the beginning of a longer path.

        `/u/{user}` must not let `/u/ann/reviews` through because nobody thought of that page.
        """
        fitting = [t for t in self._templates if len(t) <= len(parts) and _fits(t, parts)]
        exact = [t for t in fitting if len(t) == len(parts)]
        for template in exact or fitting:
            return template + parts[len(template) :]
        return parts

    def _written(self, parts: list[str], redacted: int) -> tuple[str, int]:
        path = "/" + "/".join(parts)
        if len(path) > _LONGEST_PATH:
            path = path[: path.rindex("/", 0, _LONGEST_PATH)] + "/{more}"
        return path, redacted

    def _parameters(self, query: str, tags: dict[str, str]) -> tuple[str, int]:
        """Campaign tags into `tags`, the site's own parameters as a query; all others are dropped."""
        redacted, kept = 0, []
        for parameter in query.split("&"):
            name, _, value = parameter.partition("=")
            name = name.lower() if name[:4].lower() == "utm_" else name
            if name not in self._query and (name not in _TAGS or name in tags):
                redacted += "@" in value or "%40" in value
                continue
            text, found = _tag(value[:_LONGEST_PATH])
            redacted += found
            if name in _TAGS:
                if text:
                    tags[name] = text
            else:
                kept.append(f"{name}={_segment(text, '')[0]}")
        return ("?" + "&".join(sorted(kept)))[:_LONGEST_PATH] if kept else "", redacted


@lru_cache(maxsize=4096)
def _tag(value: str) -> tuple[str, int]:
    """A parameter's value in plain text, without what names a person. Campaigns have few tags."""
    return redact(decoded(value.replace("+", " ")).strip()[:_LONGEST_TAG])


def _fits(template: Iterable[str], parts: list[str]) -> bool:
    return all(
        t.startswith("{") or t.lower() == part.lower() for t, part in zip(template, parts, strict=False)
    )


def _segment(part: str, before: str) -> tuple[str, int]:
    """One step of a path: an id by its kind, a person by `{user}`, a secret by `{token}`, else itself."""
    part = part.partition(";")[0]  # matrix parameters carry sessions (jsessionid)
    if _ID.fullmatch(part):
        return ("{card}", 1) if card(part) else ("{id}", 0)
    if _UUID.fullmatch(part):
        return "{uuid}", 0
    if part[:1] in ("@", "~"):
        return "{user}", 1
    if before in _BEFORE_A_SECRET and not _WORD.fullmatch(part):
        return "{token}", 1
    if len(part) > _LONGEST_SEGMENT:
        return "{long}", 1
    few = part.count("-") + part.count("_") + part.count(".") < 3  # words in a title are more
    if few and len(part) >= 20 and token(re.sub(r"[^0-9A-Za-z]", "", part)):
        return "{token}", 1
    return redact(part)
