"""The addresses that measure a campaign, to be pasted into pages, mails, players and exchanges; signed."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from consent_filter.advert_links import Seals, host, leads_out
from consent_filter.errors import Misconfigured
from ingest.protocols import notice, redirect, vast
from ingest.settings import Sites
from throng.settings import Settings
from throng.unsubscribe import start
from warehouse.catalogue import Catalogue
from warehouse.catalogue_rows import Campaign

_DAY = 86_400
#: Where VAST has the tracking of an event; the others are <Tracking event="…">.
_ELEMENTS = {
    "impression": "Impression", "error": "Error", "click": "ClickTracking", "viewable": "Viewable",
    "notViewable": "NotViewable", "viewUndetermined": "ViewUndetermined",
}  # fmt: skip
_CONSENT = {"tcf": ("gdpr_consent",), "gpp": ("gpp", "gpp_sid"), "none": ()}


def campaign(found: Catalogue, id: str) -> Campaign:
    """The campaign of that id. Raises Misconfigured."""
    for one in found.campaign:
        if one.id == id:
            return one
    near = ", ".join(one.id for one in found.campaign[:8]) or "none is listed"
    raise Misconfigured("CAMPAIGN", id, f"one that is listed: {near}")


def tags(found: Catalogue, seals: Seals, settings: Settings, said: Namespace) -> list[dict[str, Any]]:
    """For each creative and placement of a campaign: site, creative, placement, and `addresses` by name."""
    one, at = campaign(found, said.campaign), start(said.at)
    _target(one, said.to)
    creatives = [row for row in found.creative if row.campaign == one.id]
    placed = {row.placement for row in found.flight if row.campaign == one.id and row.placement}
    placements = [row for row in found.placement if row.id in placed]
    if said.creative:
        creatives = [_named("--creative", creatives, said.creative)]
    if said.placement:
        placements = [_named("--placement", list(found.placement), said.placement)]
    until = str(int(time.time()) + said.days * _DAY)
    made, sites = [], Sites(settings.site)
    for creative in (*creatives,) or (None,):
        for place in (*placements,) or (None,):
            site = said.site or (place.site if place else "")
            if site not in sites:
                raise Misconfigured("--site", site, "a site of throng.toml, here or in the placement")
            words = {"site": site, "campaign": one.id, "creative": creative.id if creative else "",
                     "placement": place.id if place else ""}  # fmt: skip
            plain = words | {"slot": place.slot or place.id if place else ""}
            kind = creative.kind if creative else ""
            addresses = _pixels(at, plain) | _vast(at, plain, said.signal, kind)
            addresses |= _notices(at, words, until, seals)
            if said.to:
                signed = {"to": said.to, **words, "until": until}
                addresses["click"] = f"{at}/ad/go?{_signed(redirect.NAME, signed, redirect.SIGNED, seals)}"
            made.append(words | {"until": int(until), "addresses": addresses})
    return made


def _target(one: Campaign, to: str) -> None:
    if not to:
        return
    if not leads_out(to):
        raise Misconfigured(
            "--to", "…", "an address of a web page, percent-encoded, e.g. https://acme.example/"
        )
    there = host(to)
    if one.hosts and not any(there == name or there.endswith(f".{name}") for name in one.hosts):
        raise Misconfigured("--to", there, f"a host of the campaign: {', '.join(one.hosts)}")


def _named(key: str, rows: list[Any], id: str) -> Any:
    for row in rows:
        if row.id == id:
            return row
    raise Misconfigured(key, id, f"one of {', '.join(row.id for row in rows[:8]) or 'none that is listed'}")


def _query(said: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items() if value)


def _signed(kind: str, said: dict[str, str], names: tuple[str, ...], seals: Seals) -> str:
    return f"{_query(said)}&sig={seals.sign(kind, *[said.get(name, '') for name in names])}"


def _pixels(at: str, words: dict[str, str]) -> dict[str, str]:
    named = {"impression": "impression", "viewable": "viewable"}
    return {name: f"{at}/ad/{path}?{_query(words)}" for name, path in named.items()}


def _vast(at: str, words: dict[str, str], signal: str, kind: str) -> dict[str, str]:
    """Only for a creative that is a video or sound, or may be one."""
    if kind not in ("", "video", "audio"):
        return {}
    asked = ("view", "url", *_CONSENT[signal], "regulations", "limited", "cb")
    macros = "".join(f"&{name}={vast.MACROS[name]}" for name in asked)
    found = {}
    for event in map(bytes.decode, vast.EVENTS):
        code = "&error=[ERRORCODE]" if event == "error" else ""
        found[f"vast {event}"] = f"{at}/ad/vast?event={event}&{_query(words)}{macros}{code}"
    return found


def _notices(at: str, words: dict[str, str], until: str, seals: Seals) -> dict[str, str]:
    found = {}
    for kind, name in (("win", "nurl"), ("bill", "burl"), ("loss", "lurl")):
        signed = _signed(notice.NAME, {"kind": kind, **words, "until": until}, notice.SIGNED, seals)
        code = f"&loss={notice.MACROS['loss']}" if kind == "loss" else ""
        found[name] = f"{at}/ad/notice?{signed}&view={notice.MACROS['view']}{code}"
    return found


def page(made: list[dict[str, Any]]) -> str:
    """The addresses as they are pasted, with a head for each creative and placement."""
    lines = []
    for one in made:
        day = time.strftime("%Y-%m-%d", time.gmtime(one["until"]))
        named = " · ".join(filter(None, (one["campaign"], one["creative"], one["placement"], one["site"])))
        lines += [f"# {named} · signed addresses are good until {day}", ""]
        for name, address in one["addresses"].items():
            lines += [_pasted(name, address)]
        lines.append("")
    return "\n".join(lines).rstrip()


def _pasted(name: str, address: str) -> str:
    if name.startswith("vast "):
        event = name.removeprefix("vast ")
        element = _ELEMENTS.get(event)
        head = f"<{element}>" if element else f'<Tracking event="{event}">'
        return f"{head}<![CDATA[{address}]]></{element or 'Tracking'}>"
    if name in ("impression", "viewable"):
        return f'{name:11}<img src="{escape(address)}" width="1" height="1" alt="">'
    return f"{name:11}{address}"
