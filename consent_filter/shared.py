"""A ledger that several processes write: whoever adds a word first takes in what the others have said.

What others have said is found by the length of the chain, to which every word adds; the collector looks
before every batch, so that a word binds the next event whoever has recorded it.
"""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from consent_filter import chain, departed, epochs, links, renewal, unheard
from consent_filter.database import transaction
from consent_filter.decide import MEASUREMENT, Word
from consent_filter.errors import Broken
from consent_filter.known import KEYS, Known
from consent_filter.pseudonym import Keyring
from consent_filter.salts import TABLES as SALTS
from consent_filter.salts import number

TABLES = f"""{SALTS}
CREATE TABLE IF NOT EXISTS choice (
  key BLOB PRIMARY KEY, granted INTEGER NOT NULL, denied INTEGER NOT NULL, erased INTEGER NOT NULL,
  since INTEGER NOT NULL
) WITHOUT ROWID;
{departed.TABLES}{chain.TABLES}{links.TABLES}{renewal.TABLES}{epochs.TABLES}"""


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
        #: The version that what is to be stored was decided by; None where nobody says.
        self.decided: int | None = None
        if keys is not None:
            self._position = chain.length(database)
            self._salts.load(database)
            self._standing.load(database)
            self._epochs.load(database)  # after the salts: none is known without its key
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
            self._held_keys.roll()
            if self._salts.load(self._database):
                with self._noting:
                    self._epochs.load(self._database)
                    self._of_version = -1
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
        self._unheard = unheard.whose(self._database)

    def _forget(self, key: bytes) -> None:
        """Somebody took back elsewhere what a pseudonym was made for, which this process may hold alone."""
        word, since = self._standing.found(key) or (Word(0, 0), 0)
        gone = self._gone(key, [purpose for purpose in KEYS if word.refuses(purpose)])
        if gone and self._gives:
            # What was not even written when they left need not stay on a disk for the reports' sake.
            with self._transaction():
                departed.withdraw(self._database, key, gone, since, True)
                for purpose in {purpose for purpose, _ in gone}:
                    self._salts.delete(self._database, purpose, key)
                self._renewal.drop(self._database, key, {purpose for purpose, _ in gone})
        self._drop(key, {purpose for purpose, _ in gone})

    def _late(self, pending: Iterable[tuple[int, bytes]]) -> bool:
        """Let go of new pseudonyms of who refuses by now; whether there were any. They were made while the
        refusal was being written, which had looked before for what it takes back, and would stay for good."""
        late = [(purpose, key) for purpose, key in pending if self._standing.now(key).refuses(purpose)]
        for purpose, key in late:
            self._drop(key, {purpose})
        return bool(late)

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

    def unused(self) -> list[str]:
        """Names of keys of people that nobody is under any more, and nobody will be."""
        found = []
        with self._writing, self._noting:
            for purpose, key in KEYS.items():
                lives = [life for life in self._keys.lives() if life.purpose == key]
                used = {lives[-1].id}
                for id, first, end in self._epochs.ranges(purpose, lives[0].id):
                    if id not in used and self._any(purpose, first, end):
                        used.add(id)
                found += [life.id for life in lives if life.destroyed is None and life.id not in used]
        return found

    def _any(self, purpose: int, first: int, end: int) -> bool:
        run = self._database.execute
        rows = "SELECT 1 FROM salt WHERE seq >= ? AND seq < ? AND purpose = ? LIMIT 1"
        pending = (number(record) for (one, _), record in self._salts.pending.items() if one == purpose)
        return run(rows, (first, end, purpose)).fetchone() is not None or any(
            first <= one < end for one in pending
        )

    def under(self, purpose: int) -> dict[str, int]:
        """How many people are under each key of that purpose, by its name, as far as it is written."""
        first = next(life.id for life in self._keys.lives() if life.purpose == KEYS[purpose])
        rows = "SELECT count(*) FROM salt WHERE seq >= ? AND seq < ? AND purpose = ?"
        found = dict[str, int]()
        for id, start, end in self._epochs.ranges(purpose, first):
            ((n,),) = self._database.execute(rows, (start, end, purpose))
            found[id] = found.get(id, 0) + n
        return found

    def part(self, ids: Collection[str]) -> int:
        """Whoever is under one of these keys is to become somebody else: the salts leave the disk, and of the
        pseudonyms is noted whose they were, as when a browser's is renewed. How many people and purposes.

        The keys are to be destroyed next: then nobody can make the old pseudonyms again.
        """
        n, day = 0, self._keys.today()
        with self._change() as then:
            for purpose, key in KEYS.items():
                first = next(life.id for life in self._keys.lives() if life.purpose == key)
                for id, start, end in self._epochs.ranges(purpose, first):
                    if id not in ids:
                        continue
                    rows = "SELECT key FROM salt WHERE seq >= ? AND seq < ? AND purpose = ?"
                    whose = [one for (one,) in self._database.execute(rows, (start, end, purpose))]
                    persons = [(self.person(purpose, one), one) for one in whose]
                    known = [(person, one, purpose, day) for person, one in persons if person is not None]
                    renewal.note(self._database, known)
                    gone = "DELETE FROM salt WHERE seq >= ? AND seq < ? AND purpose = ?"
                    self._database.execute(gone, (start, end, purpose))
                    n += len(whose)
            if n:
                then.append(self._truncate)
        return n

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

    def unheard(self) -> list[int]:
        """Places in the topic of what others have said and can't be read."""
        return unheard.places(self._database)

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
