"""What an attacker has: released tables of one publication, those published before, and public facts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import IntEnum
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from warehouse.report import OTHER, Report


class Sure(IntEnum):
    """How sure the attacker is. certain: it follows from what is published. likely: it follows where a person
    is in one row of a group only, as nearly everybody is (country, device). possible: it may be so."""

    POSSIBLE = 1
    LIKELY = 2
    CERTAIN = 3


class Finding(Struct, frozen=True, order=True):
    """What follows about a group that is too small: by which attack, from which tables, at which place (what
    names a group or a row, as readers see it), what follows, and how sure that is.

    It never holds how many they are, nor a word that somebody may have written (M54): held.json, logs and
    pages show it.
    """

    attack: str
    report: str
    where: str
    says: str
    sure: Sure


#: Keys whose words are of closed lists, or made by reports: a finding may name them. Of others it says the
#: number of the row, in the order of the table.
CLOSED = frozenset(
    (
        *("site", "day", "hour", "week", "month", "period", "begins", "cohort_week", "week_offset"),
        *("step", "kind", "country", "device", "browser", "os", "basis", "signal", "gender", "age_band"),
        *("protocol", "reason"),
    )
)
#: Keys of which nearly every person has one value a day.
ONE_EACH = frozenset(
    ("kind", "country", "region", "device", "browser", "os", "basis", "signal", "gender", "age_band")
)
#: Numbers to which everyone who is in a row adds at least one: so that fewer of them are fewer people.
EVERYONE = ("events", "visits")


class Sheet(Struct, frozen=True, kw_only=True):
    """What is said of one table. least: the fewest people, on each of its `sides`, that a row may be about.
    slack: number → at most how far the published one is from the exact one (0 where it is exact). equals: as
    if by how many people a number must have been made (`dominance`; 1: nobody is cut)."""

    name: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    least: int
    purpose: str = "measurement"
    people: bool = True
    sides: tuple[str, ...] = ("people",)
    within: tuple[str, ...] = ()
    fold: tuple[str, ...] = ()
    nested: str = ""
    beside: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = {}
    by_day: bool = True
    slack: Mapping[str, float] = {}
    equals: int = 1

    @property
    def numbers(self) -> tuple[str, ...]:
        """Every number of a row."""
        return (*(self.sides if self.people else ()), *self.sums)

    @property
    def population(self) -> str:
        """Who is in it: who has an event, which is everyone; who has a visit; or others yet."""
        return next((name for name in EVERYONE if name in self.sums), self.name)

    def holds(self, other: Sheet) -> bool:
        """Whether everyone who is in a row of the other's is in the row of this one's that contains it."""
        same = (self.purpose, self.people) == (other.purpose, other.people)
        return same and (not self.people or self.population in ("events", other.population))

    def off(self, number: str) -> float:
        """At most how far a number is from the exact one."""
        return self.slack.get(number, 0)


def sheet(report: Report, min_group: int, slack: Mapping[str, float] = {}, equals: int = 1) -> Sheet:
    """A report as an attacker sees it."""
    return Sheet(
        name=report.name,
        keys=report.keys,
        sums=report.sums,
        least=report.least(min_group),
        purpose=report.purpose,
        people=report.people,
        sides=report.groups or ("people",),
        within=report.within,
        fold=report.fold,
        nested=report.nested,
        beside=report.beside,
        elsewhere=report.elsewhere,
        by_day=report.grain == "day",
        slack=slack,
        equals=equals,
    )


class Version(Struct, frozen=True, kw_only=True):
    """Tables that were published before, and why days of sites are published anew since: (site, day) → the
    reasons of the table `restatements`. None where nobody says."""

    tables: Mapping[str, pa.Table]
    since: Mapping[tuple[str, date], frozenset[str]] | None = None


class Evidence:
    """Tables in a connection of their own: `now_<name>`, and `was_<name>` of all versions before, whose
    column `_version` is the place in `before`.

    sheets: of the tables that have rows; declared: of all, for what is wrong whatever the rows are.
    public: facts that everyone can see (`linkage.py`). largest: name → keys and, for each number, the most
    that one person added to it (internal counts; only `dominance.py` reads them).
    """

    def __init__(
        self,
        sheets: Iterable[Sheet],
        now: Mapping[str, pa.Table],
        before: Sequence[Version] = (),
        *,
        k: int,
        public: pa.Table | None = None,
        largest: Mapping[str, pa.Table] | None = None,
    ) -> None:
        self.k, self.before, self.public = k, before, public
        self.declared = {one.name: one for one in sheets if one.name in now}
        # A table of no rows tells nothing: most have none of the few days that a publication touches.
        self.sheets = {name: one for name, one in self.declared.items() if now[name].num_rows}
        self.largest = dict(largest or {})
        self._connection = duckdb.connect(config={"threads": 1})
        self.there: set[str] = set()
        for name, table in now.items():
            self._offer(f"now_{name}", table)
        for name in self.sheets:
            if versions := [(n, one.tables[name]) for n, one in enumerate(before) if name in one.tables]:
                self._offer(f"was_{name}", pa.concat_tables([_numbered(*one) for one in versions]))
        if public is not None:
            self._offer("public", public)
        for name, table in self.largest.items():
            self._offer(f"largest_{name}", table)

    def _offer(self, name: str, table: pa.Table) -> None:
        self._connection.register(name, table)
        self.there.add(name)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        """What a query finds, a mapping a row."""
        made = self._connection.execute(sql, list(values))
        names = [one[0] for one in made.description or ()]
        return [dict(zip(names, row, strict=True)) for row in made.fetchall()]

    def table(self, name: str) -> pa.Table:
        """One of the tables, by the name that queries have for it."""
        return self._connection.sql(f"FROM {name}").to_arrow_table()

    def close(self) -> None:
        self._connection.close()

    def daily(self) -> list[Sheet]:
        """Tables about people, each row of one day."""
        return [one for one in self.sheets.values() if one.people and one.by_day and "day" in one.keys]

    def pairs(self, *, equal: bool = False) -> Iterable[tuple[Sheet, Sheet]]:
        """Tables of which one is the total of the other's rows: of the same people, by fewer of its keys."""
        for coarse in self.sheets.values():
            for fine in self.sheets.values():
                keys = set(coarse.keys)
                fits = keys == set(fine.keys) if equal else keys < set(fine.keys)
                apart = coarse.name == fine.name or coarse.nested or fine.nested
                if fits and not apart and coarse.holds(fine):
                    yield coarse, fine


def _numbered(version: int, table: pa.Table) -> pa.Table:
    return table.append_column("_version", pa.array([version] * table.num_rows, pa.int64()))


def place(row: Mapping[str, Any], keys: Iterable[str], number: object = None) -> str:
    """What names a group or a row, of words that may be said."""
    said = [f"{key} {row[key]}" for key in keys if key in CLOSED]
    hidden = [key for key in keys if key not in CLOSED]
    if hidden and number is not None:
        said.append(f"row {number} by {', '.join(hidden)}")
    return ", ".join(said)


def named(keys: Iterable[str], table: str = "") -> str:
    """A condition: none of these keys is the folded row's, whose members differ from table to table."""
    return " AND ".join(f"{table}{key}::VARCHAR <> '{OTHER}'" for key in keys) or "true"
