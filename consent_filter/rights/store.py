"""The register's file, DATA/rights.sqlite: rows whose contents are sealed, and the chain of what was done.

A rollback journal, not a write-ahead log: several processes write, and SQLite up to 3.51.2 may damage a file
whose write-ahead log two connections restart at once.
"""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from consent_filter import chain
from consent_filter.database import transaction
from consent_filter.errors import Broken, Refused
from consent_filter.rights.case import Case, Step
from consent_filter.rights.vault import FILE as KEY
from consent_filter.rights.vault import Vault

#: Its name in the data folder.
FILE = "rights.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS request (
  id TEXT PRIMARY KEY, site TEXT NOT NULL, asked TEXT NOT NULL, channel TEXT NOT NULL, zone TEXT NOT NULL,
  state TEXT NOT NULL, version INTEGER NOT NULL, received INTEGER NOT NULL, entered INTEGER NOT NULL,
  due INTEGER NOT NULL, paused INTEGER, stood INTEGER NOT NULL, extended INTEGER NOT NULL,
  method TEXT NOT NULL, assurance TEXT NOT NULL, proved INTEGER, until INTEGER, tries INTEGER NOT NULL,
  closed INTEGER, ground TEXT NOT NULL, joined TEXT, emptied INTEGER, person BLOB, scope BLOB, sealed BLOB,
  told TEXT NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS request_person ON request (person);
CREATE INDEX IF NOT EXISTS request_state ON request (state);
CREATE TABLE IF NOT EXISTS note (seq INTEGER PRIMARY KEY, request TEXT NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS answer (request TEXT PRIMARY KEY, media TEXT NOT NULL, sealed BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS secret (
  hash BLOB PRIMARY KEY, request TEXT NOT NULL, answer INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS code (
  seq INTEGER PRIMARY KEY, request TEXT NOT NULL, hash BLOB NOT NULL, made INTEGER NOT NULL, used INTEGER
);
CREATE TABLE IF NOT EXISTS bad_proof (
  month TEXT NOT NULL, code TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (month, code)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS about (request TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (request, other));
CREATE TABLE IF NOT EXISTS site_key (
  kid TEXT PRIMARY KEY, site TEXT NOT NULL, algorithm TEXT NOT NULL, sealed BLOB NOT NULL,
  made INTEGER NOT NULL, ended INTEGER
);
CREATE TABLE IF NOT EXISTS used (hash BLOB PRIMARY KEY, until INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS secret_request ON secret (request);
"""
_COLUMNS = (
    "id, site, asked, channel, zone, state, version, received, due, paused, extended, method, assurance,"
    " until, closed, ground, joined, person, scope, sealed, stood, tries, emptied"
)
#: Seconds that one process waits for another's transaction.
_PATIENCE = 20.0


class Store:
    """Every call is one transaction, durable on return; a disk that fails is an OSError, nothing changed."""

    def __init__(self, database: sqlite3.Connection, vault: Vault) -> None:
        self.database, self.vault = database, vault
        self._lock = threading.RLock()

    @classmethod
    def open(cls, data: Path) -> Store:
        """The register of that data folder; file and key are made where there are none."""
        data.mkdir(parents=True, exist_ok=True)
        path = data / FILE
        path.touch(mode=0o600)
        database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        path.chmod(0o600)
        try:
            return cls(database, cls._prepare(database, data))
        except sqlite3.OperationalError as error:
            database.close()
            raise OSError(errno.EIO, f"the register cannot be opened: {error}") from None
        except sqlite3.DatabaseError:
            database.close()
            raise Broken(f"{path} is damaged: restore it from a backup") from None
        except BaseException:
            database.close()
            raise

    @staticmethod
    def _prepare(database: sqlite3.Connection, data: Path) -> Vault:
        database.row_factory = sqlite3.Row
        database.execute("PRAGMA synchronous=EXTRA")  # the journal's deletion too: acknowledged is stored
        database.execute("PRAGMA secure_delete=ON")
        database.execute("PRAGMA temp_store=MEMORY")
        # The lock on the file is also what lets one process alone make the key.
        database.execute("BEGIN EXCLUSIVE")
        try:
            there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'request'").fetchone()
            try:
                vault = Vault.read(data / KEY)
            except FileNotFoundError:
                if there:
                    raise Broken(
                        f"{data / KEY} is gone: restore it; without it {FILE} opens nothing"
                    ) from None
                vault = Vault.make(data / KEY)
            for statement in (_TABLES + chain.TABLES).split(";"):
                database.execute(statement)
            database.execute("DROP TABLE IF EXISTS officer")  # of before there were accounts
            columns = {row["name"] for row in database.execute("PRAGMA table_info(request)")}
            if "child" not in columns:  # a register of before
                database.execute("ALTER TABLE request ADD COLUMN child INTEGER NOT NULL DEFAULT 0")
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        return vault

    def close(self) -> None:
        self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when it ends. One that is entered within another belongs to it."""
        with self._lock:
            if self.database.in_transaction:
                yield self.database
                return
            try:
                with transaction(self.database):
                    yield self.database
            except sqlite3.OperationalError as error:
                raise OSError(errno.EIO, f"the register cannot be written: {error}") from None

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            try:
                return self.database.execute(sql, values).fetchall()
            except sqlite3.OperationalError as error:
                raise OSError(errno.EIO, f"the register cannot be read: {error}") from None

    def row(self, id: str) -> sqlite3.Row:
        """Raises Refused for a request that is not there."""
        found = self.rows(f"SELECT {_COLUMNS} FROM request WHERE id = ?", id)
        if not found:
            raise Refused(404, "no_such_request", "there is no such request")
        return found[0]

    def cases(self, where: str, *values: object) -> list[Case]:
        """Those requests, in the order that is said."""
        return [self.case(row) for row in self.rows(f"SELECT {_COLUMNS} FROM request {where}", *values)]

    def case(self, row: sqlite3.Row) -> Case:
        held = self.opened(row)
        key = held.get("key")
        return Case(
            id=row["id"], site=row["site"], right=row["asked"], kind=held.get("kind", ""),
            key=None if key is None else bytes.fromhex(key), state=row["state"], received=row["received"],
            due=row["due"], detail=held.get("detail", {}), channel=row["channel"], version=row["version"],
            paused=row["paused"], extended=bool(row["extended"]), method=row["method"],
            assurance=row["assurance"], until=row["until"], closed=row["closed"], ground=row["ground"],
            outcome=held.get("outcome", {}), subject=held.get("subject"), email=held.get("email"),
            vouched=held.get("vouched", False), text=held.get("text"), zone=row["zone"],
            about=tuple(one["other"] for one in self.rows(
                "SELECT other FROM about WHERE request = ? ORDER BY other", row["id"])),
        )  # fmt: skip

    def opened(self, row: sqlite3.Row) -> dict[str, Any]:
        """What the person handed over; nothing once it is emptied."""
        if row["sealed"] is None:
            return {}
        found: dict[str, Any] = json.loads(self.vault.open(row["sealed"], f"request {row['id']}"))
        return found

    def sealed(self, id: str, held: Mapping[str, Any]) -> bytes:
        return self.vault.seal(json.dumps(held).encode(), f"request {id}")

    def step(self, id: str, at: int, who: str, what: str, code: str = "", note: str | None = None) -> None:
        """One more link of the chain: what was done to a request. Part of the caller's transaction.

        Nothing in it is the person's: what is, stands sealed in the note, which goes when it is emptied.
        """
        said = {"request": id, "at": at, "who": who, "what": what, "code": code}
        link = chain.add(self.database, id.encode(), json.dumps(said))
        if note:
            sealed = self.vault.seal(note.encode(), f"note {link.position}")
            self.database.execute("INSERT INTO note VALUES (?, ?, ?)", (link.position, id, sealed))

    def steps(self, id: str) -> list[Step]:
        """The history of a request, oldest first."""
        rows = self.rows(
            "SELECT seq, text, sealed FROM content LEFT JOIN note USING (seq) WHERE key = ? ORDER BY seq",
            id.encode(),
        )
        found = []
        for row in rows:
            said = json.loads(row["text"])
            sealed = row["sealed"]
            note = None if sealed is None else self.vault.open(sealed, f"note {row['seq']}").decode()
            found.append(Step(said["at"], said["who"], said["what"], said["code"], note))
        return found

    def change(self, id: str, **values: object) -> None:
        """Set columns of a request and count its version up. Part of the caller's transaction."""
        sets = ", ".join(f"{name} = ?" for name in values)
        self.database.execute(
            f"UPDATE request SET {sets}{', ' if sets else ''}version = version + 1 WHERE id = ?",
            (*values.values(), id),
        )

    def verify(self) -> bool:
        """Whether no step was changed or taken out."""
        with self._lock:
            return chain.verify(self.database)
