"""Which requests in a web server's log are somebody looking at a page."""

from __future__ import annotations

import re

#: What is held against a line, by code: the `detail` of a refusal. `malformed` is invalid, the others are
#: requests that are no page view.
ASIDE: dict[str, str] = {
    "malformed": "not in the format, or without address or time",
    "request": "not a GET: HEAD, POST, OPTIONS, what is no HTTP",
    "status": "a redirect or an error: neither 2xx nor 304",
    "machine": "robots.txt, sitemaps, /.well-known/",
    "feed": "RSS or Atom",
    "asset": "image, style, script, font, media, download",
}

_REQUEST = re.compile(r"GET (\S.*?)(?: HTTP/\d(?:\.\d)?)?", re.DOTALL)
#: Styles, scripts, images, fonts; media; documents and data; downloads.
_EXTENSIONS = """
css js mjs cjs map wasm png jpg jpeg jpe jfif gif svg svgz webp avif ico cur bmp tif tiff heic woff woff2 ttf
otf eot
mp4 m4v webm mov avi mkv mpg mpeg flv wmv ogv ts m3u8 mpd vtt mp3 m4a ogg oga opus wav flac aac mid
pdf ps eps djvu epub mobi doc docx xls xlsx ppt pptx odt ods odp rtf tex txt text md csv tsv json jsonld xml
xsl xslt xsd webmanifest log conf cfg ini yaml yml toml sql db sqlite bak
zip gz tgz bz2 xz zst lz 7z rar tar jar war exe msi dmg pkg deb rpm apk ipa iso img bin dll so swf class pyc
torrent asc sig md5 sha1 sha256 patch diff spec c h cc cpp hpp java go rs sh
"""
_ASSETS = frozenset(_EXTENSIONS.split())
_FEED = re.compile(
    r"/(?:feed|rss|atom|feeds)/?$|/(?:feed|rss|atom|index)\d?\.(?:xml|rdf|json)$|\.(?:rss|atom|rdf)$"
)
_FEED_ASKED = re.compile(
    r"(?:^|&)(?:flav|feed|format|type|alt|output)=(?:feed|rss|rss2|rss20|atom|rdf)(?:&|$)"
)
_MACHINE = re.compile(
    r"/(?:robots|ads|app-ads|security|humans|llms)\.txt$|/sitemap[^/]*\.(?:xml|txt)(?:\.gz)?$|^/\.well-known/"
    r"|/(?:crossdomain|browserconfig|clientaccesspolicy)\.xml$|^/(?:server-status|health|healthz|ping|metrics)$"
)
_PAGES = ("text/html", "application/xhtml+xml", "application/vnd.wap.xhtml+xml")


def target(request: str) -> str | None:
    """What a GET asked for, None for any other request."""
    found = _REQUEST.fullmatch(request)
    return found[1] if found and found[1][:1] in "/hH" else None


def answered(status: str) -> bool:
    """Whether a page was shown: sent, or found unchanged in the browser."""
    return status == "304" or (
        len(status) == 3 and status.isascii() and status.isdecimal() and status[0] == "2"
    )


def aside(url: str, media: str | None) -> str | None:
    """Why a URL that was sent is no page: a key of `ASIDE`, or None for a page."""
    path, _, query = url.partition("?")
    path = path.lower()
    if _MACHINE.search(path):
        return "machine"
    if _FEED.search(path) or (query and _FEED_ASKED.search(query.lower())):
        return "feed"
    if media and media != "-":
        kind = media.partition(";")[0].strip().lower()
        if "rss" in kind or "atom" in kind:
            return "feed"
        return None if kind in _PAGES else "asset"
    last = path[path.rfind("/") + 1 :]
    dot = last.rfind(".")
    return "asset" if dot >= 0 and last[dot + 1 :] in _ASSETS else None
