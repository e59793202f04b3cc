"""Messages of a shared ledger that cannot be read: damaged, or of a form that this version does not know.

One of them might be a refusal. Where its key tells whose word or salt it is, that id is refused everything
until its teller has said it again; nobody else notices. Where nobody can tell whose it is, nothing may be
stored until an operator gives it up by its place. No message is passed over in silence.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from consent_filter import telling
from consent_filter.errors import Broken
from consent_filter.known import KEYS
from consent_filter.telling import HELD, LINK, SALT, STONE, UNLINKED, WORD, Heard

TABLE = """
CREATE TABLE IF NOT EXISTS unheard (
  kind BLOB NOT NULL, key BLOB NOT NULL, place INTEGER NOT NULL, told_by BLOB NOT NULL,
  times INTEGER NOT NULL, PRIMARY KEY (kind, key)
) WITHOUT ROWID
"""
#: How often its teller says it again: what fails for another reason must not go round for ever.
_MOST = 3
#: Bytes of a key behind its kind.
_LONG = {WORD: 16, SALT: 20, LINK: 48, UNLINKED: 32, STONE: 16}
assert HELD not in _LONG  # told as a salt


def legible(one: Heard) -> bool:
    """Whether `Hearing` can take it in."""
    kind, key = one.key[:1], one.key[1:]
    if len(key) != _LONG.get(kind):
        return False
    try:
        if kind == LINK:
            int(key[32:], 16)
        if one.value is None:
            return True
        if kind == WORD:
            telling.fold(telling.read(one.value).records)
        elif kind == SALT:
            given, (purpose, _) = telling.unpack(one.value), telling.placed(key)
            return purpose in KEYS and len(bytes.fromhex(given.under)) == 4
        elif kind in (UNLINKED, STONE):
            return int(one.value) >= 0
    except Exception:
        return False
    return True


def note(database: sqlite3.Connection, one: Heard, given_up: bool) -> bool:
    """Write down what could not be read; whether its teller is to say it again. In a transaction.

    Raises Broken where nobody can tell whose it is, and it is not given up.
    """
    if given_up:
        return False
    kind, key = one.key[:1], one.key[1:]
    if kind not in (WORD, SALT) or len(key) != _LONG[kind]:
        raise Broken(
            "is damaged, or of a later version, and nobody can tell whose word it is: no event is stored"
            " until this is a version that reads it, or [log] skip names it and the collector starts anew"
        )
    row = database.execute("SELECT times FROM unheard WHERE kind = ? AND key = ?", (kind, key)).fetchone()
    times = 1 if row is None else row[0] + 1
    database.execute(
        "INSERT OR REPLACE INTO unheard VALUES (?, ?, ?, ?, ?)", (kind, key, one.offset, one.by, times)
    )
    return times <= _MOST


def said_again(database: sqlite3.Connection, one: Heard) -> bool:
    """A message that can be read: whether it stands for one of the same teller that could not be. Of another
    teller it does not hold what that one said. In a transaction."""
    found = database.execute(
        "DELETE FROM unheard WHERE kind = ? AND key = ? AND told_by = ?", (one.key[:1], one.key[1:], one.by)
    )
    return found.rowcount > 0


def forget(database: sqlite3.Connection, given_up: frozenset[int]) -> None:
    """An operator gives these up by their places. In a transaction."""
    rows = [(place,) for place in given_up]
    database.executemany("DELETE FROM unheard WHERE place = ?", rows)


def places(database: sqlite3.Connection) -> list[int]:
    """Where what can't be read stands in the topic."""
    with suppress(sqlite3.OperationalError):
        return [place for (place,) in database.execute("SELECT place FROM unheard ORDER BY place")]
    return []


def whose(database: sqlite3.Connection) -> frozenset[bytes]:
    """Whom it is about."""
    with suppress(sqlite3.OperationalError):  # a ledger that was never shared has no such table
        return frozenset(bytes(key[:16]) for (key,) in database.execute("SELECT key FROM unheard"))
    return frozenset()
