"""What the dashboards may be told: the `[dashboards]` table."""

from __future__ import annotations

from msgspec import Struct

from consent_filter.transport import settle


class Dashboards(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[dashboards]`. hosts: names, besides loopback, under which the pages may be asked for. console: the
    officer's console for requests about one's own data, at /console, is there. certificate, key: PEM files,
    in the data folder or by a whole path; with them the pages are served over TLS. hsts_days: for how long a
    browser that has come encrypted, by another name than localhost, is told to come in no other way."""

    hosts: tuple[str, ...] = ()
    console: bool = False
    certificate: str = ""
    key: str = ""
    hsts_days: int = 365

    def __post_init__(self) -> None:
        settle("dashboards", self.certificate, self.key, self.hsts_days)
