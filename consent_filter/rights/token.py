"""What a site's server signs to say who asks: a JWS (RFC 7515) with HS256 or EdDSA, read strictly.

Payload: site, user_id or device_id, right, exp (seconds), jti; optional request (the number it is about) and
email (the address on file). The algorithm is the key's, never the token's to choose (RFC 8725, 3.1).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from consent_filter.errors import Refused
from consent_filter.signing import PublicKey, SigningKey, to_bytes, to_text

#: Characters of the longest token.
LONGEST = 4096
#: Seconds ahead that a token may expire: as long its jti is remembered.
AHEAD = 24 * 3600
#: Seconds that clocks may differ.
SKEW = 60
ALGORITHMS = ("HS256", "EdDSA")


class SiteKey(NamedTuple):
    """material: the shared secret (HS256) or the public key (EdDSA)."""

    kid: str
    site: str
    algorithm: str
    material: bytes


class Said(Struct, forbid_unknown_fields=True, kw_only=True):
    """The payload."""

    site: str
    right: str
    exp: int
    jti: str
    user_id: str | None = None
    device_id: str | None = None
    request: str | None = None
    email: str | None = None
    iat: int | None = None


def make(said: Mapping[str, Any], kid: str, secret: bytes | SigningKey) -> str:
    """A token, as a site's server makes it."""
    algorithm = "EdDSA" if isinstance(secret, SigningKey) else "HS256"
    head = {"alg": algorithm, "typ": "JWT", "kid": kid}
    text = ".".join(to_text(json.dumps(part).encode()) for part in (head, said))
    signed = (
        secret.sign(text.encode())
        if isinstance(secret, SigningKey)
        else hmac.digest(secret, text.encode(), hashlib.sha256)
    )
    return f"{text}.{to_text(signed)}"


def read(text: str, key: Callable[[str], SiteKey | None], now: int) -> Said:
    """What a token says, whose signature and time hold. `key`: by its name; now: UTC milliseconds.

    Raises Refused: token_malformed, token_key, token_forged, token_expired, token_far.
    """
    try:
        if len(text) > LONGEST or not text.isascii():
            raise ValueError
        first, second, third = text.split(".")
        head, signature = json.loads(to_bytes(first)), to_bytes(third)
        payload = to_bytes(second)
        # What is named beside these could ask for what is not understood here (crit, jku, x5c).
        if not isinstance(head, dict) or not {"alg", "kid"} <= set(head) <= {"alg", "kid", "typ"}:
            raise ValueError
        if not isinstance(head["kid"], str):
            raise ValueError
    except (ValueError, RecursionError):
        raise Refused(
            400, "token_malformed", "this is no token: three parts of base64url (RFC 7515)"
        ) from None
    found = key(head["kid"])
    if found is None:
        raise Refused(403, "token_key", "the token's key is not one of this site's, or has been ended")
    if head["alg"] != found.algorithm or not _signed(found, f"{first}.{second}".encode(), signature):
        raise Refused(403, "token_forged", "the token's signature is not its key's")
    try:
        said = msgspec.json.decode(payload, type=Said)
    except (msgspec.DecodeError, UnicodeError):
        raise Refused(
            400,
            "token_malformed",
            "a token says site, user_id or device_id, right, exp, jti, and no other",
        ) from None
    if (said.user_id is None) == (said.device_id is None) or not 8 <= len(said.jti) <= 128:
        raise Refused(400, "token_malformed", "a token is about one id, and its jti has 8 to 128 characters")
    if said.site != found.site:
        raise Refused(403, "token_key", "the token's key is not one of this site's, or has been ended")
    seconds = now // 1000
    if said.exp + SKEW <= seconds:
        raise Refused(403, "token_expired", "the token has expired: have a new one made")
    if said.exp - SKEW > seconds + AHEAD:
        raise Refused(403, "token_far", "a token may expire at most 24 hours ahead")
    return said


def _signed(key: SiteKey, data: bytes, signature: bytes) -> bool:
    if key.algorithm == "HS256":
        return hmac.compare_digest(hmac.digest(key.material, data, hashlib.sha256), signature)
    return PublicKey(key.material).verifies(signature, data)
