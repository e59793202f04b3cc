"""Links for whoever is outside: a signed word that names one delivery, one advertiser, one partner, or one
share link, and ends on its day (M53, M98, M131).

    /packs/<delivery>.<expires>.<signature>
    /advertiser/<advertiser>.<expires>.<signature>
    /partner/<partner>.<expires>.<signature>
    /shared/<link>.<expires>.<signature>     and, where a password was said, ?as=<link>.<expires>.<signature>

Nothing about the word is stored; whoever has it may fetch, as often as was agreed, until it ends.
"""

from __future__ import annotations

from consent_filter.errors import Refused
from consent_filter.signing import PublicKey, SigningKey, to_bytes, to_text

PACK, ADVERTISER = b"throng-pack-link/1\n", b"throng-advertiser-link/1\n"
PARTNER = b"throng-partner-link/1\n"
SHARED, UNLOCKED, MAILS = b"throng-share-link/1\n", b"throng-unlocked-link/1\n", b"throng-mails-link/1\n"
#: Characters of a word of ours, and more than any.
_LONGEST = 200


def make(key: SigningKey, delivery: str, expires: int, kind: bytes = PACK) -> str:
    """The word of a delivery, or of an advertiser. `expires`: UTC milliseconds."""
    said = f"{delivery}.{expires}"
    return f"{said}.{to_text(key.sign(kind + said.encode()))}"


def read(key: PublicKey, word: str, now: int, kind: bytes = PACK) -> str:
    """The delivery, or the advertiser, that the word names. Raises Refused: 404 if it is none of ours, 410 if
    it has ended."""
    said, _, signature = word.rpartition(".")
    try:
        genuine = len(word) <= _LONGEST and key.verifies(to_bytes(signature), kind + said.encode())
    except ValueError:
        genuine = False
    if not genuine:
        raise Refused(404, "no_such_link", "this is no link of ours, or not all of one")
    delivery, _, expires = said.rpartition(".")
    if now >= int(expires):
        raise Refused(410, "link_expired", "this link has expired: ask for a new one")
    return delivery
