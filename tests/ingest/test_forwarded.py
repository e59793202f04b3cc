"""The visitor's address: the rightmost one that no trusted proxy has, whatever a client writes before it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.errors import Misconfigured
from ingest.forwarded import Trust

NETWORKS = ("10.0.0.0/8", "127.0.0.0/8", "2001:db8::/32")
TRUST = Trust(NETWORKS)
TRUSTED = st.sampled_from(["10.0.0.1", "10.255.0.9", "127.0.0.1", "2001:db8::7"])
FOREIGN = st.sampled_from(["203.0.113.5", "11.0.0.1", "2001:db9::1", "198.51.100.1", "::1"])
ADDRESSES = TRUSTED | FOREIGN
#: What is no address: it ends the chain.
NOISE = st.sampled_from(
    ["", "unknown", "_hidden", "10.0.0", "10.0.0.256", "::g", "\x00", "1.2.3.4.5", "[", "%"]
)


def _is_trusted(address: str) -> bool:
    return any(ip_address(address) in ip_network(network) for network in NETWORKS)


def _oracle(peer: str, chain: list[str | None]) -> str:
    """Walk from the right while the last one known is trusted and the next one can be read."""
    known = peer
    while chain and _is_trusted(known) and chain[-1] is not None:
        known, chain = chain[-1], chain[:-1]
    return known


@st.composite
def _spelt(draw: st.DrawFn) -> tuple[str, str, str | None]:
    """One element as X-Forwarded-For and as Forwarded spell it, and the address meant."""
    if draw(st.integers(0, 4)) == 0:
        noise = draw(NOISE)
        return noise, f'for="{noise}"', None
    address = draw(ADDRESSES)
    port = draw(st.sampled_from(["", ":443"]))
    bare = f"[{address}]{port}" if ":" in address else f"{address}{port}"
    plain = address if draw(st.booleans()) and not port else bare
    mapped = draw(st.booleans()) and not port and ":" not in address
    more = draw(st.sampled_from(["", ";proto=https", ";by=10.0.0.1"]))
    name = draw(st.sampled_from(["for", "For", "FOR"]))
    first = draw(st.sampled_from(["", "proto=http; "]))
    return (f"::ffff:{address}" if mapped else plain), f'{first}{name}="{bare}"{more}', address


@given(ADDRESSES, st.lists(_spelt(), min_size=1, max_size=6), st.sampled_from([",", ", ", " ,  "]))
def test_the_rightmost_untrusted_address_counts(
    peer: str, chain: list[tuple[str, str, str | None]], comma: str
) -> None:
    meant = _oracle(peer, [address for *_, address in chain])
    assert TRUST.client(peer, comma.join(one for one, _, _ in chain), "") == meant
    assert TRUST.client(peer, "198.51.100.99", comma.join(one for _, one, _ in chain)) == meant


@given(st.text(max_size=60), st.text(max_size=60), FOREIGN)
def test_what_an_untrusted_peer_says_is_not_heard(x_forwarded_for: str, forwarded: str, peer: str) -> None:
    assert TRUST.client(peer, x_forwarded_for, forwarded) == peer
    assert Trust(()).client("10.0.0.1", x_forwarded_for, forwarded) == "10.0.0.1"


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_header_breaks_it_and_only_addresses_come_out(x_forwarded_for: str, forwarded: str) -> None:
    ip_address(TRUST.client("127.0.0.1", x_forwarded_for, forwarded))


@given(st.text(max_size=40), ADDRESSES)
def test_a_client_cannot_write_further_right_than_its_proxy(forged: str, address: str) -> None:
    """A proxy appends; whatever stands before its comma changes nothing where its own word is a visitor."""
    found = TRUST.client("10.0.0.1", f"{forged},{address}", "")
    if not _is_trusted(address):
        assert found == address


def test_networks_must_be_networks() -> None:
    with pytest.raises(Misconfigured):
        Trust(["10.0.0.0/40"])
