"""Record keys: a small random number for each person, the same wherever they are counted.

A record key is one of 256. The record keys of a cell's people, added up modulo 256, are its cell key, which
picks the noise (`perturbation.py`): whoever counts the same people gets the same cell key, however they are
cut into buckets, in whatever report. It is a keyed hash of the pseudonym that keeps eight bits of 64, never
stored and never shown, so that nobody can recompute a pseudonym from it.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from consent_filter.pseudonym import Keyring

#: How many record keys, and cell keys, there are.
MANY = 256
#: A new epoch gives everyone new keys and every number new noise, so that whoever has both has two draws of
#: each. It is never begun by the clock: only where the key has become known.
EPOCH = b"record keys, epoch 1"


class RecordKeys(NamedTuple):
    """The secret: two words of 64 bits."""

    one: int
    two: int

    @classmethod
    def of(cls, secret: bytes) -> RecordKeys:
        """From 32 bytes of a key."""
        return cls(int.from_bytes(secret[:8], "little"), int.from_bytes(secret[8:16], "little"))

    @classmethod
    def open(cls, data: Path) -> RecordKeys:
        """Those of a data folder: derived from its keyring, which makes a key where there is none."""
        return cls.of(Keyring.open(data / "keys.json").derived("record", EPOCH))

    def sql(self, person: str = "person") -> str:
        """The record key of a person (0 to 255), as SQL: two rounds of the database's hash under two keys
        (Even and Mansour's way); a cryptographic one costs thirty times as much and hides nothing more, as
        whoever has the pseudonyms has the facts."""
        inner = f"hash(xor({person}, {self.one:d}::UBIGINT))"
        return f"(hash(xor({inner}, {self.two:d}::UBIGINT)) & {MANY - 1})::INTEGER"

    @property
    def fingerprint(self) -> str:
        """Says whether two keys are the same, and nothing else of them."""
        secret = self.one.to_bytes(8, "little") + self.two.to_bytes(8, "little")
        return blake2b(b"fingerprint", key=secret, digest_size=8).hexdigest()
