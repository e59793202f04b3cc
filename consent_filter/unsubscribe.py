"""Links that refuse marketing without a login (RFC 8058): a sealed word of whose refusal it is, and of what.

A link holds no id. It holds the keyed hash under which the ledger finds the person, the site, and the
purposes, sealed by AES-SIV (RFC 5297): nobody without the key can read it, make one, or change one. The same
link is made for the same person, site and purposes every time, and has no end: a letter may be opened years
later. Links of the first version were made before own and affiliate material were told apart, when a letter
could be either: they refuse both. A link's key is derived from the ledger's, without which the hash would
find nobody anyway: a link lives as long as the keys of its data folder.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from consent_filter.errors import Refused
from consent_filter.marketing import EVERY, with_affiliates
from consent_filter.pseudonym import Keyring, subject
from consent_filter.signing import to_bytes, to_text

_VERSION, _BEFORE = 2, 1
#: Bytes that tell which keys a link was made with.
_GENERATION = 3
#: `contact`: somebody without an account, by the address that they were written to at.
_KINDS = ("user", "device", "contact")
#: Purposes, kind, and the keyed hash; the site is the rest.
_BODY = struct.Struct(">IB16s")
_SEAL = 16
#: Characters of the longest link.
LONGEST = 160


class Link(NamedTuple):
    """A refusal that somebody may make. key: how the ledger finds them."""

    site: str
    kind: str
    key: bytes
    purposes: int


class Links:
    """Makes links, and reads them, under the keys of one data folder."""

    def __init__(self, keys: Keyring) -> None:
        self._keys = keys
        self._seal = AESSIV(keys.derived("ledger", b"unsubscribe link"))
        self._generation = keys.derived("ledger", b"unsubscribe generation")[:_GENERATION]

    def make(self, site: str, kind: str, id: str, purposes: int) -> str:
        """The token that refuses these purposes, which are marketing's, for that id."""
        if not purposes or purposes & ~EVERY:
            raise ValueError("a link refuses marketing, and nothing else")
        body = _BODY.pack(purposes, _KINDS.index(kind), subject(self._keys, site, kind, id)) + site.encode()
        head = bytes([_VERSION]) + self._generation
        return to_text(head + self._seal.encrypt(body, [head]))

    def read(self, token: str) -> Link:
        """What a token says. Raises Refused for one that was not made here; nothing of it is repeated."""
        try:
            if len(token) > LONGEST:
                raise ValueError
            data = to_bytes(token)
        except ValueError:  # also what is no ASCII
            raise Refused(404, "link_malformed", "this is no link: it was cut off or mistyped") from None
        head, sealed = data[: 1 + _GENERATION], data[1 + _GENERATION :]
        if len(sealed) <= _SEAL + _BODY.size:
            raise Refused(404, "link_malformed", "this is no link: it was cut off or mistyped")
        if head[0] not in (_VERSION, _BEFORE):
            raise Refused(404, "link_version", "this link is of a version that is not known here")
        if head[1:] != self._generation:
            raise Refused(404, "link_key", "this link was not made here, or with keys that are gone")
        try:
            body = self._seal.decrypt(sealed, [head])
        except InvalidTag:
            raise Refused(404, "link_altered", "this link was altered or cut off") from None
        purposes, kind, key = _BODY.unpack_from(body)
        meant = with_affiliates(purposes) if head[0] == _BEFORE else purposes
        return Link(body[_BODY.size :].decode(), _KINDS[kind], key, meant)
