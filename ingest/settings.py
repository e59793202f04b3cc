"""What the ingest side may be told: the `[ingest]` table, and which sites are measured."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.site import Site, alias
from consent_filter.transport import HTTPS_ONLY, settle


class Ingest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[ingest]`: the collector, its limits, and what enrichment may use.

    host, port: where the collector listens.
    certificate, key: PEM files, in the data folder or by a whole path; with them it speaks TLS there, and
    nothing in clear. https_only: "identified" refuses events that come in clear with an id, and the pages
    that take ids; "all" refuses everything in clear but /health and /metrics. hsts_days: for how long a
    browser that has come encrypted is told to come in no other way; 0 tells it nothing.
    trusted_proxies: networks whose X-Forwarded-For and -Proto, Forwarded or PROXY line is believed, e.g.
    "10.0.0.0/8".
    ad_servers: networks of servers that send for visitors: their X-Device-IP and X-Device-User-Agent (VAST)
    are believed, which else needs a token (`throng adverts token`).
    proxy_protocol: connections from trusted proxies begin with a line of the PROXY protocol (v1 or v2); one
    without it is refused.
    max_body: bytes of one request's body, as sent and after decompression. max_events: events in one body.
    max_url: characters of a URL or a referrer. max_text: characters of an id, a name or a property's value.
    max_props: properties of one event. max_consent: bytes of one event's consent object.
    rate, burst: requests a second that one address may send on average and at once; 0 is no limit.
    retry_hours: how long a client may retry; an older event is refused as late. Ids are forgotten then, so
    it cannot be longer than 48.
    commit_gap_ms: the shortest time between two durable commits; requests that arrive meanwhile share one.
    max_waiting: requests that may wait for a commit, max_waiting_mib: MiB that they may have in all; more are
    told to come back (503). As much again may be in the commit under way. max_wait_s: seconds that one may
    wait until its commit begins; while one has waited longer, others are told to come back.
    max_connections: open connections; more are closed at once.
    header_timeout_s, idle_timeout_s: how long a client may take to send a request, and stay silent after one.
    geo: a country or city database in MaxMind's format; empty is the one that ships, which is approximate.
    networks: databases that tell hosting, mobile and business networks (ASN, ISP, Connection-Type,
    Anonymous-IP); without any, the cloud ranges that ship.
    hosting_is_robot: refuse what comes from data centres, where the geo database knows networks.
    """

    host: str = "127.0.0.1"
    port: int = 8600
    certificate: str = ""
    key: str = ""
    https_only: str = "no"
    hsts_days: int = 365
    trusted_proxies: tuple[str, ...] = ()
    ad_servers: tuple[str, ...] = ()
    proxy_protocol: bool = False
    max_body: int = 256 * 1024
    max_events: int = 500
    max_url: int = 4096
    max_text: int = 256
    max_props: int = 32
    max_consent: int = 4096
    rate: float = 0.0
    burst: int = 1000
    retry_hours: float = 48.0
    commit_gap_ms: float = 5.0
    max_waiting: int = 20_000
    max_waiting_mib: int = 64
    max_wait_s: float = 2.0
    max_connections: int = 4096
    header_timeout_s: float = 10.0
    idle_timeout_s: float = 75.0
    geo: str = ""
    networks: tuple[str, ...] = ()
    hosting_is_robot: bool = False

    def __post_init__(self) -> None:
        _least("port", self.port, 0)
        for name in (
            "max_body", "max_events", "max_url", "max_text", "max_consent", "max_waiting", "max_waiting_mib",
        ):  # fmt: skip
            _least(name, getattr(self, name), 1)
        for name in ("max_props", "rate", "commit_gap_ms", "max_wait_s"):
            _least(name, getattr(self, name), 0)
        if not 0 < self.retry_hours <= 48:
            raise Misconfigured("ingest.retry_hours", self.retry_hours, "more than 0, at most 48")
        settle("ingest", self.certificate, self.key, self.hsts_days)
        if self.https_only not in HTTPS_ONLY:
            raise Misconfigured("ingest.https_only", self.https_only, f"one of {', '.join(HTTPS_ONLY)}")
        if self.proxy_protocol and self.certificate:
            raise Misconfigured(
                "ingest.proxy_protocol", True, "false with a certificate: its line would come before TLS"
            )
        if self.proxy_protocol and not self.trusted_proxies:
            raise Misconfigured(
                "ingest.proxy_protocol", True, "false, or name the proxies in trusted_proxies"
            )
        for name in ("trusted_proxies", "ad_servers"):
            for network in getattr(self, name):
                try:
                    ipaddress.ip_network(network)
                except ValueError:
                    raise Misconfigured(f"ingest.{name}", network, 'a network, e.g. "10.0.0.0/8"') from None


def _least(name: str, value: float, least: int) -> None:
    if value < least:
        raise Misconfigured(f"ingest.{name}", value, f"at least {least}")


#: What a site may be called: it becomes a column, a file name and a part of addresses.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_REMEMBERED = 1000


class Sites(Mapping[str, Site]):
    """The measured sites by id. While none is declared any well-formed id is one, with default settings.

    The collector listens on loopback only then (`open` says so).
    """

    def __init__(self, declared: Iterable[Site] = ()) -> None:
        self._sites: dict[str, Site] = {}
        self._named: dict[str, str] = {}
        for site in declared:
            if not _ID.fullmatch(site.id):
                raise Misconfigured("site.id", site.id, "1 to 64 letters, digits, dots, hyphens, underscores")
            if site.id in self._sites:
                raise Misconfigured("site.id", site.id, "each site is declared once")
            self._sites[site.id] = site
        ids = {alias(id): id for id in self._sites}
        for site in self._sites.values():
            for name in site.aliases:
                known = self._named.setdefault(alias(name), site.id), ids.get(alias(name), site.id)
                if known != (site.id, site.id):
                    raise Misconfigured("site.aliases", name, "a name of one site only")
        self.open = not self._sites

    def __getitem__(self, id: str) -> Site:
        try:
            return self._sites[id]
        except KeyError:
            if not self.open or not _ID.fullmatch(id):
                raise
        if len(self._sites) >= _REMEMBERED:
            self._sites.clear()
        site = self._sites[id] = Site(id=id)
        return site

    def named(self, name: str) -> str:
        """The id of the site that goes by this name (M4); the name itself where none does.

        For requests and commands. Events name the id: an alias among them is no site.
        """
        return name if name in self else self._named.get(alias(name), name)

    def __contains__(self, id: Any) -> bool:
        return id in self._sites or (self.open and isinstance(id, str) and _ID.fullmatch(id) is not None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)
