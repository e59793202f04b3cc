"""What one ledger tells the others: messages by key, of which only the last need be kept.

Whatever is recorded in the file, by whichever process, is noted there by triggers in the same transaction,
and told when it can be: a word that is said while nobody can be told binds here at once, and elsewhere later.
A message holds what stands, never what has changed, so that who reads the last of each key knows everything.
There is no id in it, only keyed hashes.
"""

from __future__ import annotations

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from consent_filter import chain
from consent_filter.decide import NO_WORD, Word
from consent_filter.known import KEYS
from consent_filter.purpose import BY_NAME, mask
from consent_filter.standing import after

#: What a message is about: its key begins with this byte.
WORD, SALT, HELD, LINK, UNLINKED, STONE = b"w", b"s", b"h", b"l", b"u", b"t"
TABLES = """
CREATE TABLE IF NOT EXISTS untold (seq INTEGER PRIMARY KEY, kind BLOB NOT NULL, key BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS sharing (
  one INTEGER PRIMARY KEY CHECK (one = 1), name BLOB NOT NULL, topic TEXT NOT NULL, position INTEGER NOT NULL,
  hearing INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS given_at (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, knew INTEGER NOT NULL DEFAULT 0
);
"""
_TELLS = {
    "told_word": ("content", "INSERT", "X'77'", "NEW.key"),
    "told_link": ("link", "INSERT", "X'6C'", "NEW.device || NEW.account || printf('%016x', NEW.at)"),
    "told_parted": ("link", "DELETE", "X'6C'", "OLD.device || OLD.account || printf('%016x', OLD.at)"),
    "told_unlinked": ("unlinked", "INSERT", "X'75'", "NEW.device || NEW.account"),
    "told_stone": ("tombstone", "INSERT", "X'74'", "NEW.hash"),
}
_FORGETS = (
    "CREATE TRIGGER IF NOT EXISTS given_gone AFTER DELETE ON salt"
    " BEGIN DELETE FROM given_at WHERE seq = OLD.seq; END"
)
#: Whether it holds, when it was given (UTC milliseconds), a hash of the salt that it takes the place of, the
#: salt, the name of the key that it is under, and the word that its giver knew.
_SALT = struct.Struct(">BQ8s16s8sQ")
#: As it was before the last of these was told.
_OLD = struct.Struct(">BQ8s16s8s")
#: Later than every moment.
NEVER = 1 << 62
#: Records of one id that a message holds: more than that of one person are old.
_MOST = 24


class Row(NamedTuple):
    """One thing that is to be told. key: without the kind."""

    seq: int
    kind: bytes
    key: bytes


class Told(NamedTuple):
    """A message. value: None where there is nothing any more."""

    key: bytes
    value: bytes | None


class Heard(NamedTuple):
    """A message of somebody, in the topic's order. by: the ledger that told it."""

    offset: int
    key: bytes
    value: bytes | None
    by: bytes


class Given(NamedTuple):
    """A salt. at: when it was given (UTC milliseconds). knew: of when the last word on its purpose is that
    its giver knew, 0 where there was none: a refusal that its giver had not heard of ends it, also where they
    have agreed anew since, and so all judge it alike, whatever else they have heard by then. under: the name
    of the key that its pseudonym is made with. holds: whoever has another one takes this. instead: the mark
    of the one before it, zeros where there was none."""

    salt: bytes
    at: int
    knew: int
    under: str
    holds: bool = False
    instead: bytes = bytes(8)

    def pack(self) -> bytes:
        """As it is told."""
        under = self.under.encode()
        return _SALT.pack(self.holds, self.at, self.instead, self.salt, under, self.knew)


def unpack(value: bytes) -> Given:
    """As it was packed."""
    if len(value) == _OLD.size:
        value += value[1:9]  # one that was given then was given after what its giver knew
    holds, at, instead, salt, under, knew = _SALT.unpack(value)
    return Given(salt, at, knew, under.decode(), bool(holds), instead)


def mark(salt: bytes) -> bytes:
    """By which a salt is known to who holds it, and to nobody else."""
    return blake2b(salt, digest_size=8).digest()


def place(purpose: int, key: bytes) -> bytes:
    """The key of a salt's message, without the kind."""
    return key + purpose.to_bytes(4, "big")


def placed(key: bytes) -> tuple[int, bytes]:
    """(purpose, whose) of it."""
    return int.from_bytes(key[16:], "big"), key[:16]


def begin(database: sqlite3.Connection, topic: str, name: bytes) -> None:
    """From now on, what is recorded is told; the first time, also what there is. In a transaction."""
    for one in filter(str.strip, TABLES.split(";")):
        database.execute(one)
    if not any(column[1] == "knew" for column in database.execute("PRAGMA table_info(given_at)")):
        database.execute("ALTER TABLE given_at ADD COLUMN knew INTEGER NOT NULL DEFAULT 0")
        database.execute("UPDATE given_at SET knew = at")
    database.execute(_FORGETS)
    row = database.execute("SELECT topic FROM sharing").fetchone()
    for trigger, (table, when, kind, key) in _TELLS.items():
        database.execute(
            f"CREATE TRIGGER IF NOT EXISTS {trigger} AFTER {when} ON {table}"
            " WHEN (SELECT hearing FROM sharing) = 0"
            f" BEGIN INSERT INTO untold (kind, key) VALUES ({kind}, CAST({key} AS BLOB)); END"
        )
    if row == (topic,):
        return
    database.execute("INSERT OR REPLACE INTO sharing VALUES (1, ?, ?, 0, 0)", (name, topic))
    database.execute("DELETE FROM untold")
    database.execute("INSERT INTO untold (kind, key) SELECT DISTINCT X'77', key FROM content")
    whose = database.execute("SELECT purpose, key FROM salt ORDER BY seq").fetchall()
    database.executemany(
        "INSERT INTO untold (kind, key) VALUES (?, ?)", [(SALT, place(*one)) for one in whose]
    )
    for table, (kind, key) in {"link": _TELLS["told_link"][2:], "unlinked": _TELLS["told_unlinked"][2:],
                               "tombstone": _TELLS["told_stone"][2:]}.items():  # fmt: skip
        told = f"CAST({key.replace('NEW.', '')} AS BLOB)"
        database.execute(f"INSERT INTO untold (kind, key) SELECT {kind}, {told} FROM {table}")


def end(database: sqlite3.Connection) -> None:
    """Nothing is told any more, nor kept to be. In a transaction."""
    for trigger in _TELLS:
        database.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    database.execute("DROP TRIGGER IF EXISTS given_gone")
    for table in ("untold", "sharing", "given_at"):
        database.execute(f"DROP TABLE IF EXISTS {table}")


def untold(database: sqlite3.Connection, most: int) -> list[Row]:
    """What is to be told next."""
    rows = database.execute("SELECT seq, kind, key FROM untold ORDER BY seq LIMIT ?", (most,))
    return [Row(*row) for row in rows]


def speaking(database: sqlite3.Connection) -> set[bytes]:
    """Whose words are to be told."""
    return {bytes(key) for (key,) in database.execute("SELECT key FROM untold WHERE kind = ?", (WORD,))}


class Stands(NamedTuple):
    """What follows from the records of one id. word: None where none of them is a word; kept: those that an
    erasure leaves, the oldest first; over: purpose → up to which word what was given for it has ended;
    spoken: purpose → when its last word was said."""

    word: Word | None
    since: int
    restricted: bool
    kept: tuple[str, ...]
    over: dict[int, int]
    spoken: dict[int, int]


def fold(records: Iterable[str]) -> Stands:
    """What the records of one id say together, in whatever order they have come: each purpose's latest word;
    of two of one moment the refusal."""
    said = sorted((step for text in set(records) for step in _steps(text)), key=lambda one: one[:3])
    word: Word | None = None
    since, restricted, kept = 0, False, list[str]()
    over, spoken = dict.fromkeys(KEYS, 0), dict.fromkeys(KEYS, 0)
    for at, _, text, what, purposes in said:
        ended = _ends(word)
        if what == "erased":
            word, since, restricted, kept = Word(0, 0, True), at, False, []
            spoken = dict.fromkeys(KEYS, at)
        elif what in ("granted", "denied"):
            last = NO_WORD if word is None else word
            word = after(last, purposes, 0) if what == "granted" else after(last, 0, purposes)
            since = at
            spoken |= {purpose: at for purpose in KEYS if purpose & purposes}
        elif what in ("lifted", "restricted"):
            restricted = what == "restricted"
        kept.append(text)
        for purpose in KEYS:
            if purpose in _ends(word):
                over[purpose] = NEVER
            elif purpose in ended:
                over[purpose] = spoken[purpose] = at  # any word of who was erased lifts that
    return Stands(word, since, restricted, tuple(dict.fromkeys(kept)), over, spoken)


def _steps(text: str) -> Iterator[tuple[int, int, str, str, int]]:
    """What one record does, when, and in which order with what others say of that moment."""
    record = json.loads(text)
    at = record["at"]
    if record.get("erased"):
        yield at, 3, text, "erased", 0
    elif "granted" in record:
        for order, what in enumerate(("granted", "denied")):
            yield at, order, text, what, mask(BY_NAME.keys() & record[what])
    elif "restricted" in record:
        yield at, record["restricted"], text, "restricted" if record["restricted"] else "lifted", 0
    else:
        yield at, 0, text, "", 0


def _ends(word: Word | None) -> list[int]:
    """Purposes of pseudonyms that a word leaves nothing of."""
    return [] if word is None else [purpose for purpose in KEYS if word.refuses(purpose)]


def stands(database: sqlite3.Connection, key: bytes) -> bytes:
    """The message about what one id has said: its latest records, and who speaks last of each purpose."""
    texts = fold(text for _, text in chain.records(database, key)).kept
    some, spoken = list(texts[-_MOST:]), set[str]()
    for text in some:
        spoken |= _of(text)
    for text in reversed(texts[:-_MOST]):
        if _of(text) - spoken:
            spoken |= _of(text)
            some.insert(0, text)
    (removes,) = database.execute("SELECT max(removes) FROM withdrawn WHERE key = ?", (key,)).fetchone()
    return json.dumps({"records": some, "removes": bool(removes)}).encode()


def _of(text: str) -> set[str]:
    record = json.loads(text)
    found = {*record.get("granted", ()), *record.get("denied", ())}
    return found | {name for name in ("erased", "restricted") if name in record}


def once(rows: Sequence[Row]) -> list[Row]:
    """Each thing once, where it was noted last."""
    last = {(row.kind, row.key): row for row in rows}
    return sorted(last.values())


class Spoken(NamedTuple):
    """What a message says of one id. removes: what was made of it before also leaves the disk (M113)."""

    records: list[str]
    removes: bool


def read(value: bytes) -> Spoken:
    """As `stands` wrote it."""
    told = json.loads(value)
    return Spoken(told["records"], told["removes"])


def erases(texts: Iterable[str]) -> bool:
    """Whether one of these records is an erasure."""
    return any(json.loads(text).get("erased") for text in texts)
