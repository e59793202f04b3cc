"""`throng rights prove ID`: every byte of the data folder and of backups, searched for one person (S2).

Searched is for the id in the ways it could be written, its keyed hash, salts and pseudonyms; as bytes in
every file, and decoded where files compress: Parquet, DuckDB, SQLite, the log. Pseudonyms of who was removed
nobody can make again; therefore every pseudonym that is found anywhere is held against the tombstones.
"""

from __future__ import annotations

import base64
import json
import mmap
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote as percent

import numpy as np

from consent_filter.departed import Tombstones
from consent_filter.ledger import Ledger, Subject
from consent_filter.pseudonym import Keyring
from ingest.log.opening import opened
from pipelines.absent import tombstones
from pipelines.stones import NAME
from throng import backup
from warehouse import relocation, search
from warehouse.bucket import Object
from warehouse.depot import Depot

#: Fewer characters are found everywhere by chance: such an id is searched for as a whole value only.
_SHORT = 6


class Needle(NamedTuple):
    """One thing to look for, in one way of writing it."""

    what: str
    data: bytes


class Where(NamedTuple):
    """A place where something was found. allowed: why it may stay, None where it may not."""

    file: str
    what: str
    allowed: str | None


class Person(NamedTuple):
    """Whom is looked for."""

    id: str
    subject: Subject
    salts: tuple[bytes, ...]

    @property
    def persons(self) -> tuple[int, ...]:
        return tuple(one.person for one in self.subject.persons)


def whom(data: Path, site: str, kind: str, id: str) -> Person:
    """What is known of an id."""
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as ledger:
        subject = ledger.subject(ledger.key(site, kind, id))
    with closing(sqlite3.connect(f"{(data / 'ledger.sqlite').resolve().as_uri()}?mode=ro", uri=True)) as one:
        salts = tuple(row[0] for row in one.execute("SELECT salt FROM salt WHERE key = ?", (subject.key,)))
    return Person(id, subject, salts)


def needles(person: Person) -> list[Needle]:
    """Everything to look for as bytes."""
    id, found = person.id, list[Needle]()
    if len(id) >= _SHORT:
        ways = {id.encode(), json.dumps(id)[1:-1].encode(), percent(id, safe="").encode()}
        ways |= {
            id.encode("utf-16-le"),
            id.encode().hex().encode(),
            base64.b64encode(id.encode()).rstrip(b"="),
        }
        found += [Needle("the id", way) for way in ways]
    else:
        found.append(Needle("the id", json.dumps(id).encode()))
    for what, value in (("the keyed hash", person.subject.key), *(("a salt", salt) for salt in person.salts)):
        ways = {value, value.hex().encode(), base64.urlsafe_b64encode(value).rstrip(b"=")}
        found += [Needle(what, way) for way in ways]
    for number in person.persons:
        ways = {number.to_bytes(8, "little"), number.to_bytes(8, "big"), b"%d" % number, b"%016x" % number}
        found += [Needle("a pseudonym", way) for way in ways]
    return found


def run(data: Path, person: Person, backups: list[Path], now: float | None = None) -> Iterator[Where]:
    """Every place. The caller holds pipeline.lock, so that nothing moves meanwhile."""
    wanted, gone = needles(person), tombstones(data)
    for file in _files(data):
        for what in _in(file, person, wanted, gone):
            where = str(file.relative_to(data))
            yield Where(where, what, _allowed(where, what, person.subject))
    old = relocation.left(data)
    for depot in (Depot.of(data), *([Depot(data, old)] if old else ())):
        for one in depot.away():
            yield from (Where(str(one), what, None) for what in _there(one, person, wanted, gone))
    yield from (Where(*one) for one in _log(data, gone))
    moment = time.time() if now is None else now
    for place in backups:
        for file in _files(place):
            for what in _in(file, person, wanted, gone):
                yield Where(f"{place.name}/{file.relative_to(place)}", what, _copy(place, file, what, moment))


def _in(file: Path, person: Person, wanted: list[Needle], gone: Tombstones) -> Iterator[str]:
    """What one file holds."""
    found = {needle.what for needle in wanted if needle.data in _Bytes(file)}
    yield from sorted(found)
    name, texts = file.name, [person.id] if len(person.id) >= _SHORT else []
    if name.endswith(".parquet"):
        for column in search.parquet(file, texts, person.persons, gone.among):
            yield f"in the column {column}"
    elif name.endswith(".duckdb"):
        for column in search.database(file, texts, person.persons):
            yield f"in {column}"
    elif name.endswith(".sqlite"):
        yield from _cells(file, person, found)


def _there(place: Object, person: Person, wanted: list[Needle], gone: Tombstones) -> Iterator[str]:
    """What one file in a bucket holds."""
    try:
        data = place.read()
        yield from sorted({needle.what for needle in wanted if needle.data in data})
        if place.name.endswith(".parquet"):
            texts = [person.id] if len(person.id) >= _SHORT else []
            for column in search.parquet(place, texts, person.persons, gone.among):
                yield f"in the column {column}"
    except FileNotFoundError:  # gone since it was listed
        return


class _Bytes:
    """A file's bytes, to be looked into."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def __contains__(self, needle: bytes) -> bool:
        try:
            with open(self._file, "rb") as one, mmap.mmap(one.fileno(), 0, access=mmap.ACCESS_READ) as whole:
                return whole.find(needle) >= 0
        except (ValueError, FileNotFoundError):  # empty, or gone since it was listed
            return False


def _cells(file: Path, person: Person, found: set[str]) -> Iterator[str]:
    """What only shows when rows are put together: a value may lie on two pages."""
    signed = {number - (1 << 64) if number >> 63 else number for number in person.persons}
    blobs = [("the keyed hash", person.subject.key), *(("a salt", salt) for salt in person.salts)]
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as one:
        for (table,) in one.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for row in one.execute(f'SELECT * FROM "{table}"'):
                for cell in row:
                    what = None
                    if isinstance(cell, int) and cell in signed:
                        what = "a pseudonym"
                    elif isinstance(cell, str) and (
                        person.id in cell if len(person.id) >= _SHORT else person.id == cell
                    ):
                        what = "the id"
                    elif isinstance(cell, bytes):
                        what = next((name for name, blob in blobs if blob in cell), None)
                    if what and what not in found:
                        found.add(what)
                        yield what


def _log(data: Path, gone: Tombstones) -> Iterator[tuple[str, str, None]]:
    """Where the log holds somebody who was removed: known by their tombstone alone."""
    if not len(gone):
        return
    log = opened(data)
    for offset, record in log.read({}):
        if gone.among(np.unique(record.events.numbers["person"])).any():
            yield log.where(offset), "a removed person's events", None
    log.close()


def _allowed(file: str, what: str, subject: Subject) -> str | None:
    """Why something may stay where it was found."""
    if what == "the keyed hash" and subject.word.erased and file in ("ledger.sqlite", "ledger.sqlite-wal"):
        return "it refuses what comes late; nobody can make the id of it"
    return None


def _copy(place: Path, file: Path, what: str, now: float) -> str | None:
    if file.name == NAME:
        return "it keeps restored copies from bringing anybody back" if what == "the keyed hash" else None
    whole = next((above for above in file.parents if (above / backup.MANIFEST).exists()), None)
    if whole is None:
        return None
    until = backup.manifest(whole)["delete_after"]
    if until <= now:
        return None
    return f"a copy, which is deleted after {time.strftime('%Y-%m-%d', time.gmtime(until))}"


def _files(folder: Path) -> Iterator[Path]:
    yield from (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink())
