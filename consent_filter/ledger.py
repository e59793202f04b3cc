"""The consent ledger: who chose what, when, and with which salt a pseudonym is made. SQLite.

Ids are kept as keyed hashes only. Every change is a link in a chain of commitments (salted hashes): the
contents can be deleted, and the chain still verifies. Forgetting a person is deleting the salt of the record:
nobody can make that pseudonym again. One process writes (the collector); others open it to read.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import threading
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from consent_filter.decide import MEASUREMENT, NO_WORD, Word
from consent_filter.pseudonym import Keyring
from consent_filter.purpose import names
from consent_filter.raw import Column, Raw, column, pair
from consent_filter.signals.choice import bits

_TABLES = """
CREATE TABLE IF NOT EXISTS record (
  key BLOB PRIMARY KEY, salt BLOB, "grant" INTEGER NOT NULL, deny INTEGER NOT NULL, since INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS withdrawn (person INTEGER PRIMARY KEY, since INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS chain (
  seq INTEGER PRIMARY KEY, commitment BLOB NOT NULL, link BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS content (seq INTEGER PRIMARY KEY, nonce BLOB NOT NULL, text TEXT NOT NULL);
"""
_FIRST = b"\0" * 32


class Entry(Struct):
    """What is known of one id. `salt` is None once the person is forgotten."""

    salt: bytes | None
    grant: int
    deny: int
    since: int

    def word(self) -> Word:
        return Word(self.grant, self.deny)


def _hash(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=32).digest()


class Ledger:
    """`words` and `persons` never touch the disk; `put` and `flush` return when it is durable."""

    def __init__(self, database: sqlite3.Connection, keys: Keyring, read_only: bool) -> None:
        self._database, self._keys, self._read_only = database, keys, read_only
        self._lock = threading.Lock()
        self._new: dict[bytes, Entry] = {}
        rows = database.execute('SELECT key, salt, "grant", deny, since FROM record')
        self._entries: dict[bytes, Entry] = {key: Entry(*rest) for key, *rest in rows}

    @classmethod
    def open(cls, path: Path, keys: Keyring, *, read_only: bool = False) -> Ledger:
        """The ledger in that file. Opened to read, a missing file is an empty ledger."""
        if read_only:
            if not path.exists():
                return cls.memory(keys)
            database = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
            return cls(database, keys, True)
        path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("PRAGMA synchronous=FULL")
        database.execute("PRAGMA secure_delete=ON")
        database.executescript(_TABLES)
        return cls(database, keys, False)

    @classmethod
    def memory(cls, keys: Keyring) -> Ledger:
        database = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        database.executescript(_TABLES)
        return cls(database, keys, False)

    def key(self, site: str, kind: str, id: str) -> bytes:
        """How an id (kind: user or device) is found here: its keyed hash."""
        one = self._keys.state("ledger").copy()
        one.update(f"{site}\0{kind}\0{id}".encode("utf-8", "surrogatepass"))
        return bytes(one.digest())

    def words(self, raw: Raw) -> Column[Word]:
        """What has been said by the person behind each row; a word for either id counts, refusals of both."""
        if raw.user_id.values == [None] and raw.device_id.values == [None]:
            return Column(np.zeros(raw.n, np.int32), [NO_WORD])
        users = self._words(pair(raw.site, raw.user_id), "user")
        devices = self._words(pair(raw.site, raw.device_id), "device")
        both = pair(users, devices)
        joined = column([_join(user, device) for user, device in both.values])
        return Column(joined.codes[both.codes], joined.values)

    def _words(self, ids: Column[tuple[str, str | None]], kind: str) -> Column[Word]:
        entries = self._entries
        said = [
            NO_WORD if id is None or (entry := entries.get(self.key(site, kind, id))) is None else entry.word()
            for site, id in ids.values
        ]
        distinct = column(said)
        return Column(distinct.codes[ids.codes], distinct.values)

    def persons(self, ids: list[tuple[str, str, str]]) -> NDArray[np.uint64]:
        """The pseudonym of each (site, kind, id). A new id gets a salt; `flush` makes it durable."""
        state, digests = self._keys.state("identity"), []
        for site, kind, id in ids:
            key = self.key(site, kind, id)
            entry = self._entries.get(key)
            if entry is None or entry.salt is None:
                since = entry.since if entry else 0
                entry = Entry(secrets.token_bytes(16), entry.grant if entry else 0, entry.deny if entry else 0, since)
                self._entries[key] = entry
                with self._lock:
                    self._new[key] = entry
            assert entry.salt is not None
            one = state.copy()
            one.update(entry.salt + key)
            digests.append(one.digest()[:8])
        return np.frombuffer(b"".join(digests), "<u8")

    def flush(self) -> None:
        """Make the salts of new ids durable: call before the events that use them are appended."""
        with self._lock:
            if not self._new or self._read_only:
                return
            rows = [(key, e.salt, e.grant, e.deny, e.since) for key, e in self._new.items()]
            with self._transaction():
                self._database.executemany("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", rows)
            self._new = {}

    def put(self, site: str, kind: str, id: str, choice: Mapping[str, object], source: str, now: int) -> Entry:
        """Record a choice, durable on return; it binds the next event. `now` is UTC milliseconds.

        Refusing measurement forgets the pseudonym: its rows leave the reports, and the salt is deleted.
        """
        grant, deny = bits(dict(choice))
        key = self.key(site, kind, id)
        old = self._entries.get(key)
        withdrawn = None
        salt = old.salt if old else None
        if deny & MEASUREMENT and salt is not None:
            withdrawn = int(self.persons([(site, kind, id)])[0])
            salt = None
        entry = Entry(salt, grant, deny, now)
        text = json.dumps(
            {"key": key.hex(), "granted": names(grant), "denied": names(deny), "source": source, "at": now}
        )
        with self._lock, self._transaction():
            row = (key, salt, grant, deny, now)
            self._database.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?)", row)
            if withdrawn is not None:
                signed = withdrawn - (1 << 64) if withdrawn >> 63 else withdrawn
                self._database.execute("INSERT OR IGNORE INTO withdrawn VALUES (?, ?)", (signed, now))
            self._link(text)
            self._new.pop(key, None)
        self._entries[key] = entry
        return entry

    def get(self, site: str, kind: str, id: str) -> Entry | None:
        """What that id has chosen; None if it has said nothing."""
        entry = self._entries.get(self.key(site, kind, id))
        return entry if entry and entry.since else None

    def _link(self, text: str) -> None:
        last = self._database.execute("SELECT seq, link FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
        seq, link = last or (0, _FIRST)
        nonce = secrets.token_bytes(16)
        commitment = _hash(nonce, text.encode())
        self._database.execute(
            "INSERT INTO chain VALUES (?, ?, ?)", (seq + 1, commitment, _hash(link, commitment))
        )
        self._database.execute("INSERT INTO content VALUES (?, ?, ?)", (seq + 1, nonce, text))

    def verify(self) -> bool:
        """Whether no link was changed, and every content that is still there is what was committed to."""
        link, expected = _FIRST, 1
        rows = self._database.execute(
            "SELECT seq, commitment, link, nonce, text FROM chain LEFT JOIN content USING (seq) ORDER BY seq"
        )
        for seq, commitment, said, nonce, text in rows:
            link = _hash(link, commitment)
            if seq != expected or link != said:
                return False
            if nonce is not None and _hash(nonce, text.encode()) != commitment:
                return False
            expected += 1
        return True

    def _transaction(self) -> sqlite3.Connection:
        if not self._database.in_transaction:
            self._database.execute("BEGIN IMMEDIATE")
        return self._database

    def close(self) -> None:
        self._database.close()


def withdrawn(path: Path) -> NDArray[np.uint64]:
    """Everyone whose rows no report may count any more: read by the pipeline, in a process of its own."""
    if not path.exists():
        return np.zeros(0, np.uint64)
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = database.execute("SELECT person FROM withdrawn ORDER BY person").fetchall()
    except sqlite3.OperationalError:  # made, but not yet filled
        rows = []
    finally:
        database.close()
    return np.array([person for (person,) in rows], np.int64).view(np.uint64)


def _join(user: Word, device: Word) -> Word:
    if user is device:
        return user
    deny = user.deny | device.deny
    return Word((user.grant | device.grant) & ~deny, deny, user.erased or device.erased)
