"""The scripts that sites load from the collector, in every encoding, and the page that holds the panel."""

from __future__ import annotations

import gzip
import hashlib
import re
from html import escape
from importlib.resources import files

import brotli
from starlette.requests import Request
from starlette.responses import Response

from consent_filter.errors import Refused
from ingest.settings import Sites

#: Beacon, adverts, speed and errors, what consent platforms say, banner, privacy panel.
SCRIPTS = ("t.js", "v.js", "p.js", "cmp.js", "banner.js", "privacy.js")
_MODES = (brotli.MODE_GENERIC, brotli.MODE_TEXT, brotli.MODE_FONT)
_LONG = "public, max-age=86400, stale-while-revalidate=604800"


class Script:
    """One script, made small and compressed once."""

    def __init__(self, name: str) -> None:
        self.plain = (files("ingest") / "beacon" / name).read_bytes()
        self.etag = f'"{hashlib.sha256(self.plain).hexdigest()[:20]}"'
        self.encoded = {
            # The three ways of looking at bytes differ by a few; they are the same to who reads them.
            "br": min((brotli.compress(self.plain, mode, quality=11) for mode in _MODES), key=len),
            "gzip": gzip.compress(self.plain, 9, mtime=0),
        }

    async def answer(self, request: Request) -> Response:
        head = {
            "etag": self.etag,
            "cache-control": _LONG,
            "vary": "accept-encoding",
            "access-control-allow-origin": "*",
            "cross-origin-resource-policy": "cross-origin",
            "x-content-type-options": "nosniff",
        }
        if self.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=head)
        accepted = {
            one.split(";")[0].strip() for one in request.headers.get("accept-encoding", "").split(",")
        }
        for name, body in self.encoded.items():
            if name in accepted:
                head["content-encoding"] = name
                return Response(body, media_type="text/javascript", headers=head)
        return Response(self.plain, media_type="text/javascript", headers=head)


_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}", re.ASCII)


class PanelPage:
    """`/privacy?site=…`: the panel on a page of its own, for an iframe or a link (M120).

    Only the site's own pages may frame it. No id is in its address: the page around it sends one by
    `postMessage`. Nothing is loaded from anywhere else.
    """

    def __init__(self, sites: Sites) -> None:
        self._sites = sites

    async def answer(self, request: Request) -> Response:
        site, language = request.query_params.get("site", ""), request.query_params.get("lang", "en")
        if site not in self._sites:
            raise Refused(400, "site", "site is missing or not one that is measured here")
        if not _LANGUAGE.fullmatch(language):
            language = "en"
        around = " ".join(self._sites[site].origins) or "*"
        head = {
            "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self';"
            f" img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self' {around}",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
            "x-robots-tag": "noindex",
        }
        text = (
            f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
            f"<title>Privacy</title></head><body><main><throng-privacy></throng-privacy></main>"
            f'<script src="/privacy.js" data-site="{escape(site)}" data-frame></script></body></html>'
        )
        return Response(text, headers=head, media_type="text/html")
