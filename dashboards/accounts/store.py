"""The accounts' file, DATA/accounts.sqlite: what names somebody is sealed under DATA/accounts.key.

A rollback journal, not a write-ahead log: the pages and the command line both write. Secrets that are shown
once (sessions, links, keys, recovery codes) are random and kept as hashes only.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from consent_filter import chain
from consent_filter.database import transaction
from consent_filter.errors import Broken, Refused
from consent_filter.rights.vault import Vault
from dashboards.sharing import tables

FILE, KEY = "accounts.sqlite", "accounts.key"
_TABLES = """
CREATE TABLE IF NOT EXISTS account (
  id TEXT PRIMARY KEY, login BLOB NOT NULL UNIQUE, sealed BLOB NOT NULL, roles TEXT NOT NULL, sites TEXT,
  password BLOB, totp BLOB, totp_last INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL, ended INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS link (
  hash BLOB PRIMARY KEY, account TEXT NOT NULL, what TEXT NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS session (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL, account TEXT NOT NULL, way TEXT NOT NULL, step TEXT NOT NULL,
  tries INTEGER NOT NULL, made INTEGER NOT NULL, seen INTEGER NOT NULL, until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS recovery (hash BLOB PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passkey (
  id BLOB PRIMARY KEY, account TEXT NOT NULL, name TEXT NOT NULL, host TEXT NOT NULL, public BLOB NOT NULL,
  count INTEGER NOT NULL, made INTEGER NOT NULL, used INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS api_key (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, account TEXT NOT NULL, name TEXT NOT NULL,
  scopes TEXT NOT NULL, sites TEXT, per_minute INTEGER NOT NULL, made INTEGER NOT NULL,
  until INTEGER NOT NULL, used INTEGER
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS elsewhere (subject BLOB PRIMARY KEY, account TEXT NOT NULL) WITHOUT ROWID;
"""
#: Seconds that one process waits for another's transaction.
_PATIENCE = 20.0


class Store:
    """Every call is one transaction, durable on return. now: milliseconds since 1970."""

    def __init__(self, database: sqlite3.Connection, vault: Vault, now: Callable[[], int]) -> None:
        self.database, self.vault, self.now = database, vault, now
        self._lock = threading.RLock()

    @classmethod
    def open(cls, data: Path, now: Callable[[], int] | None = None) -> Store:
        """The accounts of that data folder; file and key are made where there are none. Raises Broken."""
        data.mkdir(parents=True, exist_ok=True)
        path = data / FILE
        path.touch(mode=0o600)
        path.chmod(0o600)
        database = sqlite3.connect(path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None)
        try:
            database.row_factory = sqlite3.Row
            database.execute("PRAGMA synchronous=EXTRA")
            database.execute("PRAGMA secure_delete=ON")
            database.execute("PRAGMA temp_store=MEMORY")
            # The lock on the file is also what lets one process alone make the key.
            with transaction(database):
                vault = _vault(database, data / KEY)
                for statement in (*(_TABLES + tables.TABLES + chain.TABLES).split(";"), *tables.TRIGGERS):
                    database.execute(statement)
        except sqlite3.DatabaseError:
            database.close()
            raise Broken(f"{path} is damaged or can't be written: restore it from a backup") from None
        except BaseException:
            database.close()
            raise
        return cls(database, vault, now or _clock)

    def shown(self) -> int:
        """A number that is another one when notes or names of accounts are, whoever changed them."""
        found = self.row("SELECT n FROM shown")
        assert found is not None
        return int(found["n"])

    def close(self) -> None:
        with self._lock:
            self.database.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, on the disk when it ends. One that is entered within another belongs to it. Raises
        Refused where it can't be written."""
        with self._lock:
            if self.database.in_transaction:
                yield self.database
                return
            try:
                with transaction(self.database):
                    yield self.database
            except sqlite3.OperationalError:
                raise Refused(
                    503, "unwritable",
                    "this can't be written now: the disk is full or can't be written, or others write",
                ) from None  # fmt: skip

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        with self._lock:
            return self.database.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        """The first row, or None."""
        found = self.rows(sql, *values)
        return found[0] if found else None


def secret() -> str:
    """A new one, 256 bits, fit for an address and a cookie."""
    return secrets.token_urlsafe(32)


def digest(what: str, said: str) -> bytes:
    """What is kept of a random secret: nobody can try 2^256 of them, so it needs no slow hash."""
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=32, person=what.encode()).digest()


def _vault(database: sqlite3.Connection, key: Path) -> Vault:
    there = database.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone()
    try:
        return Vault.read(key)
    except FileNotFoundError:
        if there:
            raise Broken(f"{key} is gone: restore it; without it {FILE} opens nothing") from None
        return Vault.make(key)


def _clock() -> int:
    return time.time_ns() // 1_000_000
