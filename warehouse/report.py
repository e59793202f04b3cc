"""A report: one SQL file with a header that says what it is, whose purpose it serves and how it is released.

The SQL yields contributions: the keys of a row, the person, and what that person adds. Counting people,
capping what one may add and hiding small groups are then done once, for every report (`cells.py`,
`release.py`). `reports/README.md` is the recipe for a new one.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.fields import FIELDS
from consent_filter.purpose import BY_NAME, names
from warehouse.settings import Warehouse

T = TypeVar("T")

FOLDER = Path(__file__).parent / "reports"
#: What stands in a folded row instead of the keys that were folded.
OTHER = "(other)"
_WORD = re.compile(r"[a-z][a-z0-9_]*")


class Report(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header of a report, its name and its SQL.

    keys: the columns that name a row, all of them in the order of the table. sums: additive whole numbers.
    grain: "day" where each row is of one day and only touched days are made anew, "all" where a row needs
    other days too. people: False where rows are about requests and not about persons: they are then counted
    by the first of the sums. within: the keys of the group whose total is published elsewhere, so that its
    hidden rows must be a group themselves. fold: the other keys, from the coarsest to the finest: small rows
    become "(other)" inside the coarser ones. Where `fold` is empty small rows are left out. nested: for rows
    that contain each other instead of adding up ("previous": steps; "first": parts of the first row); the
    difference between two such rows is a group, too. beside: of `within` the first keys, where the first rows
    of such groups add up to a total that is published elsewhere: those that are left out of it are a group,
    too. elsewhere: where that total is, for who attacks a publication: the `report`, and the keys by which
    its rows are that total. times: the minimum group is so many times the usual one, for what is more
    delicate (M7). sides: whose events they are. With a counterpart the SQL yields a column
    `side` (0: the person's own row; 1: the counterpart's), `people` are the persons of side 0, the column
    `others` has those of side 1, and a row is about a group of each (S14). caps: `cells`, the most rows of a
    group that one person counts in, and for any of the sums the most that one person adds to a row; what is
    not named has the settings' limit, and no cap is above that. Every report about people has caps.
    total: reports of the same people whose rows are sums of this one's: what is hidden here must not follow
    from them.
    """

    name: str
    title: str
    doc: str
    owner: str
    purpose: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    grain: Literal["day", "all"] = "day"
    people: bool = True
    within: tuple[str, ...] = ("site", "day")
    fold: tuple[str, ...] = ()
    nested: Literal["", "first", "previous"] = ""
    beside: tuple[str, ...] = ()
    elsewhere: dict[str, str] = {}
    times: int = 1
    sides: tuple[Literal["person", "counterpart"], ...] = ("person",)
    caps: dict[str, int] = {}
    total: tuple[str, ...] = ()
    sql: str = ""

    def __post_init__(self) -> None:
        where = f"warehouse/reports/{self.name}.sql"
        if self.purpose not in BY_NAME:
            raise Misconfigured(f"{where}: purpose", self.purpose, f"one of {', '.join(BY_NAME)}")
        for word in (self.name, *self.keys, *self.sums):
            if not _WORD.fullmatch(word):
                raise Misconfigured(f"{where}: name, keys or sums", word, "small letters, digits and _")
        columns = (*self.keys, *self.sums, "people", "others", "side", "person")
        if not self.keys or not self.sums or len(set(columns)) < len(columns):
            raise Misconfigured(f"{where}: keys and sums", columns, "one each or more, all different")
        for key in (*self.within, *self.fold):
            if key not in self.keys:
                raise Misconfigured(f"{where}: within or fold", key, "one of the keys")
        if self.fold and sorted(self.within + self.fold) != sorted(self.keys):
            raise Misconfigured(f"{where}: fold", self.fold, "all keys that are not in `within`, or none")
        over_all = "ad_measurement" if self.mentions("contacts") else "measurement"
        if self.grain == "all" and self.purpose != over_all:
            raise Misconfigured(f"{where}: purpose", self.purpose, f"{over_all}, where grain is all")
        if self.mentions("adverts") and (self.purpose != "ad_measurement" or self.grain != "day"):
            raise Misconfigured(
                f"{where}: purpose", self.purpose, "ad_measurement by day, where it reads adverts"
            )
        if self.sides not in (("person",), ("person", "counterpart")) or (self.two and not self.people):
            raise Misconfigured(f"{where}: sides", self.sides, '["person"] or ["person", "counterpart"]')
        self._bounded(where)
        if self.times < 1:
            raise Misconfigured(f"{where}: times", self.times, "1 or more")
        for field in FIELDS:
            if field.keep is not None and not field.purposes & self.bit and self.mentions(field.name):
                raise Misconfigured(
                    f"{where}: purpose",
                    self.purpose,
                    f"a purpose that {field.name} was collected for ({', '.join(names(field.purposes))})",
                )
        if self.beside and (not self.nested or self.within[: len(self.beside)] != self.beside):
            raise Misconfigured(f"{where}: beside", self.beside, "the first keys of `within`, with `nested`")
        if self.beside and "report" not in self.elsewhere:
            raise Misconfigured(f"{where}: elsewhere", sorted(self.elsewhere), "a table with `report`")
        if self.nested and (self.fold or not self.rest):
            raise Misconfigured(
                f"{where}: nested", self.nested, "only without `fold`, with keys beside `within`"
            )

    def _bounded(self, where: str) -> None:
        """Refuse a report that does not say how much of it one person may be."""
        if not self.people:
            if self.caps:
                raise Misconfigured(f"{where}: caps", sorted(self.caps), "none, where rows count requests")
            return
        if not self.caps or (self.rest and "cells" not in self.caps):
            must = "how many rows one person counts in (cells)" if self.rest else "the most one person adds"
            raise Misconfigured(f"{where}: caps", sorted(self.caps), f"a table [caps] that says {must}")
        for name, most in self.caps.items():
            if name not in ("cells", *self.sums) or most < 1:
                raise Misconfigured(f"{where}: caps", name, "cells or one of the sums, 1 or more")

    def most(self, number: str, settings: Warehouse) -> int:
        """The most that one person adds to that number of a row: its cap, and no more than the settings'."""
        return min(self.caps.get(number, settings.most(number)), settings.most(number))

    def cells(self, settings: Warehouse) -> int:
        """In how many rows of a group one person counts."""
        return min(self.caps.get("cells", settings.max_cells), settings.max_cells)

    @property
    def two(self) -> bool:
        """Whether the event has a counterpart, who is counted in a column of their own."""
        return len(self.sides) > 1

    @property
    def groups(self) -> tuple[str, ...]:
        """The columns that count persons: each of them is a group."""
        return (("people", "others") if self.two else ("people",)) if self.people else ()

    @property
    def bit(self) -> int:
        """The purpose as a bit: rows that were not granted it are never seen."""
        return int(BY_NAME[self.purpose])

    @property
    def rest(self) -> tuple[str, ...]:
        """The keys that name a row inside its group."""
        return tuple(key for key in self.keys if key not in self.within)

    @property
    def levels(self) -> tuple[tuple[str, ...], ...]:
        """Keys from the group down to the row: each names a part of the one before."""
        if self.fold:
            return tuple(self.within + self.fold[:n] for n in range(len(self.fold) + 1))
        return (self.within, self.within + self.rest) if self.rest else (self.within,)

    def least(self, min_group: int) -> int:
        """The fewest people that a released row may be about, of the fewest in any report."""
        return min_group * self.times

    def node(self, level: int, table: str = "") -> str:
        """The part of the report that a row is in, at a level, as one text: an expression of SQL."""
        return f"concat_ws(chr(31), {', '.join(f'{table}{key}::VARCHAR' for key in self.levels[level])})"

    def mentions(self, relation: str) -> bool:
        """Whether the SQL reads a relation of that name."""
        return re.search(rf"\b{relation}\b", self.sql) is not None


def read(name: str, text: str) -> Report:
    """A report from the text of its file: `/*`, TOML, `*/`, SQL. Raises Misconfigured."""
    return parse(Report, f"warehouse/reports/{name}.sql", name, text)


def parse(kind: type[T], where: str, name: str, text: str) -> T:
    """What a file of that form defines; `kind` has the header's keys, `name` and `sql`. Raises Misconfigured,
    naming the file by `where`."""
    try:
        opening, rest = text.split("/*", 1)
        header, sql = rest.split("*/", 1)
        if opening.strip() or not sql.strip():
            raise ValueError("a file is its header and then its SQL")
        return msgspec.convert({**tomllib.loads(header), "name": name, "sql": sql.strip()}, kind)
    except (ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(where, "its header", str(error)) from None


@cache
def load() -> dict[str, Report]:
    """Every report, by name, in the order of their names."""
    return {file.stem: read(file.stem, file.read_text()) for file in sorted(FOLDER.glob("*.sql"))}
