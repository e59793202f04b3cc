"""The public key that a receipt, a certificate or a pack is checked with: given, or that of a data folder."""

from __future__ import annotations

from pathlib import Path

from consent_filter import signing
from consent_filter.errors import Misconfigured
from consent_filter.signing import PublicKey, SigningKey

#: Bytes of a file that holds a public key.
_KEY = 4096
#: What `--key` may be, in words.
ANSWERED = "a file as GET /consent/key answers, or the x in it"
PRINTED = "what `throng receipt key` prints, or the x in it"


def given(said: str, allowed: str = ANSWERED) -> PublicKey:
    """From a file, or from the key itself. Raises Misconfigured with what is `allowed`."""
    try:
        try:
            with open(said, "rb") as file:
                said = file.read(_KEY).decode()
        except OSError:
            pass  # no file: the key itself
        return PublicKey.parse(said)
    except ValueError:
        # Never what was given: it may be the private key.
        raise Misconfigured("--key", "…", allowed) from None


def own(folder: Path) -> PublicKey:
    """That of a data folder. Raises Misconfigured where it has none."""
    try:
        return SigningKey.read(folder / signing.FILE).public
    except FileNotFoundError:
        raise Misconfigured("--key", None, f"needed, as {folder} has no {signing.FILE}") from None
