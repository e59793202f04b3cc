"""Where a visit came from: the referrer as host and group, never as an address (M25)."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from consent_filter.raw import Page, Source
from ingest.redaction import redact
from ingest.scrub import host

_REFERRER = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.\-]*):[/\\]{2}([^/\\?#\s]*)")

_LISTS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("sources.toml").read_text())
#: Registered name to group.
_KNOWN: dict[str, str] = {
    name: "referral" if group == "personal" else group for group, names in _LISTS.items() for name in names
}
_ADDRESS = re.compile(r"\[.*\]|[\d.]+|0x[0-9a-f.x]+")
#: What stands behind a name in `google.*`: "de", "co.uk", "com.br".
_ENDING = re.compile(r"(?:com?|org|net)?\.?[a-z]{2,3}")

DIRECT = Source(None, "direct")


def origin(referrer: str | None) -> Source:
    """The referrer by itself. A known host becomes its registered name: no one's subdomain is kept."""
    match = _REFERRER.match(referrer) if referrer else None
    if match is None:
        return DIRECT
    if match[1].lower() not in ("http", "https", "android-app"):
        return DIRECT
    name = host(match[2])
    if name is None:
        return DIRECT
    if _ADDRESS.fullmatch(name):
        return Source(None, "referral")
    labels = name.removeprefix("www.").split(".")
    for start in range(len(labels)):
        known = ".".join(labels[start:])
        if known in _KNOWN:
            return Source(known, _KNOWN[known])
        wild = f"{labels[start]}.*"
        if wild in _KNOWN and _ENDING.fullmatch(".".join(labels[start + 1 :])):
            return Source(known, _KNOWN[wild])
    return Source(".".join(redact(label)[0] for label in labels), "referral")


def source(referrer: str | None, page: Page, own: frozenset[str]) -> Source:
    """Where a page view came from. `own` are the site's hosts; the page's own host is always one of them.

    A campaign tag says more than a referrer does. A visitor who only moves within the site is internal.
    """
    if referrer:
        match = _REFERRER.match(referrer)
        here = host(match[2]) if match else None
        if here is not None and (here == page.host or here in own):
            return Source(None if _ADDRESS.fullmatch(here) else here.removeprefix("www."), "internal")
    found = origin(referrer)
    if page.utm_source or page.utm_medium or page.utm_campaign:
        return Source(
            found.host,
            "mail" if (page.utm_medium or "").lower() in ("email", "e-mail", "mail") else "campaign",
        )
    return found
