"""The key that signs receipts (Ed25519, RFC 8032): kept in the data folder, its public half for everyone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import threading
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from consent_filter import keyfile
from consent_filter.errors import Broken

#: Its name in the data folder.
FILE = "receipts.key"
_BYTES = 32


def to_text(data: bytes) -> str:
    """base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def to_bytes(text: str) -> bytes:
    """The reverse. Raises ValueError for all but the one text that stands for those bytes."""
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError("no base64url") from None
    if to_text(data) != text:
        raise ValueError("no base64url as it is written here")
    return data


class PublicKey:
    """What a receipt is checked with. `id` is the thumbprint of the key (RFC 7638)."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._key = Ed25519PublicKey.from_public_bytes(raw)
        needed = {"crv": "Ed25519", "kty": "OKP", "x": to_text(raw)}
        text = json.dumps(needed, separators=(",", ":"))
        self.id = to_text(hashlib.sha256(text.encode()).digest())

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """A key as `jwk` has it, or its `x` alone. Raises ValueError for anything else."""
        text = text.strip()
        if text.startswith("{"):
            try:
                said = json.loads(text)
            except RecursionError:
                raise ValueError("no key") from None
            if said.get("kty") != "OKP" or said.get("crv") != "Ed25519" or not isinstance(said.get("x"), str):
                raise ValueError("no Ed25519 key")
            text = said["x"]
        raw = to_bytes(text)
        if len(raw) != _BYTES:
            raise ValueError("no Ed25519 key")
        return cls(raw)

    def jwk(self) -> dict[str, str]:
        """As it is published (RFC 8037)."""
        return {
            "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": self.id,
            "x": to_text(self.raw),
        }  # fmt: skip

    def verifies(self, signature: bytes, data: bytes) -> bool:
        try:
            self._key.verify(signature, data)
        except InvalidSignature:
            return False
        return True


class SigningKey:
    """The private half."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def of(cls, seed: bytes) -> SigningKey:
        """The key that those 32 bytes stand for."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def read(cls, path: Path) -> SigningKey:
        """The key in that file. Raises Broken where it is damaged, FileNotFoundError where there is none."""
        try:
            key = load_pem_private_key(path.read_bytes(), None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            key = None  # never the message: it may quote the file
        if not isinstance(key, Ed25519PrivateKey):
            raise Broken(f"{path} is damaged: restore it, or move it away to sign with a new key")
        return cls(key)

    def write(self, path: Path) -> None:
        """Into that file (mode 0600), in one step, durable on return."""
        data = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        keyfile.write(path, data)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


class Signer:
    """The key of one data folder, made when it is first needed, by whichever process needs it first."""

    def __init__(self, path: Path) -> None:
        self._path, self._lock = path, threading.Lock()
        self._key: SigningKey | None = None

    def key(self) -> SigningKey:
        """Raises OSError or Broken where it can be neither read nor made; asked again, it tries again."""
        with self._lock:
            if self._key is None:
                try:
                    key = SigningKey.read(self._path)
                except FileNotFoundError:
                    key = self._make()
                self._key = key
            return self._key

    def _make(self) -> SigningKey:
        """A new key, unless another process has just made one: of two the first holds, for both.

        Drafts, also those of who was killed at it, are of no use to anybody once there is a key.
        """
        draft = self._path.with_name(f"{self._path.stem}-{os.getpid()}.key")
        SigningKey(Ed25519PrivateKey.generate()).write(draft)
        with suppress(FileExistsError, FileNotFoundError):
            os.link(draft, self._path)
        for left in (self._path.with_suffix(".new"), *self._path.parent.glob(f"{self._path.stem}-*.key")):
            left.unlink(missing_ok=True)
        return SigningKey.read(self._path)
