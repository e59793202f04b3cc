"""Whose request it is: the connection's address, or what a trusted proxy says of it (RFC 7239).

Only the last untrusted address in the chain counts: what stands further left was written by the client.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from consent_filter.errors import Misconfigured


class Trust:
    """The networks of the operator's own proxies."""

    def __init__(self, networks: Iterable[str]) -> None:
        try:
            self._networks = [ip_network(network) for network in networks]
        except ValueError:
            raise Misconfigured("ingest.trusted_proxies", "…", 'networks, e.g. "10.0.0.0/8"') from None
        self.trusts = lru_cache(maxsize=8192)(self._trusts)

    def _trusts(self, address: str) -> bool:
        plain = _plain(address)
        if plain is None:
            return False
        found = ip_address(plain)
        return any(found in network for network in self._networks)

    def client(self, peer: str, x_forwarded_for: str, forwarded: str) -> str:
        """The visitor's address. An unreadable element ends the chain at the proxy before it."""
        if not self._networks or not self.trusts(peer):
            return peer
        chain = _said(forwarded, "for") if forwarded else [one.strip() for one in x_forwarded_for.split(",")]
        found = peer
        for element in reversed(chain):
            address = _plain(element)
            if address is None:
                return found
            found = address
            if not self.trusts(found):
                return found
        return found

    def encrypted(self, own: bool, x_forwarded_proto: str, forwarded: str) -> bool:
        """Whether a request came encrypted, by what a trusted proxy says of it; `own`: whether the connection
        to us is, which counts where nothing is said. One part of the way in clear makes all of it clear."""
        said = [one.strip().lower() for one in x_forwarded_proto.split(",") if one.strip()]
        if forwarded:
            protos = _said(forwarded, "proto")
            said += [proto.lower() for proto in protos if proto] if protos[-1] else []
        return all(one == "https" for one in said) if said else own


def _said(header: str, what: str) -> list[str]:
    """The `for` or `proto` of each element of a Forwarded header; "" where it has none, so that a chain of
    addresses ends there."""
    chain = []
    for element in header.split(","):
        found = ""
        for pair in element.split(";"):
            name, _, value = pair.strip().partition("=")
            if name.lower() == what:
                found = value.strip().strip('"')
        chain.append(found)
    return chain


@lru_cache(maxsize=8192)
def _plain(text: str) -> str | None:
    """An address as usually spelt, also from `[v6]:port` or `v4:port`; None for anything else ("unknown").

    Remembered, because a visitor sends several events and understanding an address costs 5 µs.
    """
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    return str(found)
