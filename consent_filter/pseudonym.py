"""Keys and the pseudonyms made with them. A key for each purpose, so that pseudonyms do not join across them.

Day keys come from a one-way ratchet: the chain of the next day is the hash of today's, and the old one is
destroyed, so that several processes agree without exchanging anything and nobody can go back. A day's key is
destroyed 48 hours after the day has begun in UTC. Days of imported logs get their keys from another, which
lives for 48 hours too: a day spread over several files keeps one pseudonym a visitor meanwhile.

Of lasting keys each purpose has a list, whose last makes what is new (`rotation.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from consent_filter import keyfile, rotation
from consent_filter.errors import Broken
from consent_filter.raw import Column
from consent_filter.rotation import WIDTHS, Life

_DAY = 86_400
#: Whole days that a day's key outlives its own day: destroyed 48 hours after the day began.
_KEPT_DAYS = 1
#: How many days ahead of UTC a site's own day may be (UTC+14).
_AHEAD = 1
#: Seconds that an import's key lives.
IMPORT_KEPT = 2 * _DAY
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
        self._states: dict[tuple[str, int | str | None], Any] = {}
        #: Which file was read: another process may have written it since.
        self._stamp: tuple[int, int] | None = None
        #: When the next of the lasting keys is to end.
        self._ends = float("inf")
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
        """Destroy what has had its time, and take in what another process has replaced or destroyed. Asking
        for a day does the first; an idle process calls it. It takes 2 µs."""
        if self._due() or self._written() not in (None, self._stamp):
            self._roll()

    def state(self, purpose: str) -> Any:
        """A keyed BLAKE2b to `copy()`, of the newest key of that purpose: WIDTHS says how many bytes."""
        return self._states.get((purpose, -1)) or self._state(
            purpose, -1, rotation.newest(self._held[purpose])
        )

    def under(self, purpose: str, id: str | None) -> Any | None:
        """The same of the key of that name; None where it is destroyed. None names the first there was.

        Raises Broken where there never was one: keys and ledger are not of one folder.
        """
        found = self._states.get((purpose, id))
        if found is None:
            entry = self._entry(purpose, id)
            if entry is None:
                self._roll()  # another process has made it
                entry = self._entry(purpose, id)
            if entry is None:
                raise Broken("the ledger names a key that keys.json does not: restore both of one backup")
            if "key" not in entry:
                return None
            found = self._state(purpose, id, entry)
        return found

    def before(self, purpose: str) -> Any | None:
        """The same of the key that was replaced and has yet to end, where there is one; or of the next one,
        from its day until it begins."""
        if "begins" in self._held[purpose][-1]:
            return self.under(purpose, self._held[purpose][-1]["id"])
        for entry in self._held[purpose][:-1] if self._ends < float("inf") else ():
            if "key" in entry and self._now() < entry.get("ends", 0):
                return self.under(purpose, entry["id"])
        return None

    def newest(self, purpose: str) -> str:
        """The name of the key that makes what is new."""
        return str(rotation.newest(self._held[purpose])["id"])

    def _entry(self, purpose: str, id: str | None) -> dict[str, Any] | None:
        entries = self._held[purpose]
        return entries[0] if id is None else next((one for one in entries if one["id"] == id), None)

    def _state(self, purpose: str, id: int | str | None, entry: Mapping[str, Any]) -> Any:
        found = blake2b(key=bytes.fromhex(entry["key"]), digest_size=WIDTHS[purpose])
        self._states[purpose, id] = found
        return found

    def derived(self, purpose: str, what: bytes) -> bytes:
        """Another key, of 32 bytes, that lives exactly as long as that purpose's."""
        return _derive(bytes.fromhex(self._held[purpose][-1]["key"]), what)

    def lives(self) -> list[Life]:
        """Every lasting key that there is or was."""
        return list(rotation.lives(self._held))

    def passing(self) -> Iterator[tuple[str, float, float]]:
        """Keys that end by themselves: day or import, when each began and ends (seconds since 1970)."""
        today = self.today()
        for day in range(self._held["chain"]["day"], today + 1):
            yield "day", day * _DAY, (day + 2) * _DAY
        if "import" in self._held:
            yield "import", self._held["import"]["born"], self._held["import"]["born"] + IMPORT_KEPT

    def replace(self, purpose: str) -> str:
        """Another key of that purpose for what is new, in every process; its name. Raises Refused."""
        with self._changing() as held:
            return rotation.replace(held, purpose, self._now())

    def follow(self, schedule: rotation.Keys, named: str | None = None) -> list[str]:
        """`rotation.follow`, in every process that shares the file."""
        with self._changing() as held:
            return rotation.follow(held, schedule, self._now(), named)

    def destroy(self, ids: Iterable[str]) -> None:
        """The keys of these names leave the file, and where it stood. Unknown names change nothing."""
        with self._changing() as held:
            rotation.destroy(held, ids, self._now())

    @contextmanager
    def standing(self) -> Iterator[bytes]:
        """The file as it is, and nobody changes it meanwhile."""
        assert self._path is not None
        with self._locked():
            yield self._path.read_bytes()

    def day(self, day: int, purpose: str = "measurement") -> Any | None:
        """A keyed BLAKE2b of 8 bytes for the pseudonyms of a day (days since 1970, in the site's own zone).

        None where that day's key is destroyed, or the day is not yet near.
        """
        if self._due():
            self._roll()
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

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now()

    def today(self) -> int:
        """Days since 1970, in UTC."""
        return int(self._now() // _DAY)

    def _due(self) -> bool:
        """Whether the keys held are older, or younger, than the clock lets them be."""
        day = self._held["chain"]["day"]
        if not day <= self.today() <= day + _KEPT_DAYS or self._now() >= self._ends:
            return True
        born = self._held["import"]["born"] if "import" in self._held else self._now()
        missing = self._importing and "import" not in self._held
        return missing or not 0 <= self._now() - born < IMPORT_KEPT

    def _roll(self) -> None:
        """Bring the file and this process to the present."""
        with self._changing():
            pass

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Any]]:
        """The keys of the present, to be changed in the file and in this process."""
        with self._file() as held:
            rotation.settle(held, self._now())
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
            yield held
        if held != self._held:
            self._states.clear()
            self.version += 1
        self._held = held
        ends = [one.ends for one in self.lives() if one.ends is not None]
        begins = [one["begins"] for purpose in WIDTHS for one in held[purpose][-1:] if "begins" in one]
        self._ends = min([*ends, *begins], default=float("inf"))

    def _written(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    @contextmanager
    def _locked(self) -> Iterator[None]:
        assert self._path is not None
        lock = os.open(self._path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    @contextmanager
    def _file(self) -> Iterator[dict[str, Any]]:
        """The keys as they stand in the file, locked; what is changed is written back in one step."""
        if self._path is None:
            held = json.loads(json.dumps(self._held))
            yield held
            return
        with self._locked():
            try:
                text = self._path.read_text()
            except FileNotFoundError:
                text = "{}"
            try:
                held = json.loads(text)
            except ValueError:
                raise Broken(
                    f"{self._path} is damaged: restore it from a backup; under other keys no refusal is found"
                ) from None
            yield held
            if json.dumps(held) != json.dumps(json.loads(text)):
                _replace(self._path, json.dumps(held, indent=1).encode())
            self._stamp = self._written()


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


def event_ids(
    keys: Keyring, site: Column[str], ids: Sequence[str | None], state: Any = None
) -> NDArray[np.uint64]:
    """Keyed hash of (site, id): finds a retry, and says nothing else. 2**64 - 1 where no id was sent.

    `state`: of another key than the newest.
    """
    if ids.count(None) == len(ids):
        return np.full(len(ids), 2**64 - 1, np.uint64)
    copy = (state or keys.state("event_id")).copy
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
