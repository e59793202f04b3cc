"""A report: one SQL file with a header that says what it is, whose purpose it serves and how it is released.

The SQL yields contributions: the keys of a row, the person, and what that person adds. Counting people,
capping what one may add and hiding small groups are then done once, for every report, in `release.py`.
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.purpose import BY_NAME

FOLDER = Path(__file__).parent / "reports"
#: What stands in a folded row instead of the keys that were folded.
OTHER = "(other)"


class Report(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header of a report, its name and its SQL.

    keys: the columns that name a row, all of them in the order of the table. sums: additive numbers. grain:
    "day" where each row is of one day and only touched days are made anew, "all" where a row needs all days.
    people: False where the rows are about requests and not about persons ("balance", "refused"): they are
    then counted by `n`, the first of the sums. within: the keys of the group inside which small rows are
    hidden together. fold: the keys that become "(other)" in a small row; empty where small rows are left out.
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
    sql: str = ""

    def __post_init__(self) -> None:
        if self.purpose not in BY_NAME:
            raise Misconfigured(f"{self.name}.purpose", self.purpose, f"one of {', '.join(BY_NAME)}")
        for key in (*self.within, *self.fold):
            if key not in self.keys:
                raise Misconfigured(f"{self.name}.within or fold", key, "one of the keys")
        if set(self.within) & set(self.fold):
            raise Misconfigured(f"{self.name}.fold", self.fold, "none of the keys of `within`")

    @property
    def bit(self) -> int:
        """The purpose as a bit: rows that were not granted it are never seen."""
        return int(BY_NAME[self.purpose])


def read(name: str, text: str) -> Report:
    """A report from the text of its file: `/*`, TOML, `*/`, SQL. Raises Misconfigured."""
    try:
        opening, rest = text.split("/*", 1)
        header, sql = rest.split("*/", 1)
        if opening.strip():
            raise ValueError("the file begins with its header")
        return msgspec.convert({**tomllib.loads(header), "name": name, "sql": sql.strip()}, Report)
    except (ValueError, msgspec.ValidationError) as error:
        raise Misconfigured(f"warehouse/reports/{name}.sql", "its header", str(error)) from None


@cache
def load() -> dict[str, Report]:
    """Every report, by name, in the order of their names."""
    return {file.stem: read(file.stem, file.read_text()) for file in sorted(FOLDER.glob("*.sql"))}
