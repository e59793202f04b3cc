"""Keys and the pseudonyms made with them. A key for each purpose, so that pseudonyms do not join across them.

Day keys come from a one-way ratchet: the chain of the next day is the hash of today's, and the old one is
destroyed, so that several processes agree without exchanging anything and nobody can go back. A key of a day
is destroyed 48 hours after that day has ended in UTC. An import's day keys come from a key of its own, kept
for 48 hours after its last use, so that a day spread over several files keeps one pseudonym a visitor.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter.errors import Broken

_DAY = 86_400
#: Whole days after its own that a day's key is kept: 48 hours after the day's end.
KEPT_DAYS = 2
#: Seconds that an import's key is kept after its last use.
IMPORT_KEPT = 2 * _DAY
#: How far ahead of UTC a site's own day may be.
_AHEAD = 2
_PURPOSES = ("identity", "ledger", "event_id")


def _derive(key: bytes, what: bytes) -> bytes:
    return blake2b(what, key=key, digest_size=32).digest()


class Keyring:
    """The keys of one data folder. `memory()` keeps them nowhere, for tests and for `explain`."""

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = path, now
        self._held: dict[str, Any] = {}
        self._states: dict[tuple[str, int], Any] = {}
        self._importing = False
        self.roll()

    @classmethod
    def open(cls, path: Path, now: Callable[[], float] = time.time) -> Keyring:
        """The keyring in that file (mode 0600), made if there is none. Several processes may share it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path, now)

    @classmethod
    def memory(cls, now: Callable[[], float] = time.time) -> Keyring:
        return cls(None, now)

    def roll(self) -> None:
        """Destroy what has had its time. Call now and then; a clock that steps back brings no key back."""
        with self._file() as held:
            before = json.dumps(held, sort_keys=True)
            for purpose in _PURPOSES:
                held.setdefault(purpose, secrets.token_hex(32))
            oldest = int(self._now() // _DAY) - KEPT_DAYS
            held.setdefault("chain", {"day": oldest, "key": secrets.token_hex(32)})
            chain = held["chain"]
            while chain["day"] < oldest:
                chain["key"] = _derive(bytes.fromhex(chain["key"]), b"next").hex()
                chain["day"] += 1
            if "import" in held and self._now() - held["import"]["used"] > IMPORT_KEPT:
                del held["import"]
            changed = json.dumps(held, sort_keys=True) != before
        self._held = held
        if changed:
            self._states.clear()

    def importing(self) -> None:
        """Make day pseudonyms with the import's key from now on (made if there is none)."""
        with self._file() as held:
            held.setdefault("import", {"key": secrets.token_hex(32)})["used"] = self._now()
        self._held, self._importing = held, True
        self._states.clear()

    def state(self, purpose: str) -> Any:
        """A keyed BLAKE2b of 16 bytes to `copy()`: identity, ledger or event_id."""
        found = self._states.get((purpose, 0))
        if found is None:
            key = bytes.fromhex(self._held[purpose])
            found = self._states[purpose, 0] = blake2b(key=key, digest_size=16)
        return found

    def day(self, day: int) -> Any | None:
        """The same for the pseudonyms of a day (days since 1970); None if its key is destroyed."""
        found = self._states.get(("day", day))
        if found is None:
            if self._importing:
                key = _derive(bytes.fromhex(self._held["import"]["key"]), b"day %d" % day)
            else:
                chain = self._held["chain"]
                last = int(self._now() // _DAY) + _AHEAD
                if not chain["day"] <= day <= max(last, chain["day"] + KEPT_DAYS + _AHEAD):
                    return None
                key = bytes.fromhex(chain["key"])
                for _ in range(day - chain["day"]):
                    key = _derive(key, b"next")
                key = _derive(key, b"pseudonym")
            found = self._states["day", day] = blake2b(key=key, digest_size=8)
        return found

    @contextmanager
    def _file(self) -> Iterator[dict[str, Any]]:
        """The keys as they stand in the file, locked; what is changed is written back in one step."""
        if self._path is None:
            yield self._held
            return
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                text = self._path.read_text()
            except FileNotFoundError:
                text = "{}"
            try:
                held = json.loads(text)
            except ValueError:
                raise Broken(f"{self._path} is damaged: restore it, or move it away to begin anew") from None
            before = json.dumps(held)
            yield held
            if json.dumps(held) != before:
                self._write(held)
        finally:
            os.close(lock)

    def _write(self, held: dict[str, Any]) -> None:
        """Old keys are overwritten where they stood before the file is replaced: destroyed is destroyed."""
        assert self._path is not None
        draft = self._path.with_suffix(".new")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(file, json.dumps(held, indent=1).encode())
            os.fsync(file)
        finally:
            os.close(file)
        if self._path.exists():
            with self._path.open("r+b") as old:
                kept = os.dup(old.fileno())
            os.replace(draft, self._path)
            try:
                os.pwrite(kept, b"\0" * os.fstat(kept).st_size, 0)
                os.fsync(kept)
            finally:
                os.close(kept)
        else:
            os.replace(draft, self._path)


def hashes(state: Any, texts: list[str]) -> NDArray[np.uint64]:
    """The first 8 bytes of the keyed hash of each text, as uint64. Lone surrogates are hashed as they are."""
    copy = state.copy
    digests = []
    for text in texts:
        one = copy()
        one.update(text.encode("utf-8", "surrogatepass"))
        digests.append(one.digest()[:8])
    return np.frombuffer(b"".join(digests), "<u8")
