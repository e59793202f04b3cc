"""Facts of the days that were asked about, held in memory between questions: no file, and never for long.

What is held of a day is what reports read of it, as they read it: rows granted the purpose, of whom a report
may count, under the account that a login made them. A day's facts are read anew when its files are others, or
its logins. Who has withdrawn, is being removed, restricted or held is taken out before the next question is
answered; who comes back is read anew. Numbers that add up over the rest are added up once (`daily`), so that
a question of few words reads a row a person and day.

The same contributions come of it as of the report's own SQL (`askable.py`), which a property holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from pathlib import PurePath
from typing import NamedTuple

import duckdb
import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.counterpart import TYPE
from consent_filter.links import Linked
from warehouse import askable
from warehouse.answer import coded
from warehouse.days import named
from warehouse.extensions import OFFLINE
from warehouse.recordkeys import RecordKeys
from warehouse.relations import OWN, ROWS, Bucket, Days, hold, lent
from warehouse.report import OTHER, Report

#: Bytes that one fact takes in all tables, and while it is read; measured, and rounded up.
BYTES = 96
#: And that one takes of which is held only who came on which day: a third of a row, at most.
PRESENT = 16
#: About how many rows are read at once.
_CHUNK = 500_000
_EVENTS, _VISITS = askable.BY_NAME["events"], askable.BY_NAME["visits"]
#: table → its columns that are texts.
_TEXTS = {"rows": tuple(_EVENTS.dimensions), "stays": tuple(_VISITS.dimensions)}
#: subject → what is held for its questions; "" is for marks of days alone.
_READS = {"": ("present",), "events": ("present", "rows"), "visits": ("present", "stays")}
#: What one person has on nearly every event of a day, and the hour.
_DAILY = ("country", "device", "os", "browser", "hour")
_TABLES = {
    "rows": "day DATE, person UBIGINT, duration_ms BIGINT",
    "stays": "day DATE, person UBIGINT, views BIGINT, duration_ms BIGINT, bounced BIGINT",
}


class Facts(NamedTuple):
    """Relations of one snapshot: facts that are asked about, those of every site; how many the former are."""

    con: duckdb.DuckDBPyConnection
    those: str
    everyone: str
    rows: int


class State(NamedTuple):
    """What answers depend on besides facts. gone: whom no report counts, in ascending order."""

    gone: NDArray[np.uint64]
    logins: Linked


class Remembered:
    """What is held of one site, for one purpose. Its relations are those of a build (`Relations`)."""

    def __init__(self, threads: int, bit: int, keys: RecordKeys) -> None:
        self._bit, self._keys = bit, keys
        self._engine = duckdb.connect(
            ":memory:", config={**OFFLINE, "threads": str(threads), "temp_directory": ""}
        )
        #: Days of each table, and what they were read from.
        self._read: dict[str, dict[date, str]] = {name: {} for name in ("present", *_TEXTS)}
        self._spans: dict[str, tuple[date, date] | None] = {}
        self._words: dict[str, list[str]] = {}
        self._gone: NDArray[np.uint64] = np.zeros(0, np.uint64)
        for table, names in _TEXTS.items():
            for name in names:
                self._enum(table, name, sorted({OTHER, TYPE, "page_view", "engagement"}))
        self._run("CREATE TABLE present (day DATE, person UBIGINT, n BIGINT, mark HUGEINT)")
        self._run("CREATE TABLE away (day DATE, person UBIGINT)")
        self.shed()

    def close(self) -> None:
        """Let go of everything."""
        with suppress(duckdb.Error):
            self._engine.close()

    def shed(self) -> None:
        """Let go of facts, and keep who came on which day."""
        for table, names in _TEXTS.items():
            texts = ", ".join(f"{name} {_type(table, name)}" for name in names)
            self._run(f"CREATE OR REPLACE TABLE {table} ({_TABLES[table]}, {texts})")
            self._read[table].clear()
        self._run(f"CREATE OR REPLACE TABLE daily AS {self._day_by_day('false')}")

    @property
    def rows(self) -> int:
        """About how many facts are held."""
        return self._count("rows") + self._count("stays")

    @property
    def bytes(self) -> int:
        """About how much memory is taken."""
        return self.rows * BYTES + self._count("present") * 3 * PRESENT

    def lacking(self, subject: str, days: Iterable[date]) -> list[date]:
        """Which of these days are not held for questions of a subject; of none ("") only marks."""
        return [day for day in days if any(day not in self._read[one] for one in _READS[subject])]

    def sync(self, facts: Facts, state: State, subject: str, days: Sequence[date]) -> None:
        """Make what is held the same as facts, the ledger and the rights as they stand, and hold these days
        for that subject."""
        now = self._standing(facts, state, {*self._read["present"], *days})
        self._forget([day for day, was in self._read["present"].items() if was != now[day]])
        self._part(state.gone)
        self._meet(facts, [day for day in days if day not in self._read["present"]])
        self._read["present"] |= {day: now[day] for day in days}
        missing = self.lacking(subject, days)
        if missing and subject == "events":
            self._fill("rows", _chunks(facts, self._bit, missing))
            self._run(f"INSERT INTO daily {self._day_by_day(named(missing))}")
        elif missing:
            self._fill("stays", _stays(facts, missing))
        for table in _READS[subject]:
            self._read[table] |= {day: now[day] for day in missing}

    def sizes(self, days: Sequence[date]) -> list[int]:
        """How many facts each of these days has."""
        found = self._run(f"SELECT day, sum(n)::BIGINT FROM present WHERE {named(days)} GROUP BY ALL")
        sizes = dict(found.fetchall())
        return [sizes.get(day, 0) for day in days]

    def marks(self, days: Sequence[date]) -> dict[date, str]:
        """Of each day of which people it is counted: how many rows, and a sum of keyed hashes."""
        rows = self._run(
            f"SELECT day, sum(n)::BIGINT, sum(mark)::VARCHAR FROM present WHERE {named(days)} GROUP BY ALL"
        ).fetchall()
        return dict.fromkeys(days, "0") | {day: f"{n}:{sums}" for day, n, sums in rows}

    def asked(self, report: Report, site: str, days: Sequence[date]) -> Report:
        """The report with SQL over what is held: the same contributions."""
        of = askable.subject_of(report.name)
        keys = [key for key in report.keys if key not in ("site", "day")]
        if of is _VISITS:
            table, sums = "stays", {name: sql for name, (sql, _) in of.measures.items()}
        elif set(keys) <= {*_DAILY}:
            table, sums = "daily", {name: f"sum({name})" for name in of.measures}
        else:
            table, sums = "rows", {name: sql for name, (sql, _) in of.measures.items()}
        said = "'" + site.replace("'", "''") + "'"
        # A code as well: rows are joined by all keys, which takes 0.6 of the time where none is a text.
        columns = ", ".join([f"{said}::ENUM({said}) AS site", "day", *keys, "person"])
        numbers = ", ".join(f"({sql})::BIGINT AS {name}" for name, sql in sums.items())
        sql = f"SELECT {columns}, {numbers} FROM {table} WHERE {named(days)} GROUP BY ALL"
        return msgspec.structs.replace(report, sql=sql)

    def connection(self) -> duckdb.DuckDBPyConnection:
        """One for a build; what it leaves goes when it is closed."""
        return self._engine.cursor()

    def relations(self, connection: duckdb.DuckDBPyConnection, days: Sequence[date], many: int) -> Relating:
        """What a build needs to read reports of `asked`. many: the most rows of one person in any report."""
        return Relating(connection, days, many)

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._engine.execute(sql)

    def _count(self, table: str) -> int:
        ((n,),) = self._run(f"SELECT count(*) FROM {table}").fetchall()
        return int(n)

    def _forget(self, days: Collection[date]) -> None:
        if not days:
            return
        for name in ("rows", "daily", "stays", "present", "away"):
            self._run(f"DELETE FROM {name} WHERE {named(days)}")
        for read in self._read.values():
            for day in days:
                read.pop(day, None)

    def _part(self, gone: NDArray[np.uint64]) -> None:
        """Take out who has left since; let go of days of who has come back, so that they are read anew."""
        left, back = np.setdiff1d(gone, self._gone), np.setdiff1d(self._gone, gone)
        self._gone = gone
        if len(back):
            with lent(self._engine, back=pa.table({"person": back})):
                found = self._run("SELECT DISTINCT day FROM away SEMI JOIN back USING (person)").fetchall()
            self._forget([day for (day,) in found])
        if len(left):
            with lent(self._engine, left_now=pa.table({"person": left})):
                self._run(
                    "INSERT INTO away SELECT DISTINCT day, person FROM present"
                    " SEMI JOIN left_now USING (person)"
                )
                for name in ("rows", "daily", "present", "stays"):
                    self._run(f"DELETE FROM {name} WHERE person IN (SELECT person FROM left_now)")

    def _fill(self, table: str, chunks: Iterable[pa.Table]) -> None:
        """Read days into a table, but for who is gone."""
        names = _TEXTS[table]
        read = [chunk for chunk in chunks if chunk.num_rows]
        for name in names:
            found = {word for chunk in read for word in chunk[name].chunk(0).dictionary.to_pylist()}
            self._widen(table, name, found)
        gone = pa.table({"person": self._gone})
        while read:
            with lent(self._engine, chunk=read.pop(), gone=gone):
                self._add(table)

    def _add(self, table: str) -> None:
        """Add the rows of `chunk` but for those of `gone`."""
        texts = ", ".join(f"{name}::{_type(table, name)} AS {name}" for name in _TEXTS[table])
        numbers = ", ".join(part.split()[0] for part in _TABLES[table].split(", "))
        own = f" WHERE {OWN}" if table == "rows" else ""
        self._run(
            f"INSERT INTO {table} SELECT {numbers}, {texts} FROM chunk ANTI JOIN gone USING (person){own}"
        )

    def _meet(self, facts: Facts, days: Sequence[date]) -> None:
        """Read who came on days: of how many events, and what marks are sums of."""
        if not days:
            return
        hashed = f"(hash(xor(person, {self._keys.two:d}::UBIGINT)) >> 32)::BIGINT"
        where = _granted(self._bit, days)
        met = facts.con.sql(
            f"SELECT day, person, count(*) AS n FROM {facts.those} WHERE {where} GROUP BY ALL"
        )
        hold(self._engine, "met", met.to_arrow_table())
        with lent(self._engine, gone=pa.table({"person": self._gone})):
            self._run("INSERT INTO away SELECT day, person FROM met SEMI JOIN gone USING (person)")
            self._run(
                f"INSERT INTO present SELECT day, person, n, n * {hashed}::HUGEINT"
                " FROM met ANTI JOIN gone USING (person)"
            )
        self._run("DROP TABLE met")

    def _day_by_day(self, where: str) -> str:
        sums = ", ".join(f"({sql})::BIGINT AS {name}" for name, (sql, _) in _EVENTS.measures.items())
        return f"SELECT day, person, {', '.join(_DAILY)}, {sums} FROM rows WHERE {where} GROUP BY ALL"

    def _enum(self, table: str, name: str, words: list[str]) -> None:
        """A type of these texts, in their order, so that it sorts as they do."""
        key = f"{table}.{name}"
        self._words[key] = words
        with lent(self._engine, words=pa.table({"word": words})):
            self._run(f"CREATE TYPE {_type(table, name)} AS ENUM (SELECT word FROM words ORDER BY word)")

    def _widen(self, table: str, name: str, found: set[str]) -> None:
        """Make the type of a column hold these texts, too."""
        key = f"{table}.{name}"
        more = found - {*self._words[key]}
        if not more:
            return
        holders = [table, *(["daily"] if table == "rows" and name in _DAILY else [])]
        for one in holders:
            self._run(f"ALTER TABLE {one} ALTER {name} TYPE VARCHAR")
        self._run(f"DROP TYPE {_type(table, name)}")
        self._enum(table, name, sorted({*self._words[key]} | more))
        for one in holders:
            self._run(f"ALTER TABLE {one} ALTER {name} TYPE {_type(table, name)}")

    def _standing(self, facts: Facts, state: State, days: Iterable[date]) -> dict[date, str]:
        """Of each day what its rows are read from: its files, and the logins that say whose rows they are."""
        names = facts.con.execute("FROM ducklake_list_files('lake', 'events')").to_arrow_table()
        listed = list(zip(names["data_file"].to_pylist(), names["delete_file"].to_pylist(), strict=True))
        files = [(PurePath(data).name, data, less or "") for data, less in listed]
        if any(name not in self._spans for name, _, _ in files):
            self._spans = _spans(facts.con)
        found: dict[date, str] = {}
        gone = np.isin(state.logins.device, state.gone)
        hour = 3_600_000
        for day in days:
            said = hashlib.blake2b(digest_size=16)
            for name, data, less in sorted(files):
                span = self._spans.get(name)
                if span is None or span[0] <= day <= span[1]:
                    said.update(f"{data}\0{less}\0".encode())
            begins = (day - date(1970, 1, 1)).days * 24 * hour
            near = (state.logins.at >= begins - 24 * hour) & (state.logins.at < begins + 48 * hour)
            for column in (*state.logins, gone):
                said.update(np.ascontiguousarray(column[near]).tobytes())
            found[day] = said.hexdigest()
        return found


class Relating:
    """Relations over what is held, for one bucket of everyone."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, days: Sequence[date], many: int) -> None:
        self._con, self._days, self._many = connection, days, many

    def move(self, bucket: Bucket, reports: Sequence[Report]) -> None:
        """Make `busy`: who has so many events (n) that a cap of rows may be met."""
        caps = [one.caps.get("cells", self._many) for one in reports if one.people and one.rest]
        self._con.execute(
            "CREATE OR REPLACE TEMP TABLE busy AS SELECT day, person, n FROM present"
            f" WHERE {named(self._days)} AND {ROWS} * n > {min([self._many, *caps]):d}"
        )

    def show(self, report: Report) -> None:
        """Nothing to do: a report of `Remembered.asked` reads what is held."""


def _type(table: str, name: str) -> str:
    return f"{table}_{name}"


def _granted(bit: int, days: Sequence[date]) -> str:
    """Which rows of days may be read for a purpose, as SQL."""
    return f"person IS NOT NULL AND purposes & {bit:d} <> 0 AND {named(days)}"


def _chunks(facts: Facts, bit: int, days: Sequence[date]) -> Iterator[pa.Table]:
    """Rows of days as Arrow, texts as codes: everybody's, and those of other people's events, too."""
    local = "time + to_minutes(offset_min)"
    texts = ", ".join(f"{sql.replace('local', local)} AS {name}" for name, sql in _EVENTS.dimensions.items())
    ms = "CASE WHEN type = 'engagement' THEN duration_ms END::BIGINT AS duration_ms"
    several = max(len(days) * _CHUNK // max(facts.rows, 1), 1)
    for at in range(0, len(days), several):
        found = facts.con.sql(
            f"SELECT day, person, {ms}, {texts} FROM {facts.those}"
            f" WHERE {_granted(bit, days[at : at + several])}"
        )
        yield coded(found.to_arrow_table(), _TEXTS["rows"])


def _stays(facts: Facts, days: Sequence[date]) -> Iterator[pa.Table]:
    """Visits of days, as reports by day find them, with what most of the person's events say."""
    whole = askable.report("visits", ("country", "entry"))
    relations = Days(facts.con, facts.those, "lake.received", days, rows=facts.rows, many=1 << 30)
    facts.con.execute("CREATE OR REPLACE TEMP TABLE withdrawn AS SELECT 0::UBIGINT AS person WHERE false")
    relations.move(Bucket(), [whole])
    relations.show(whole)
    texts = ", ".join(f"{sql} AS {name}" for name, sql in _VISITS.dimensions.items())
    found = facts.con.sql(
        f"SELECT day, person, views, duration_ms, bounced, {texts} FROM visits{_VISITS.join}"
    )
    yield coded(found.to_arrow_table(), _TEXTS["stays"])


def _spans(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[date, date] | None]:
    """The first and the last day of each file of facts, from the catalog; None where it doesn't say."""
    meta = "__ducklake_metadata_lake"
    rows = con.execute(
        f"SELECT f.path, min(s.min_value)::DATE, max(s.max_value)::DATE FROM {meta}.ducklake_data_file f"
        f" LEFT JOIN ({meta}.ducklake_file_column_stats s JOIN {meta}.ducklake_column c"
        " ON c.table_id = s.table_id AND c.column_id = s.column_id AND c.column_name = 'day')"
        " ON s.data_file_id = f.data_file_id GROUP BY ALL"
    ).fetchall()
    return {PurePath(path).name: (first, last) if first and last else None for path, first, last in rows}
