"""What the dashboards may be told: the `[dashboards]` table."""

from __future__ import annotations

import re

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.transport import settle
from dashboards.languages import LANGUAGES


class Dashboards(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[dashboards]`. hosts: names, besides loopback, under which the pages may be asked for. outside: names
    under which advertisers and recipients of packs come: only what a signed link or their account opens is
    there. console: the officer's console for requests about one's own data, at /console, is there.
    certificate, key: PEM files, in the data folder or by a whole path; with them the pages are served over
    TLS. hsts_days: for how long a browser that has come encrypted, by another name than localhost, is told to
    come in no other way. segments: the SHA-256, in hexadecimal, of the key with which the ad server may ask
    for /segments. share_days: for how long a share link may be good; 0 is that there are none. at: the
    address of the pages as readers of mail reach them, e.g. "https://stats.example"; with it, and a server in
    `[rights]`, alerts and saved views are mailed to accounts. language: of pages whose reader has chosen
    none and whose browser asks for none that there is: "en", "de" or "ar" (docs/languages.md)."""

    hosts: tuple[str, ...] = ()
    segments: str = ""
    outside: tuple[str, ...] = ()
    console: bool = False
    certificate: str = ""
    key: str = ""
    hsts_days: int = 365
    share_days: int = 90
    at: str = ""
    language: str = "en"

    def __post_init__(self) -> None:
        if self.segments and not re.fullmatch(r"[0-9a-f]{64}", self.segments):
            raise Misconfigured("dashboards.segments", "…", "64 hexadecimal digits: sha256sum of the key")
        if self.at and not re.fullmatch(r"https?://[^\s/?#]+/?", self.at):
            raise Misconfigured("dashboards.at", self.at, "an address without a path, https://stats.example")
        if self.language not in LANGUAGES:
            raise Misconfigured("dashboards.language", self.language, f"one of {', '.join(LANGUAGES)}")
        if not 0 <= self.share_days <= 3660:
            raise Misconfigured("dashboards.share_days", self.share_days, "0 to 3660 days")
        settle("dashboards", self.certificate, self.key, self.hsts_days)
