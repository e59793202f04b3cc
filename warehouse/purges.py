"""What looking after facts has taken away: counted before it is done, and kept beside the facts for good.

Two small tables of the lake, written in the transaction that does it: `purges`, rows, values, files and bytes
by reason (M79), and `coarse`, the days of which facts are not what they were, so that reports that need more
stay as they were published (S22).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
from msgspec import Struct

from consent_filter.purpose import Purpose
from consent_filter.retention import DEGREES, NULLED, Ends, age
from warehouse.decay import Due, judged
from warehouse.extensions import quote
from warehouse.lake import rows_of

#: Why anything was taken away, or was not: the policy's time is over; a purpose's; a column's; it is to be
#: coarser; whoever has withdrawn would lose the pseudonym that says so; a closed account; what a hold stops;
#: files that nothing names any more.
REASONS = ("policy", "purpose", "field", "decay", "withdrawn", "closed", "hold", "removed")
_DONE = re.compile(r"\.d(\d{4})(\d\d)(\d\d)\.parquet$")


class Purged(Struct):
    """By one reason: rows, values inside rows that stay, files concerned and bytes. Of rows that go, `bytes`
    is their share of their files; of "removed" it is what the disk got back."""

    rows: int = 0
    values: int = 0
    files: int = 0
    bytes: int = 0


class Mark(NamedTuple):
    """Facts of that purpose, site and day are no finer than that degree; "none": null, or gone (`row`)."""

    purpose: int
    field: str
    degree: str
    site: str
    day: date


class Account(NamedTuple):
    """What a rewrite will do: rows left out, by reason what is taken away, what becomes coarse, and the
    (day, days) of the pseudonyms that need a key."""

    over: int
    purged: dict[str, Purged]
    marks: set[Mark]
    cuts: set[tuple[date, int]]


def done(path: str) -> date | None:
    """Up to which day all that was due is done in a file, as its name says; None: nobody has looked."""
    found = _DONE.search(path)
    return date(*map(int, found.groups())) if found else None


def suffix(today: date) -> str:
    """What the name of a file ends with in which all is done that is due that day."""
    return f".d{today:%Y%m%d}"


def account(connection: duckdb.DuckDBPyConnection, paths: Collection[str], due: Due) -> Account:
    """Count what writing these files anew will take away. The tables of `decay.offer` are there."""
    names = ", ".join(f"'{quote(path)}'" for path in paths)
    values = [name for name in NULLED if due.sets or any(name in one.fields for one in due.schedule.values())]
    values += [] if "path" in values else ["path"]
    rows = connection.execute(
        "SELECT filename, coalesce(policy, ''), coalesce(because, ''), coalesce(purposes, 0), received::DATE,"
        " site, day,"
        " coalesce(treatment, '') = 'identified', held, state, gone, most, count(*),"
        f" {', '.join(f'count({name})' for name in values)}"
        f" FROM {judged(f'(SELECT *, filename FROM lake.events WHERE filename IN ({names}))', due)}"
        " GROUP BY ALL"
    ).fetchall()
    tally, whole = _Tally(), dict[str, int]()
    for row in rows:
        whole[row[0]] = whole.get(row[0], 0) + row[12]
    for path, policy, because, purposes, got, site, day, known, held, state, gone, most, n, *counts in rows:
        some = _Some(path, site, day, purposes, n, dict(zip(values, counts, strict=True)))
        rule, days = due.schedule[policy, because, purposes], age(got, due.today)
        withdrawn = gone and known and days >= rule.degrees.get(("person", "day"), 1 << 30)
        goes = days >= rule.row or withdrawn
        if held:
            if goes or any(days >= one for one in rule.days()):
                tally.add("hold", some, rows=n)
        elif state is not None:
            _closed(tally, some, None if state < 0 or days >= most else due.sets[state])
        elif goes:
            tally.add("withdrawn" if withdrawn and days < rule.row else "policy", some, rows=n, gone=True)
            if not withdrawn:
                tally.mark(some, purposes, "row", "none")
        else:
            since = done(path)
            _stays(tally, some, rule, days, age(got, since) if since else 0, known)
    return tally.account(whole)


class _Some(NamedTuple):
    """Rows of one file that are judged alike, and how many of them have a value in which column."""

    path: str
    site: str
    day: date
    purposes: int
    n: int
    filled: Mapping[str, int]


class _Tally:
    def __init__(self) -> None:
        self.rows: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.values: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.gone: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self.marks, self.cuts = set[Mark](), set[tuple[date, int]]()

    def add(self, reason: str, some: _Some, *, rows: int = 0, values: int = 0, gone: bool = False) -> None:
        for what, n in ((self.rows, rows), (self.values, values), (self.gone, rows if gone else 0)):
            if n:
                what[reason][some.path] += n

    def mark(self, some: _Some, purposes: int, field: str, degree: str) -> None:
        bits = (int(purpose) for purpose in Purpose if purposes & purpose)
        self.marks |= {Mark(bit, field, degree, some.site, some.day) for bit in bits}

    def account(self, whole: Mapping[str, int]) -> Account:
        purged = {}
        for reason in REASONS:
            files = self.rows[reason].keys() | self.values[reason].keys()
            if files:
                purged[reason] = Purged(
                    sum(self.rows[reason].values()),
                    sum(self.values[reason].values()),
                    len(files),
                    sum(
                        Path(path).stat().st_size * n // whole[path] for path, n in self.gone[reason].items()
                    ),
                )
        over = sum(sum(files.values()) for files in self.gone.values())
        return Account(over, purged, self.marks, self.cuts)


def _closed(tally: _Tally, some: _Some, columns: frozenset[str] | None) -> None:
    if columns is None:
        tally.add("closed", some, rows=some.n, gone=True)
    else:
        values = sum(n for name, n in some.filled.items() if name not in columns)
        tally.add("closed", some, values=values, rows=some.n if some.purposes else 0)


def _stays(tally: _Tally, some: _Some, rule: Ends, days: int, before: int, known: bool) -> None:
    """Rows that stay: what they lose. `before`: their age when this file was last looked after."""
    lost = sum(bit for bit, end in rule.purposes.items() if days >= end)
    if lost:
        tally.add("purpose", some, rows=some.n)
        tally.mark(some, lost, "row", "none")
    nulled = [name for name, end in rule.fields.items() if days >= end and some.filled[name]]
    if nulled:
        tally.add("field", some, rows=some.n, values=sum(some.filled[name] for name in nulled))
        for name in nulled:
            tally.mark(some, some.purposes, name, "none")
    for name, order in DEGREES.items():
        over = [degree for degree in order if days >= rule.degrees.get((name, degree), 1 << 30)]
        if not over or (name == "person" and over[-1] == "day" and not known):
            continue  # a pseudonym of the day is one already
        n = some.filled["path"] if name == "path" else some.n
        if n and before < rule.degrees[name, over[-1]]:
            tally.add("decay", some, rows=some.n, values=n)
        if n:
            tally.mark(some, some.purposes, name, over[-1])
        if over[-1] == "day" and name == "person":
            tally.cuts.add((some.day, rule.degrees["person", "day"]))


def write(
    connection: duckdb.DuckDBPyConnection, at: float, purged: Mapping[str, Purged], marks: Collection[Mark]
) -> None:
    """Part of the caller's transaction."""
    for reason, one in purged.items():
        connection.execute(
            "INSERT INTO lake.purges VALUES (make_timestamp(?), ?, ?, ?, ?, ?)",
            [round(at * 1e6), reason, one.rows, one.values, one.files, one.bytes],
        )
    known = set(coarse(connection))
    rows = sorted(set(marks) - known)
    for at_once in range(0, len(rows), 1000):
        part: Sequence[Mark] = rows[at_once : at_once + 1000]
        connection.execute(
            f"INSERT INTO lake.coarse VALUES {', '.join(['(?, ?, ?, ?, ?)'] * len(part))}",
            [value for mark in part for value in mark],
        )


def coarse(connection: duckdb.DuckDBPyConnection) -> Iterator[Mark]:
    """Every mark, of a lake that was made before there were any, too."""
    for row in rows_of(connection, "SELECT purpose, field, degree, site, day FROM lake.coarse"):
        yield Mark(*row)


def purges(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    """What every run has taken away, the newest first: at (UTC seconds), reason, and as `Purged`."""
    found = rows_of(
        connection,
        "SELECT epoch(moment), reason, facts, cells, files, bytes FROM lake.purges ORDER BY 1 DESC, 2",
    )
    names = ("at", "reason", "rows", "values", "files", "bytes")
    return [dict(zip(names, row, strict=True)) for row in found]
