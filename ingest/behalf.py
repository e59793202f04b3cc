"""Servers that send for somebody: VAST's server-side insertion, a shop's own server; whose word counts.

`X-Device-IP` and `X-Device-User-Agent` (IAB VAST 4.3, 3.11) say who watched. They are believed from the
networks of `[ingest] ad_servers`, or with a token that `throng adverts token` has printed; from anybody else
they are refused, because whoever may say them may be everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address

from consent_filter.advert_links import Seals, whose
from consent_filter.tokens import Tokens
from ingest.forwarded import Trust

ADDRESS, AGENT = b"x-device-ip", b"x-device-user-agent"
#: Either of them is a claim.
CLAIMS = frozenset((ADDRESS, AGENT))
#: What a server says of itself, and not of whom it sends for.
_ITS_OWN = (
    b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"sec-purpose", b"purpose", b"x-moz",
    b"origin", b"referer",
)  # fmt: skip
_BEARER = b"bearer "


class Behalf:
    """`networks`: whose word counts without a token. `tokens`: which were taken back."""

    def __init__(self, networks: Iterable[str], seals: Seals | None, tokens: Tokens | None = None) -> None:
        self._trust, self._seals, self._tokens = Trust(networks), seals, tokens

    def vouches(self, head: Mapping[bytes, bytes], peer: str, now: float) -> bool:
        """Whether who sends may speak for others: of these networks, or with a token that is good."""
        if self._trust.trusts(peer):
            return True
        said = head.get(b"authorization", b"")
        token = said[len(_BEARER) :].strip() if said[: len(_BEARER)].lower() == _BEARER else b""
        return (
            self._seals is not None
            and whose(self._seals, token.decode("latin-1"), "servers", now, self._tokens) is not None
        )

    def doubts(self, head: Mapping[bytes, bytes], peer: str, now: float) -> str:
        """Why contacts are not believed of who sends (`ingest.rejects`), "" where they are. How many letters
        a server has sent is no rate of a visitor's: nobody else is asked."""
        return "" if self.vouches(head, peer, now) else "vouched"

    def speak(self, head: dict[bytes, bytes], peer: str, now: float) -> str | None:
        """The address of whom a request is for, and `head` as if they had sent it; None where it is not to be
        believed. `peer`: who sends. `now`: seconds since 1970."""
        if not self.vouches(head, peer, now):
            return None
        try:
            address = ip_address(head.get(ADDRESS, b"").decode("ascii").strip())
        except ValueError:
            return None
        for name in _ITS_OWN:
            head.pop(name, None)
        head[b"user-agent"] = head.get(AGENT, b"")
        mapped = getattr(address, "ipv4_mapped", None)
        return str(mapped or address)
