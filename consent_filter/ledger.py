"""The consent ledger: who chose what, when, and with which salt a pseudonym is made. SQLite.

Ids are kept as keyed hashes only. Every choice is a link in a chain of commitments (salted hashes): the
contents can be deleted, and the chain still verifies. Forgetting a person is deleting the salts: nobody can
make that pseudonym again. One process writes (the collector); others open it to read.

What is looked up for every event is held in memory, so that `words` and `persons` never touch the disk. Salts
are only ever added at the end of their table, and found through memory: a commit writes one or two pages,
whatever the number of people (a table ordered by hash writes one page for each new person).
"""

from __future__ import annotations

import errno
import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from msgspec import to_builtins
from numpy.typing import NDArray

from consent_filter import chain
from consent_filter.circumstances import UNKNOWN, Circumstances
from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT, NO_WORD, Word
from consent_filter.errors import Broken, Refused
from consent_filter.pseudonym import Keyring, hashes, subject
from consent_filter.purpose import names
from consent_filter.raw import Column, Raw, column, pair
from consent_filter.signals.choice import understand
from consent_filter.standing import Standing, after

_TABLES = """
CREATE TABLE IF NOT EXISTS salt (
  seq INTEGER PRIMARY KEY, key BLOB NOT NULL, purpose INTEGER NOT NULL, salt BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS choice (
  key BLOB PRIMARY KEY, granted INTEGER NOT NULL, denied INTEGER NOT NULL, erased INTEGER NOT NULL,
  since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawn (person INTEGER PRIMARY KEY, since INTEGER NOT NULL);
"""
_SALT = 16
#: Keyed hashes of ids seen lately; a visitor sends several events.
_REMEMBERED = 50_000
#: Which key makes the pseudonym for which purpose: they do not join.
_KEYS = {MEASUREMENT: "identity", AD_MEASUREMENT: "advertising"}

Id = tuple[str, str, str]


class Entry(NamedTuple):
    """The standing choice of one id: bitmasks, and when it was last changed (UTC milliseconds)."""

    grant: int
    deny: int
    since: int


class Recorded(NamedTuple):
    """The standing choice, what was written down of the last one, and where in the chain."""

    entry: Entry
    said: Mapping[str, Any]
    link: chain.Link


class Ledger:
    """`put`, `erase` and `flush` are durable on return; a disk that fails is an OSError, and nothing changed.

    Events that carry a new pseudonym may be stored only after `flush`. Any thread may call anything. `keys`
    may be left out where ids are not looked up: to `verify`, or to read who has withdrawn.
    """

    def __init__(self, database: sqlite3.Connection, keys: Keyring | None, read_only: bool) -> None:
        self._database, self._held_keys, self._read_only = database, keys, read_only
        self._writing, self._noting = threading.Lock(), threading.Lock()
        self._seen: dict[Id, bytes] = {}
        self._standing = Standing()
        # purpose → key → salt and, behind it, where it stands in the table: 24 bytes a person.
        self._salts: dict[int, dict[bytes, bytes]] = {purpose: {} for purpose in _KEYS}
        # New salts that only memory has: (purpose, key) → the same 24 bytes.
        self._pending: dict[tuple[int, bytes], bytes] = {}
        self._last = 0
        #: Changes with every word that is said; what was found out before may hold no longer.
        self.version = 0
        if keys is not None:
            self._load()

    @classmethod
    def open(cls, path: Path, keys: Keyring | None = None, *, read_only: bool = False) -> Ledger:
        """The ledger in that file. Opened to read, a missing file is an empty ledger."""
        if read_only:
            if not path.exists():
                return cls.memory(keys)
            database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'content'").fetchone():
                database.close()  # made a moment ago, and not yet filled
                return cls.memory(keys)
            return cls(database, keys, True)
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA secure_delete=ON")
        database.executescript(_TABLES + chain.TABLES)
        return cls(database, keys, False)

    @classmethod
    def memory(cls, keys: Keyring | None = None) -> Ledger:
        """A ledger that is kept nowhere."""
        database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        database.executescript(_TABLES + chain.TABLES)
        return cls(database, keys, False)

    def _load(self) -> None:
        for seq, key, purpose, salt in self._database.execute("SELECT seq, key, purpose, salt FROM salt"):
            self._salts[purpose][key] = salt + seq.to_bytes(8, "big")
            self._last = max(self._last, seq)
        self._standing.load(self._database)

    @property
    def _keys(self) -> Keyring:
        if self._held_keys is None:
            raise Broken("this ledger was opened without keys: ids cannot be looked up")
        return self._held_keys

    # What is asked for every event.

    def words(self, raw: Raw) -> Column[Word]:
        """What holds for each row by what its ids have said; a word of either counts, refusals of both."""
        if not self._standing:
            return Column(np.zeros(raw.n, np.int32), [NO_WORD])
        user, device = self._said(raw, raw.user_id, "user"), self._said(raw, raw.device_id, "device")
        if user.values == [NO_WORD]:
            return device
        return pair(user, device).few(lambda both: _join(*both))

    def word(self, site: str, user: str | None, device: str | None) -> tuple[Word, int]:
        """What one person has said, and from when on that is so (UTC milliseconds): not of events before."""
        word, since = NO_WORD, 0
        for kind, id in (("user", user), ("device", device)) if self._standing else ():
            key = None if id is None else self._key(site, kind, id)
            if key is not None and (changed := self._standing.since(key)) is not None:
                word, since = _join(word, self._standing.now(key)), max(since, changed)
        return word, since

    def _said(self, raw: Raw, ids: Column[str | None], kind: str) -> Column[Word]:
        if ids.values == [None]:
            return Column(np.zeros(raw.n, np.int32), [NO_WORD])
        whose, standing = pair(raw.site, ids), self._standing
        keys = [None if id is None else self._key(site, kind, id) for site, id in whose.values]
        words = [NO_WORD if key is None else standing.now(key) for key in keys]
        said = Column(whose.codes, words).few(lambda word: word)
        since = np.array([0 if key is None else standing.since(key) or 0 for key in keys], np.int64)
        late = np.flatnonzero(raw.time < since[whose.codes])
        if not len(late):
            return said
        found = said.rows()
        for row in late.tolist():
            key = keys[whose.codes[row]]
            assert key is not None  # it has said something
            found[row] = standing.at(key, int(raw.time[row]))
        return column(found)

    def persons(self, ids: Sequence[tuple[int, str, str, str]]) -> list[bytes]:
        """The pseudonym, 8 bytes, of each (purpose, site, kind, id); kind is user or device.

        An id that has none yet is given a salt, which `flush` makes durable before the event is.
        """
        copies = {purpose: self._keys.state(name).copy for purpose, name in _KEYS.items()}
        salts, digests = self._salts, []
        for purpose, site, kind, id in ids:
            key = self._key(site, kind, id)
            one = copies[purpose]()
            one.update((salts[purpose].get(key) or self._salt(purpose, key))[:_SALT] + key)
            digests.append(one.digest())
        return digests

    def _salt(self, purpose: int, key: bytes) -> bytes:
        if self._read_only:
            raise Broken("only the collector gives ids a pseudonym; this process reads the ledger")
        with self._noting:
            found = self._salts[purpose].get(key)
            if found is None:
                self._last += 1
                found = secrets.token_bytes(_SALT) + self._last.to_bytes(8, "big")
                self._salts[purpose][key] = self._pending[purpose, key] = found
        return found

    def flush(self) -> None:
        """Make new salts durable, in one transaction: a pseudonym that is stored can always be withdrawn."""
        with self._writing:
            with self._noting:
                pending = dict(self._pending)
            if not pending:
                return
            rows = [
                (int.from_bytes(salt[_SALT:], "big"), key, purpose, salt[:_SALT])
                for (purpose, key), salt in pending.items()
            ]
            with self._transaction():
                self._database.executemany("INSERT INTO salt VALUES (?, ?, ?, ?)", rows)
            with self._noting:
                for new in pending:
                    del self._pending[new]

    def _key(self, site: str, kind: str, id: str) -> bytes:
        """How an id is found here: its keyed hash."""
        found = self._seen.get((site, kind, id))
        if found is None:
            if len(self._seen) >= _REMEMBERED:
                self._seen.clear()
            found = self._seen[site, kind, id] = subject(self._keys, site, kind, id)
        return found

    # What people say.

    def put(
        self,
        site: str,
        kind: str,
        id: str,
        choice: Mapping[str, object],
        source: str,
        now: int,
        how: Circumstances = UNKNOWN,
    ) -> Entry:
        """Record a choice, durable on return; it binds the next event. `now` is UTC milliseconds.

        The latest word on each purpose stands; a purpose not spoken of stays as it was. Refusing measurement,
        or advert measurement, withdraws the pseudonym made for it: its rows leave the reports and its salt is
        deleted. Raises Refused for what is no choice, OSError when it cannot be written.
        """
        return self.record(site, kind, id, choice, source, now, how).entry

    def record(
        self,
        site: str,
        kind: str,
        id: str,
        choice: Mapping[str, object],
        source: str,
        now: int,
        how: Circumstances = UNKNOWN,
    ) -> Recorded:
        """`put`, and the record that was made."""
        said = understand(dict(choice))
        if said.unreadable:
            raise Refused(400, "consent", "consent is an object of purpose to true or false")
        key = self._key(site, kind, id)
        with self._writing:
            return self._record(key, site, said.grant, said.deny, source, now, how)

    def refuse(
        self, key: bytes, site: str, purposes: int, source: str, now: int, how: Circumstances = UNKNOWN
    ) -> Recorded | None:
        """`record` a refusal by whoever that keyed hash stands for, who need not be known here.

        None, and nothing is changed, where it is on record, or they were erased and are to stay so.
        """
        with self._writing:
            word = self._standing.now(key)
            if word.erased or not purposes & ~word.deny:
                return None
            return self._record(key, site, 0, purposes, source, now, how)

    def _record(
        self, key: bytes, site: str, grant: int, deny: int, source: str, now: int, how: Circumstances
    ) -> Recorded:
        word = after(self._standing.now(key), grant, deny)
        text: dict[str, Any] = {"site": site, "granted": names(grant), "denied": names(deny)}
        text |= {"source": source, "at": now} | to_builtins(how)
        link = self._say(key, word, text, now, forget=[p for p in _KEYS if deny & p])
        return Recorded(Entry(word.grant, word.deny, now), text, link)

    def erase(self, site: str, kind: str, id: str, source: str, now: int) -> None:
        """Forget the person: pseudonyms withdrawn, salts and the contents of the chain deleted.

        What is left is the keyed hash of the id, so that what comes late is refused; a new choice lifts it.
        """
        key = self._key(site, kind, id)
        with self._writing:
            self._say(key, Word(0, 0, True), {"erased": True, "source": source, "at": now}, now, forget=_KEYS)

    def get(self, site: str, kind: str, id: str) -> Entry | None:
        """What that id has chosen; None if it has said nothing."""
        key = self._key(site, kind, id)
        word, since = self._standing.now(key), self._standing.since(key)
        return None if since is None or word.erased else Entry(word.grant, word.deny, since)

    def withdrawn(self) -> NDArray[np.uint64]:
        """Everyone whose rows no report may count any more, in ascending order."""
        rows = self._database.execute("SELECT person FROM withdrawn").fetchall()
        return np.sort(np.array([person for (person,) in rows], np.int64).view(np.uint64))

    def _say(
        self,
        key: bytes,
        word: Word,
        text: Mapping[str, object],
        now: int,
        forget: Sequence[int] | dict[int, str],
    ) -> chain.Link:
        gone = {purpose: self._salts[purpose][key] for purpose in forget if key in self._salts[purpose]}
        persons = [
            int(hashes(self._keys.state(_KEYS[purpose]), [salt[:_SALT] + key])[0])
            for purpose, salt in gone.items()
        ]
        with self._transaction():
            self._database.execute(
                "INSERT OR REPLACE INTO choice VALUES (?, ?, ?, ?, ?)",
                (key, word.grant, word.deny, word.erased, now),
            )
            for person in persons:
                signed = person - (1 << 64) if person >> 63 else person
                self._database.execute("INSERT OR IGNORE INTO withdrawn VALUES (?, ?)", (signed, now))
            for salt in gone.values():
                self._database.execute(
                    "DELETE FROM salt WHERE seq = ?", (int.from_bytes(salt[_SALT:], "big"),)
                )
            if word.erased:
                chain.forget(self._database, key)
            link = chain.add(self._database, key, json.dumps(text))
        self._standing.put(key, word, now)
        with self._noting:
            for purpose in gone:
                del self._salts[purpose][key]
                self._pending.pop((purpose, key), None)
        self.version += 1  # last: whoever sees it sees the word
        if gone or word.erased:
            # What was deleted must leave the write-ahead log too. Where a reader is in the way, the next
            # checkpoint does it.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return link

    def verify(self) -> bool:
        """Whether no link was changed, and every content that is still there is what was committed to."""
        return chain.verify(self._database)

    def find(self, position: int) -> chain.Found | None:
        """What the chain holds there; None where it is not that long."""
        return chain.find(self._database, position)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"the consent ledger cannot be written: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def withdrawn(path: Path) -> NDArray[np.uint64]:
    """Everyone whose rows no report may count any more: read by the pipeline, in a process of its own."""
    if not path.exists():
        return np.zeros(0, np.uint64)
    with closing(Ledger.open(path, read_only=True)) as ledger:
        return ledger.withdrawn()


def _join(user: Word, device: Word) -> Word:
    """The word of two ids of one event: what either refuses is refused."""
    deny = user.deny | device.deny
    return Word((user.grant | device.grant) & ~deny, deny, user.erased or device.erased)
