"""A trend: what investors may get, one SQL file with a header that says what one person may add to it (M54).

The SQL yields contributions as that of a report does (`report.py`): keys, person, numbers. What a person may
add is capped by the header, counted in buckets of people, and shown only with noise (`disclosure.py`).
`trends/README.md` is the recipe for a new one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Literal

import msgspec
from msgspec import Struct

from consent_filter.errors import Misconfigured
from warehouse.period import Period
from warehouse.report import Report, parse

FOLDER = Path(__file__).parent / "trends"
AUDIENCES = ("investors", "advertiser", "partner", "research", "public")
#: Keys that a trend has anyway: `site`, and the time of the grain.
TIME = {"month": "month", "week": "begins", "day": "day"}
#: Key sets that are known beforehand, by name; a list in the header is one, too.
SPACES = ("months", "cohorts", "countries")
OPEN = "open"
#: Months before the period in which a cohort may have begun.
COHORTS = 12
#: All pairs of letters: no list of countries is needed for rows that noise makes as empty as they are.
COUNTRIES = tuple(map("".join, product(ascii_uppercase, repeat=2)))


class Part(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One number. most: what one person may add to it in one row. weight: its part of the budget."""

    name: str
    says: str
    most: int
    weight: float


class Trend(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The header of a trend, its name and its SQL.

    keys: name a row; site and time first. spaces: for each other key what it may be: a list, the name of a
    known set, or "open", where nobody knows beforehand and groups are chosen in private. cells: how many rows
    of a month one person may count in; the largest stay. numbers: beside `people`, who count in the row.
    people: what they are called and their part of the budget. times: the minimum group is so many times the
    usual one.
    """

    name: str
    title: str
    doc: str
    owner: str
    purpose: str
    keys: tuple[str, ...]
    cells: int
    people: Part
    numbers: tuple[Part, ...] = ()
    spaces: dict[str, str | tuple[str, ...]] = {}
    grain: Literal["month", "week", "day"] = "month"
    audiences: tuple[str, ...] = ("investors",)
    times: int = 1
    sql: str = ""

    def __post_init__(self) -> None:
        where = f"warehouse/trends/{self.name}.sql"
        if self.cells < 1:
            raise Misconfigured(f"{where}: cells", self.cells, "at least 1: rows a person may count in")
        for part in self.parts:
            if part.most < 1 or not 0 < part.weight < float("inf"):
                raise Misconfigured(
                    f"{where}: {part.name}", (part.most, part.weight), "most and weight above 0"
                )
            if not part.says:
                raise Misconfigured(f"{where}: {part.name}", part.says, "a sentence for its readers")
        if self.people.most != 1 or self.people.name != "people":
            raise Misconfigured(f"{where}: people", self.people.most, "1: nobody is two people in a row")
        if self.keys[:2] != ("site", TIME[self.grain]):
            raise Misconfigured(f"{where}: keys", self.keys, f"site and {TIME[self.grain]} first")
        if set(self.spaces) != set(self.keys[2:]):
            raise Misconfigured(
                f"{where}: spaces", sorted(self.spaces), "one for each key after the first two"
            )
        for key, space in self.spaces.items():
            if isinstance(space, str) and space not in (*SPACES, OPEN):
                raise Misconfigured(
                    f"{where}: spaces.{key}", space, f"a list, or {', '.join((*SPACES, OPEN))}"
                )
        if not self.audiences or not set(self.audiences) <= set(AUDIENCES):
            raise Misconfigured(f"{where}: audiences", self.audiences, f"of {', '.join(AUDIENCES)}")
        if not self.sql.startswith("SELECT"):
            raise Misconfigured(f"{where}: its SQL", self.sql[:20], "one SELECT")
        _ = self.report

    @property
    def parts(self) -> tuple[Part, ...]:
        """All numbers of the table, people first."""
        return (self.people, *self.numbers)

    @property
    def report(self) -> Report:
        """The same as relations and cells take it: numbers are those that `limited` adds up."""
        sums = [part.name for part in self.numbers]
        tolls = [f"{name}_cut" for name in (self.people.name, *sums)]
        try:
            return Report(
                name=self.name, title=self.title, doc=self.doc, owner=self.owner, purpose=self.purpose,
                keys=self.keys, sums=(*sums, "heads", *tolls), within=self.keys, times=self.times,
                caps={"heads": 1}, sql=self.sql,
            )  # fmt: skip
        except Misconfigured as error:
            raise Misconfigured(
                error.key.replace("/reports/", "/trends/"), error.value, error.allowed
            ) from None

    @property
    def open(self) -> bool:
        """Whether it has a key of which nobody knows beforehand what it may be."""
        return OPEN in self.spaces.values()

    @property
    def sha256(self) -> str:
        """Of all that it is."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()

    def span(self, period: Period) -> Period:
        """The days whose facts it reads. Weeks are those that end in the period, from Monday to Sunday."""
        if self.grain != "week":
            return period
        first = period.first + timedelta(days=6 - period.first.weekday()) - timedelta(days=6)
        last = period.last - timedelta(days=(period.last.weekday() + 1) % 7)
        return Period(period.name, first, last)

    def times_of(self, period: Period) -> tuple[str, ...]:
        """What the key of time may be, in order."""
        if self.grain == "month":
            return period.months
        span, step = self.span(period), 7 if self.grain == "week" else 1
        days = range(0, (span.last - span.first).days + 1, step)
        return tuple((span.first + timedelta(days=by)).isoformat() for by in days)

    def month_of(self, time: str) -> str:
        """The month on whose account a row is: that of a week is the one in which it ends."""
        if self.grain == "month":
            return time
        day = date.fromisoformat(time) + timedelta(days=6 if self.grain == "week" else 0)
        return f"{day:%Y-%m}"

    def space(self, key: str, period: Period) -> tuple[str, ...]:
        """What a key that is not open may be, in order."""
        found = self.spaces[key]
        if isinstance(found, tuple):
            return found
        if found == "countries":
            return COUNTRIES
        earlier: tuple[str, ...] = ()
        at = period.first
        for _ in range(COHORTS if found == "cohorts" else 0):
            at = (at - timedelta(days=1)).replace(day=1)
            earlier = (f"{at:%Y-%m}", *earlier)
        return earlier + period.months


def limited(trend: Trend, sites: Sequence[str]) -> str:
    """SQL: of `contributions` what counts: the caps of the header, person by person.

    Of a month nobody is in more rows than `cells`: those stay to which they add most. `heads`: once a person
    and month. `…_cut`: whether a cap took something, in the row (of people: in the month). A row that the
    SQL yields twice for one person is one, nothing is negative: what is capped here is all that noise hides.
    """
    keys, month = ", ".join(trend.keys), _month(trend)
    most = trend.numbers[0].name + " DESC, " if trend.numbers else ""
    among = ", ".join("'" + site.replace("'", "''") + "'" for site in sites)
    capped = ", ".join(
        f"least({part.name}, {part.most:d})::BIGINT AS {part.name},"
        f" ({part.name} > {part.most:d})::BIGINT AS {part.name}_cut" for part in trend.numbers
    )  # fmt: skip
    words = ", ".join(f"coalesce({key}::VARCHAR, '(none)') AS {key}" for key in trend.keys)
    sums = "".join(f", greatest(coalesce(sum({part.name}), 0), 0) AS {part.name}" for part in trend.numbers)
    once = f"SELECT {words}, person{sums} FROM contributions WHERE site IN ({among}) GROUP BY ALL"
    return (
        f"SELECT {keys}, person{', ' if capped else ''}{capped}, (place = 1)::BIGINT AS heads,"
        f" (place = 1 AND rows > {trend.cells:d})::BIGINT AS people_cut FROM (SELECT *,"
        f" row_number() OVER (of_month ORDER BY {most}md5(concat_ws('/', {keys})), {keys}) AS place,"
        f" count(*) OVER of_month AS rows FROM ({once})"
        f" WINDOW of_month AS (PARTITION BY site, {month}, person)) WHERE place <= {trend.cells:d}"
    )


def _month(trend: Trend) -> str:
    """SQL: the month on whose account a row of contributions is, as `Trend.month_of` has it."""
    if trend.grain == "month":
        return "month"
    return f"strftime({TIME[trend.grain]}::DATE + {6 if trend.grain == 'week' else 0}, '%Y-%m')"


def read(name: str, text: str) -> Trend:
    """A trend from the text of its file: `/*`, TOML, `*/`, SQL. Raises Misconfigured."""
    return parse(Trend, f"warehouse/trends/{name}.sql", name, text)


@cache
def load() -> dict[str, Trend]:
    """Every trend, by name, in the order of their names."""
    return {file.stem: read(file.stem, file.read_text()) for file in sorted(FOLDER.glob("*.sql"))}
