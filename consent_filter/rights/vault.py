"""What names a person, sealed (AES-256-GCM) under a key of its own: DATA/rights.key; DATA/accounts.key."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consent_filter import keyfile
from consent_filter.errors import Broken

#: Its name in the data folder.
FILE = "rights.key"
_BYTES, _NONCE = 32, 12


class Vault:
    """Seals and opens; also makes keyed hashes, by which equal things are found and nothing is read."""

    def __init__(self, key: bytes) -> None:
        self._seal = AESGCM(blake2b(b"seal", key=key, digest_size=32).digest())
        self._index = blake2b(b"index", key=key, digest_size=32).digest()

    @classmethod
    def read(cls, path: Path) -> Vault:
        """The key in that file. Raises FileNotFoundError, or Broken where it is damaged."""
        key = path.read_bytes()
        if len(key) != _BYTES:
            raise Broken(f"{path} is damaged: restore it from a backup")
        return cls(key)

    @classmethod
    def make(cls, path: Path) -> Vault:
        """A new key in that file (mode 0600). The caller sees to it that nobody else does the same."""
        keyfile.write(path, secrets.token_bytes(_BYTES))
        return cls.read(path)

    def seal(self, data: bytes, where: str) -> bytes:
        """`where` is authenticated too: what is moved to another place cannot be opened there."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._seal.encrypt(nonce, data, where.encode())

    def open(self, sealed: bytes, where: str) -> bytes:
        """Raises Broken for what was altered, moved, or sealed under another key."""
        try:
            return self._seal.decrypt(sealed[:_NONCE], sealed[_NONCE:], where.encode())
        except (InvalidTag, ValueError):
            raise Broken("a store and its key do not belong together, or it was altered") from None

    def hash(self, what: str, data: bytes) -> bytes:
        """16 bytes that stand for `data`; nobody without the key can try values."""
        return blake2b(what.encode() + b"\0" + data, key=self._index, digest_size=16).digest()
