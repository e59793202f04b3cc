"""A ledger that several processes write: whoever adds a word first takes in what the others have said.

What others have said is found by the length of the chain, to which every word adds; the collector looks
before every batch, so that a word binds the next event whoever has recorded it.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_filter import chain, departed, links, renewal
from consent_filter.database import transaction
from consent_filter.decide import MEASUREMENT, Word
from consent_filter.errors import Broken
from consent_filter.known import KEYS, Known
from consent_filter.pseudonym import Keyring
from consent_filter.salts import TABLES as SALTS

TABLES = f"""{SALTS}
CREATE TABLE IF NOT EXISTS choice (
  key BLOB PRIMARY KEY, granted INTEGER NOT NULL, denied INTEGER NOT NULL, erased INTEGER NOT NULL,
  since INTEGER NOT NULL
) WITHOUT ROWID;
{departed.TABLES}{chain.TABLES}{links.TABLES}{renewal.TABLES}"""


class Shared(Known):
    """The open file, and what is known of it."""

    def __init__(
        self, database: sqlite3.Connection, keys: Keyring | None, *, gives: bool, path: Path | None = None
    ) -> None:
        super().__init__(keys, gives=gives)
        self._database = database
        self._writing, self._watching = threading.Lock(), threading.Lock()
        self._watch = None if path is None or keys is None else connect(path, "ro")
        self._watched: object = None
        #: How long the chain was when everything in it was known here.
        self._position = 0
        #: Changes with every word that is said; what was found out before may hold no longer.
        self.version = 0
        if keys is not None:
            self._position = chain.length(database)
            self._salts.load(database)
            self._standing.load(database)
            self._renewal.load(database)
            self._besides()

    def refresh(self) -> bool:
        """Take in the words that other processes have recorded; whether there were any. It takes 5 µs.

        They bind although the ledger cannot be written just now; what they take away is then written at the
        next look.
        """
        if self._watch is None:
            return False
        with self._watching:
            version = self._watch.execute("PRAGMA data_version").fetchone()
            if version == self._watched:
                return False
            new = chain.length(self._watch) != self._position
            if new:
                try:
                    with self._writing:
                        self._catch_up()
                except OSError:
                    return True
            self._watched = version
            return new

    def _catch_up(self) -> bool:
        """Under the lock of writers: know what the chain says by now."""
        if self._held_keys is None:
            return False
        if not self._gives:
            self._salts.load(self._database)
        if (last := chain.length(self._database)) == self._position:
            return False
        if last < self._position:
            raise Broken("the ledger was put back from an older copy while it was in use: start again")
        changed = chain.subjects(self._database, self._position)
        self._standing.load(self._database, changed)
        self._besides()
        self.version += 1
        for key in changed:
            self._forget(key)
        self._position = last
        return True

    def _besides(self) -> None:
        self._links.load(self._database)
        self._restricted = {key for (key,) in self._database.execute("SELECT key FROM restriction")}

    def _forget(self, key: bytes) -> None:
        """Somebody took back elsewhere what a pseudonym was made for, which this process may hold alone."""
        word, since = self._standing.found(key) or (Word(0, 0), 0)
        gone = self._gone(key, KEYS if word.erased else [purpose for purpose in KEYS if word.deny & purpose])
        if gone and self._gives:
            # What was not even written when they left need not stay on a disk for the reports' sake.
            with self._transaction():
                departed.withdraw(self._database, key, gone, since, True)
                for purpose in {purpose for purpose, _ in gone}:
                    self._salts.delete(self._database, purpose, key)
                self._renewal.drop(self._database, key, {purpose for purpose, _ in gone})
        self._drop(key, {purpose for purpose, _ in gone})

    def _gone(self, key: bytes, purposes: Collection[int]) -> list[tuple[int, int]]:
        found = [(purpose, self.person(purpose, key)) for purpose in purposes]
        now = [(purpose, person) for purpose, person in found if person is not None]
        return self._renewal.of(self._database, key, purposes) + now

    def _drop(self, key: bytes, purposes: Collection[int]) -> None:
        with self._noting:
            self._renewal.forget(key, purposes)
            for purpose in purposes:
                self._salts.drop(purpose, key)
            if MEASUREMENT in purposes:
                self._links.forget(key)

    @contextmanager
    def _change(self) -> Iterator[list[Callable[[], None]]]:
        """A transaction that knows what others have said; on the disk when it ends, and then in memory.

        Yields what is to be done when it has held.
        """
        with self._writing:
            then: list[Callable[[], None]] = []
            while True:
                self._catch_up()
                with self._transaction():
                    if known := self._held_keys is None or chain.length(self._database) == self._position:
                        yield then
                        last = chain.length(self._database)
                if known:
                    break
            for one in then:
                one()
            if last != self._position:
                self._position = last
                self.version += 1  # last: whoever sees it sees the word

    def _truncate(self) -> None:
        """What was deleted must leave the write-ahead log too. Where a reader is in the way, the next
        checkpoint does it."""
        self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on the disk when it ends."""
        try:
            with transaction(self._database):
                yield
        except sqlite3.OperationalError as error:
            raise OSError(errno.EIO, f"the consent ledger cannot be written: {error}") from None

    def close(self) -> None:
        """Close the file."""
        self._database.close()
        if self._watch is not None:
            self._watch.close()


def connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


def has(database: sqlite3.Connection, table: str) -> bool:
    found = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,))
    return found.fetchone() is not None


def prepare(database: sqlite3.Connection) -> sqlite3.Connection:
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA secure_delete=ON")
    database.executescript(TABLES)
    departed.migrate(database)
    return database
