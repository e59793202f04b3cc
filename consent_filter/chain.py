"""The ledger's chain: each record a commitment (a salted hash), linked to all before it.

The contents can be deleted, and the chain still verifies: what is gone leaves its commitment.
"""

from __future__ import annotations

import secrets
import sqlite3
from hashlib import blake2b
from typing import NamedTuple

TABLES = """
CREATE TABLE IF NOT EXISTS chain (
  seq INTEGER PRIMARY KEY, commitment BLOB NOT NULL, link BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS content (
  seq INTEGER PRIMARY KEY, key BLOB NOT NULL, nonce BLOB NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS content_key ON content (key);
"""
_FIRST = b"\0" * 32


class Link(NamedTuple):
    """Where a record stands, and what it committed to.

    subject: stands for the person in what is handed out about this one record. Nobody can tell whose it is
    without the record's nonce, which is deleted with its content.
    """

    position: int
    commitment: bytes
    subject: bytes


class Found(NamedTuple):
    """What the chain holds at one place; subject and text are None where the content was deleted."""

    commitment: bytes
    subject: bytes | None
    text: str | None


def _subject(nonce: bytes, key: bytes) -> bytes:
    return blake2b(nonce + key, digest_size=16, person=b"receipt subject").digest()


def _hash(*parts: bytes) -> bytes:
    return blake2b(b"".join(parts), digest_size=32).digest()


def add(database: sqlite3.Connection, key: bytes, text: str) -> Link:
    """One more record, about whom `key` stands for. Part of the caller's transaction."""
    last = database.execute("SELECT seq, link FROM chain ORDER BY seq DESC LIMIT 1").fetchone()
    seq, link = last or (0, _FIRST)
    nonce = secrets.token_bytes(16)
    commitment = _hash(nonce, key, text.encode())
    database.execute("INSERT INTO chain VALUES (?, ?, ?)", (seq + 1, commitment, _hash(link, commitment)))
    database.execute("INSERT INTO content VALUES (?, ?, ?, ?)", (seq + 1, key, nonce, text))
    return Link(seq + 1, commitment, _subject(nonce, key))


def forget(database: sqlite3.Connection, key: bytes) -> None:
    """Delete the contents about one person; their commitments stay. Part of the caller's transaction."""
    database.execute("DELETE FROM content WHERE key = ?", (key,))


def length(database: sqlite3.Connection) -> int:
    """How many records there are. Other processes add to them."""
    (last,) = database.execute("SELECT coalesce(max(seq), 0) FROM chain").fetchone()
    return int(last)


def subjects(database: sqlite3.Connection, after: int) -> list[bytes]:
    """About whom the records behind a position are."""
    return [key for (key,) in database.execute("SELECT DISTINCT key FROM content WHERE seq > ?", (after,))]


def records(database: sqlite3.Connection, key: bytes) -> list[tuple[int, str]]:
    """Where the records about one person stand, and what they say; the oldest first."""
    rows = database.execute("SELECT seq, text FROM content WHERE key = ? ORDER BY seq", (key,))
    return rows.fetchall()


def find(database: sqlite3.Connection, position: int) -> Found | None:
    """What stands there; None where the chain is not that long."""
    row = database.execute(
        "SELECT commitment, key, nonce, text FROM chain LEFT JOIN content USING (seq) WHERE seq = ?",
        (position,),
    ).fetchone()
    if row is None:
        return None
    commitment, key, nonce, text = row
    return Found(commitment, None if nonce is None else _subject(nonce, key), text)


def verify(database: sqlite3.Connection) -> bool:
    """Whether no link was changed, and every content that is still there is what was committed to."""
    link, expected = _FIRST, 1
    rows = database.execute(
        "SELECT seq, commitment, link, key, nonce, text FROM chain LEFT JOIN content USING (seq) ORDER BY seq"
    )
    for seq, commitment, said, key, nonce, text in rows:
        link = _hash(link, commitment)
        if seq != expected or link != said:
            return False
        if nonce is not None and _hash(nonce, key, text.encode()) != commitment:
            return False
        expected += 1
    return True
