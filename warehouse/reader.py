"""What pages read: the published tables, one whole generation at a time, kept open between questions.

Opening a database takes 10 to 40 ms and a page asks twenty questions, so the newest generation stays open and
is shared by threads. A page that began on an older one ends on it.

A statement on a few thousand rows takes 2 ms, whatever it asks, so what it gave is kept for as long as the
tables that it names are the same bytes: five pages of a view ask for the same days, and what many people ask
is asked once. A statement names its site, so what is kept knows nothing of who may see it.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct, structs

from consent_filter.errors import Refused
from warehouse.answer import coded
from warehouse.query import MANY, read, told, unlock
from warehouse.settings import Warehouse
from warehouse.shelf import Shelf
from warehouse.snapshot import CURRENT, HELD, MANIFEST, folder, manifest
from warehouse.watch import Watch

#: Bytes of answers that are kept; about what a row and a value of one weigh in Python.
_KEPT, _ROW, _VALUE = 48_000_000, 250, 60
#: Bytes of tables that are held to be added up: a site's rows of a report are 3 MB at most.
_TABLES = 64_000_000
_WORD = re.compile(r"\w+")
#: Tables that say what a generation is: never the same in two.
_OF_ITSELF = {"reports", "published", "restatements", "effects"}

Rows = list[dict[str, Any]]


class Reading:
    """One generation, for one page. Its statements are ours: `?` stands for every value that is not."""

    def __init__(
        self, made: dict[str, Any], cursor: duckdb.DuckDBPyConnection, watch: Watch, answers: Shelf[Rows],
        tables: Shelf[pa.Table], seconds: float,
    ) -> None:  # fmt: skip
        self.made, self._cursor, self._watch, self._answers = made, cursor, watch, answers
        self._tables, self._seconds = tables, seconds

    @property
    def tables(self) -> set[str]:
        """The reports of this generation."""
        return set(self.made["tables"])

    @property
    def imported(self) -> set[str]:
        """The reports of which another tool has counted days before (`imported.py`)."""
        return {name.removeprefix("imported_") for name in self.made.get("imported", {})}

    def table(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """The answer as a table. Raises Refused where it takes too long."""
        with told(self._seconds), self._watch.over(self._cursor):
            return read(self._cursor, sql, values)

    def held(self, sql: str, values: Sequence[object] = ()) -> pa.Table:
        """The answer as a table in one piece, its texts as codes, for whoever adds it up in several ways;
        kept as `rows` are."""
        key = sql, repr(values), self._of(sql)
        return self._tables.made(
            key, lambda: coded(self.table(sql, values).combine_chunks()), lambda table: table.nbytes
        )

    def rows(self, sql: str, values: Sequence[object] = ()) -> Rows:
        """The answer as rows, which are the caller's; asked anew only where tables have changed. Only for
        what stands in tables: no clock, nothing drawn by lot."""
        key = sql, repr(values), self._of(sql)
        found = self._answers.made(key, lambda: self._fetched(sql, values), _weight)
        return [dict(row) for row in found]

    def _fetched(self, sql: str, values: Sequence[object]) -> Rows:
        """The first MANY rows. A table between would take as long again as a short answer does."""
        with told(self._seconds), self._watch.over(self._cursor):
            found = self._cursor.execute(sql, list(values))
            names = [about[0] for about in found.description or ()]
            return [dict(zip(names, row, strict=True)) for row in found.fetchmany(MANY)]

    def _of(self, sql: str) -> object:
        """What stands for the bytes of all tables that a statement names."""
        words, tables = set(_WORD.findall(sql)), self.made["tables"]
        named = sorted(words & tables.keys())
        itself = words & _OF_ITSELF or any(f"imported_{name}" in words for name in tables)
        if not named or itself or any("sha256" not in tables[name] for name in named):
            return self.made["generation"], self.made["time"]
        return tuple((name, tables[name]["sha256"]) for name in named)


def mark(file: Path) -> Hashable:
    """What is another one where a file is; None where there is none."""
    try:
        said = file.stat()
    except FileNotFoundError:
        return None
    return said.st_dev, said.st_ino, said.st_mtime_ns, said.st_size


def _weight(rows: Rows) -> int:
    return sum(_ROW + _VALUE * len(row) for row in rows)


class _Open(Struct):
    made: dict[str, Any]
    connection: duckdb.DuckDBPyConnection
    users: int = 0


class Reader:
    """The published tables of one data folder, for any number of threads."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        self._data, self._settings = data, settings
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._last: tuple[Hashable, dict[str, Any] | None] | None = None
        self._watch, self._answers = Watch(settings.query_seconds), Shelf[Rows](_KEPT)
        self._tables = Shelf[pa.Table](_TABLES)

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """The newest generation, held open until the page is done. Raises Refused where there is none."""
        made = self.made()
        if made is None:
            raise Refused(
                404,
                "nothing_published",
                "nothing is published yet: run throng up, or facts, reports, publish",
            )
        with self._lock:
            if self._open is None or self._open.made["generation"] < made["generation"]:
                old, self._open = self._open, _Open(made, self._connect(made))
                if old is not None and not old.users:
                    old.connection.close()
            mine = self._open
            mine.users += 1
            cursor = mine.connection.cursor()
        try:
            how = self._watch, self._answers, self._tables, self._settings.query_seconds
            yield Reading(mine.made, cursor, *how)
        finally:
            cursor.close()
            with self._lock:
                mine.users -= 1
                if not mine.users and mine is not self._open:
                    mine.connection.close()

    def made(self) -> dict[str, Any] | None:
        """What is published now (`snapshot.manifest`), not to be changed; read again only where the file is
        another one: a page asks three times, and reading takes a millisecond."""
        file = folder(self._data) / CURRENT / MANIFEST
        now, last = mark(file), self._last
        if now is None or last is None or last[0] != now:
            last = self._last = now, manifest(self._data)
        return last[1]

    def since(self) -> float:
        """When what is published took its place (seconds since 1970); 0 where nothing is."""
        try:
            return os.lstat(folder(self._data) / CURRENT).st_mtime
        except FileNotFoundError:
            return 0.0

    def withheld(self) -> Hashable:
        """What is another one where a newer generation is held back, or is no more."""
        return mark(folder(self._data) / HELD)

    def close(self) -> None:
        """Close what is open; pages that are being made keep theirs."""
        with self._lock:
            if self._open is not None and not self._open.users:
                self._open.connection.close()
            self._open = None
        self._watch.close()

    def _connect(self, made: dict[str, Any]) -> duckdb.DuckDBPyConnection:
        # Pages are made by several threads at once: a second one for each of their statements only waits.
        return unlock(folder(self._data) / made["database"], structs.replace(self._settings, threads=1))
