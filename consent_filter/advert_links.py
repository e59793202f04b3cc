"""Addresses of adverts that only the operator can make: where a click leads, and what an exchange calls.

A signature is HMAC-SHA-256 over what must not be changed, each part with its length, cut to 128 bits. Its key
is derived from the ledger's, which is never replaced: an address in a letter must work years later, until the
end that stands in it.
"""

from __future__ import annotations

import hmac
import re
from urllib.parse import urlsplit

from consent_filter.pseudonym import Keyring
from consent_filter.signing import to_text

_BYTES = 16
#: What stands in a header as it is. An address with anything else is percent-encoded first (RFC 3986).
_PLAIN = re.compile(r"[!-~]+")


class Seals:
    """Signs, and tells what was signed here. `key`: 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, keys: Keyring) -> Seals:
        """Those of a data folder."""
        return cls(keys.derived("ledger", b"advert addresses"))

    def sign(self, kind: str, *parts: str) -> str:
        """The signature of these parts, in their order: 22 letters of base64url."""
        said = b"".join(len(part).to_bytes(4) + part for part in map(str.encode, (kind, *parts)))
        return to_text(hmac.digest(self._key, said, "sha256")[:_BYTES])

    def holds(self, signature: str, kind: str, *parts: str) -> bool:
        """Whether that is it. In constant time, so that nobody finds one letter after the other."""
        return hmac.compare_digest(self.sign(kind, *parts).encode(), signature.encode("utf-8", "replace"))


def leads_out(target: str) -> bool:
    """Whether a browser may be sent there: http or https, a host, nobody's name or password before it, and
    nothing that a header or an old browser reads otherwise (RFC 9110 section 10.2.2, WHATWG URL)."""
    if not _PLAIN.fullmatch(target) or "\\" in target:
        return False
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(host) and "@" not in parts.netloc


def host(target: str) -> str:
    """The host that an address leads to, in small letters."""
    return (urlsplit(target).hostname or "").lower()


def with_click(target: str, name: str, id: str) -> str:
    """The address with one more name in its query, before its fragment."""
    head, mark, fragment = target.partition("#")
    return f"{head}{'&' if '?' in head else '?'}{name}={id}{mark}{fragment}"
