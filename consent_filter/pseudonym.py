"""Keys and the pseudonyms made with them. A key for each purpose, so that pseudonyms do not join across them.

Day keys come from a one-way ratchet: the chain of the next day is the hash of today's, and the old one is
destroyed, so that several processes agree without exchanging anything and nobody can go back. A day's key is
destroyed 48 hours after the day has begun in UTC. Days of imported logs get their keys from another, which
lives for 48 hours too: a day spread over several files keeps one pseudonym a visitor meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter import keyfile
from consent_filter.errors import Broken
from consent_filter.raw import Column

_DAY = 86_400
#: Whole days that a day's key outlives its own day: destroyed 48 hours after the day began.
_KEPT_DAYS = 1
#: How many days ahead of UTC a site's own day may be (UTC+14).
_AHEAD = 1
#: Seconds that an import's key lives.
IMPORT_KEPT = 2 * _DAY
#: Bytes of the hash that each key makes: what is stored as a number has eight.
_PURPOSES = {"identity": 8, "ledger": 16, "event_id": 8, "advertising": 8}


#: Stands for the hash of no id.
_NONE = b"\xff" * 8


def _derive(key: bytes, what: bytes) -> bytes:
    return blake2b(what, key=key, digest_size=32).digest()


class Keyring:
    """The keys of one data folder, held in its file and in memory. Processes that share the file agree.

    `importing`: the days are those of old logs, and their keys come from the import's key.
    """

    def __init__(
        self, path: Path | None, now: Callable[[], float] = time.time, *, importing: bool = False
    ) -> None:
        self._path, self._now = path, now
        self._importing = importing
        #: Changes with the keys: pseudonyms made before may not be made any more.
        self.version = 0
        self._held: dict[str, Any] = {}
        self._states: dict[tuple[str, int], Any] = {}
        self._roll()

    @classmethod
    def open(cls, path: Path, now: Callable[[], float] = time.time, *, importing: bool = False) -> Keyring:
        """The keyring in that file (mode 0600), made if there is none. `now`: seconds since 1970."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path, now, importing=importing)

    @classmethod
    def memory(cls, now: Callable[[], float] = time.time, *, importing: bool = False) -> Keyring:
        """Keys that are kept nowhere: for tests, benchmarks and `explain`."""
        return cls(None, now, importing=importing)

    def importing(self) -> None:
        """From now on the days are those of old logs."""
        self._importing = True
        self._roll()

    def roll(self) -> None:
        """Destroy what has had its time. Asking for a day does it too; an idle process calls it."""
        if self._due():
            self._roll()

    def state(self, purpose: str) -> Any:
        """A keyed BLAKE2b to `copy()`: identity, event_id, advertising (8 bytes) or ledger (16)."""
        found = self._states.get((purpose, 0))
        if found is None:
            key = bytes.fromhex(self._held[purpose])
            found = self._states[purpose, 0] = blake2b(key=key, digest_size=_PURPOSES[purpose])
        return found

    def derived(self, purpose: str, what: bytes) -> bytes:
        """Another key, of 32 bytes, that lives exactly as long as that purpose's."""
        return _derive(bytes.fromhex(self._held[purpose]), what)

    def day(self, day: int, purpose: str = "measurement") -> Any | None:
        """A keyed BLAKE2b of 8 bytes for the pseudonyms of a day (days since 1970, in the site's own zone).

        None where that day's key is destroyed, or the day is not yet near.
        """
        self.roll()
        found = self._states.get((purpose, day))
        if found is None:
            key = self._day_key(day)
            if key is None:
                return None
            found = blake2b(key=_derive(key, purpose.encode()), digest_size=8)
            self._states[purpose, day] = found
        return found

    def _day_key(self, day: int) -> bytes | None:
        if self._importing:
            return _derive(bytes.fromhex(self._held["import"]["key"]), b"day %d" % day)
        chain = self._held["chain"]
        if not chain["day"] <= day <= self.today() + _AHEAD:
            return None
        key = bytes.fromhex(chain["key"])
        for _ in range(day - chain["day"]):
            key = _derive(key, b"next")
        return key

    def today(self) -> int:
        """Days since 1970, in UTC."""
        return int(self._now() // _DAY)

    def _due(self) -> bool:
        """Whether the keys held are older, or younger, than the clock lets them be."""
        day = self._held["chain"]["day"]
        if not day <= self.today() <= day + _KEPT_DAYS:
            return True
        born = self._held["import"]["born"] if "import" in self._held else self._now()
        missing = self._importing and "import" not in self._held
        return missing or not 0 <= self._now() - born < IMPORT_KEPT

    def _roll(self) -> None:
        """Bring the file and this process to the present."""
        with self._file() as held:
            for purpose in _PURPOSES:
                held.setdefault(purpose, secrets.token_hex(32))
            oldest = self.today() - _KEPT_DAYS
            chain = held.get("chain")
            # A clock that has stepped back behind the chain gets a new one: the keys before it are destroyed
            # and stay so, and a chain that ran ahead must not stand still until the clock has caught up.
            if chain is None or chain["day"] > oldest + _KEPT_DAYS:
                chain = held["chain"] = {"day": oldest, "key": secrets.token_hex(32)}
            while chain["day"] < oldest:
                chain["key"] = _derive(bytes.fromhex(chain["key"]), b"next").hex()
                chain["day"] += 1
            if "import" in held and not 0 <= self._now() - held["import"]["born"] < IMPORT_KEPT:
                del held["import"]
            if self._importing and "import" not in held:
                held["import"] = {"born": self._now(), "key": secrets.token_hex(32)}
        if held != self._held:
            self._states.clear()
            self.version += 1
        self._held = held

    @contextmanager
    def _file(self) -> Iterator[dict[str, Any]]:
        """The keys as they stand in the file, locked; what is changed is written back in one step."""
        if self._path is None:
            held = json.loads(json.dumps(self._held))
            yield held
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
            yield held
            if json.dumps(held) != json.dumps(json.loads(text)):
                _replace(self._path, json.dumps(held, indent=1).encode())
        finally:
            os.close(lock)


def _replace(path: Path, data: bytes) -> None:
    """Write the file anew in one step, then overwrite the old keys where they stood: gone is gone."""
    old = os.open(path, os.O_WRONLY) if path.exists() else None
    keyfile.write(path, data)
    if old is not None:
        try:
            os.pwrite(old, b"\0" * os.fstat(old).st_size, 0)
            os.fsync(old)
        finally:
            os.close(old)


def lasting(held: Mapping[str, Any]) -> dict[str, Any]:
    """Of a key file, what may be copied: never keys that are destroyed on time, as a copy is not."""
    return {name: held[name] for name in held if name not in ("chain", "import")}


def hashes(state: Any, texts: Sequence[bytes]) -> NDArray[np.uint64]:
    """The keyed hash of 8 bytes of each text, as uint64."""
    copy = state.copy
    digests = []
    for text in texts:
        one = copy()
        one.update(text)
        digests.append(one.digest())
    return np.frombuffer(b"".join(digests), "<u8")


def subject(keys: Keyring, site: str, kind: str, id: str) -> bytes:
    """How the ledger finds an id: its keyed hash of 16 bytes."""
    one = keys.state("ledger").copy()
    one.update(f"{site}\0{kind}\0{id}".encode("utf-8", "surrogatepass"))
    return bytes(one.digest())


def event_ids(keys: Keyring, site: Column[str], ids: Sequence[str | None]) -> NDArray[np.uint64]:
    """Keyed hash of (site, id): finds a retry, and says nothing else. 2**64 - 1 where no id was sent."""
    if ids.count(None) == len(ids):
        return np.full(len(ids), 2**64 - 1, np.uint64)
    copy = keys.state("event_id").copy
    sites = site.values * len(ids) if len(site.values) == 1 else site.rows()
    digests = []
    for one, id in zip(sites, ids, strict=False):
        if id is None:
            digests.append(_NONE)
            continue
        state = copy()
        state.update(f"{one}\0{id}".encode("utf-8", "surrogatepass"))
        digests.append(state.digest())
    return np.frombuffer(b"".join(digests), "<u8")
