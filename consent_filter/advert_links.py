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
from consent_filter.signing import to_bytes, to_text
from consent_filter.tokens import Tokens

_BYTES = 16
#: Characters of the longest token.
_LONGEST = 300
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


#: What a token may be for.
USES = ("servers", "catalogue")


def token(seals: Seals, use: str, name: str, until: int) -> str:
    """A word for a machine: its name, what it may do, and until when (seconds since 1970). Whoever has it is
    believed, so it goes over an encrypted way only."""
    return f"th1.{use}.{to_text(name.encode())}.{until}.{seals.sign('token', use, name, str(until))}"


def whose(seals: Seals, said: str, use: str, now: float, tokens: Tokens | None = None) -> str | None:
    """The name that a token is of; None where it is none, is over, was taken back (`tokens`), or is for
    something else."""
    parts = said.split(".")
    if len(parts) != 5 or parts[:2] != ["th1", use] or len(said) > _LONGEST or not said.isascii():
        return None
    try:
        name = to_bytes(parts[2]).decode()
    except ValueError:
        return None
    if not parts[3].isdecimal() or not seals.holds(parts[4], "token", use, name, parts[3]):
        return None
    if now > int(parts[3]) or (tokens is not None and tokens.ended(said)):
        return None
    return name
