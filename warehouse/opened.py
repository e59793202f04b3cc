"""What was ever answered from facts, and of which state of a day: DATA/explore.sqlite.

The first question about a day opens it: a mark is kept of the people that it was counted of. While the mark
is the same, more may be asked of it. Where it is another (somebody has left, or came late), a new answer less
an old one would be that somebody: so nothing new is asked of the day. What was answered stands until the day
is published anew, or as long as a published day may stand still, and is then deleted; the day stays closed.

The tables in here are released ones: groups, and nobody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from warehouse.askable import subject_of
from warehouse.report import Report

FILE = "explore.sqlite"
_TABLES = """
CREATE TABLE IF NOT EXISTS rule (text TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS opened (site TEXT, purpose TEXT, day TEXT, mark TEXT, at REAL,
    moved REAL, PRIMARY KEY (site, purpose, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answered (report TEXT, site TEXT, day TEXT, rows BLOB,
    PRIMARY KEY (report, site, day)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (report TEXT, site TEXT, day TEXT, mark TEXT,
    PRIMARY KEY (report, site, day)) WITHOUT ROWID;
"""


class Mark(NamedTuple):
    """A day that was opened. at: when, seconds since 1970. mark: of the people it was counted of. rule: that
    under which it holds."""

    site: str
    purpose: str
    day: str
    mark: str
    at: float
    rule: str


def marks(data: Path) -> tuple[Mark, ...]:
    """Every day that was opened in a folder: what a restored copy of an older day must know, too."""
    if not (data / FILE).exists():
        return ()
    with reading(data) as one:
        found = one.execute(
            "SELECT site, purpose, day, mark, at, text FROM opened, rule ORDER BY site, purpose, day"
        ).fetchall()
    return tuple(Mark(*row) for row in found)


def reading(data: Path) -> closing[sqlite3.Connection]:
    """The file of a folder that has one, to be read while others write."""
    uri = f"{(data / FILE).resolve().as_uri()}?mode=ro"
    return closing(sqlite3.connect(uri, uri=True, timeout=10))


def newest(found: Iterable[Mark]) -> tuple[Mark, ...]:
    """Of each day the mark that holds: under another rule a day is opened anew."""
    held = dict[tuple[str, str, str], Mark]()
    for one in sorted(found, key=lambda one: one.at):
        held[one[:3]] = one
    return tuple(held[key] for key in sorted(held))


def remember(data: Path, found: Collection[Mark]) -> None:
    """What was opened since the copy was made is opened in it, too, of the people that it was counted of."""
    if not found:
        return
    rule = max(found, key=lambda one: one.at).rule
    with closing(Opened(data, rule)) as held:
        held.reopen([one for one in found if one.rule == rule])


class Opened:
    """One open file. `rule`: what every row depends on besides facts; under another all begins anew."""

    def __init__(self, data: Path, rule: str) -> None:
        self._con = sqlite3.connect(data / FILE, timeout=10, isolation_level=None, check_same_thread=False)
        self._con.execute("PRAGMA journal_mode = WAL")
        self._con.executescript(_TABLES)
        if self._con.execute("SELECT text FROM rule").fetchall() != [(rule,)]:
            with self._con:
                self._con.execute("BEGIN IMMEDIATE")
                for table in ("rule", "opened", "answered", "refused"):
                    self._con.execute(f"DELETE FROM {table}")
                self._con.execute("INSERT INTO rule VALUES (?)", [rule])

    def marks(self, site: str, purpose: str) -> dict[date, tuple[str, float]]:
        """Day → its mark when it was opened, and when that was (seconds since 1970)."""
        found = self._con.execute(
            "SELECT day, mark, at FROM opened WHERE site = ? AND purpose = ?", [site, purpose]
        )
        return {date.fromisoformat(day): (mark, at) for day, mark, at in found}

    def move(
        self, site: str, purpose: str, moved: Collection[date], stands: Collection[date], at: float
    ) -> dict[date, float]:
        """Note of which days the people are others now, and of which they are the same (again). Returns since
        when that is known of each of the former."""
        where = "WHERE site = ? AND purpose = ? AND day = ?"
        with self._con:
            self._con.executemany(
                f"UPDATE opened SET moved = coalesce(moved, ?) {where}",
                [(at, site, purpose, day.isoformat()) for day in moved],
            )
            self._con.executemany(
                f"UPDATE opened SET moved = NULL {where} AND moved IS NOT NULL",
                [(site, purpose, day.isoformat()) for day in stands],
            )
        found = self._con.execute(
            "SELECT day, moved FROM opened WHERE site = ? AND purpose = ? AND moved IS NOT NULL",
            [site, purpose],
        )
        return {date.fromisoformat(day): since for day, since in found}

    def held(self, report: str, site: str, days: Iterable[date]) -> dict[date, pa.Table]:
        """What was answered of these days."""
        listed = [day.isoformat() for day in days]
        found = self._con.execute(
            "SELECT day, rows FROM answered WHERE report = ? AND site = ? AND day BETWEEN ? AND ?",
            [report, site, min(listed, default=""), max(listed, default="")],
        )
        return {date.fromisoformat(day): unpacked(rows) for day, rows in found}

    def known(self, site: str, days: Collection[date]) -> set[tuple[str, date]]:
        """Which reports of which of these days were answered, or refused by the audit."""
        listed = [day.isoformat() for day in days]
        span = [site, min(listed, default=""), max(listed, default="")]
        where = "WHERE site = ? AND day BETWEEN ? AND ?"
        found = self._con.execute(
            f"SELECT report, day FROM answered {where} UNION SELECT report, day FROM refused {where}",
            span * 2,
        )
        return {(report, date.fromisoformat(day)) for report, day in found}

    def refuse(self, report: str, site: str, marks: Mapping[date, str]) -> None:
        """Note that of these days, counted of these people, a report would tell what is hidden."""
        with self._con:
            self._con.executemany(
                "INSERT OR REPLACE INTO refused VALUES (?, ?, ?, ?)",
                [(report, site, day.isoformat(), mark) for day, mark in marks.items()],
            )

    def refused(self, report: str, site: str) -> dict[date, str]:
        """The days of which that was found, and the marks that they had."""
        found = self._con.execute(
            "SELECT day, mark FROM refused WHERE report = ? AND site = ?", [report, site]
        )
        return {date.fromisoformat(day): mark for day, mark in found}

    def keep(
        self,
        report: Report,
        site: str,
        tables: Mapping[date, pa.Table],
        marks: Mapping[date, str],
        at: float,
    ) -> dict[date, pa.Table]:
        """Keep what is answered of days, durable before anybody sees it, and open those that were not.
        Returns those that may be answered: a day may have been opened meanwhile, of other people."""
        opened = [(site, report.purpose, day.isoformat(), marks[day], at) for day in tables]
        with self._con:
            self._con.execute("BEGIN IMMEDIATE")
            self._con.executemany("INSERT OR IGNORE INTO opened VALUES (?, ?, ?, ?, ?, NULL)", opened)
            now = self.marks(site, report.purpose)
            good = {day: table for day, table in tables.items() if now[day][0] == marks[day]}
            rows = [(report.name, site, day.isoformat(), packed(table)) for day, table in good.items()]
            self._con.executemany("INSERT OR IGNORE INTO answered VALUES (?, ?, ?, ?)", rows)
        return good

    def reopen(self, found: Iterable[Mark]) -> None:
        """Write down days that were opened elsewhere: what was first answered of a day is what counts."""
        with self._con:
            self._con.executemany(
                "INSERT INTO opened VALUES (?, ?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE"
                " SET mark = excluded.mark, at = excluded.at WHERE excluded.at < at",
                [one[:5] for one in found],
            )

    def drop(self, purpose: str, site: str, days: Iterable[date]) -> None:
        """Delete what was answered of these days. That they were opened is not forgotten."""
        found = self._con.execute("SELECT DISTINCT report FROM answered WHERE site = ?", [site]).fetchall()
        names = [name for (name,) in found if subject_of(name).purpose == purpose]
        with self._con:
            self._con.executemany(
                "DELETE FROM answered WHERE report = ? AND site = ? AND day = ?",
                [(name, site, day.isoformat()) for name in names for day in days],
            )

    def close(self) -> None:
        with closing(self._con):
            pass


def packed(table: pa.Table) -> bytes:
    """As it is kept in a row."""
    sink = pa.BufferOutputStream()
    small = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, table.schema, options=small) as stream:
        stream.write_table(table)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def unpacked(rows: bytes) -> pa.Table:
    """As it was packed."""
    return pa.ipc.open_stream(rows).read_all()
