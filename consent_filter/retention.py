"""How long, and how fine, a row is kept: by purpose, field and jurisdiction, as a pack's `[retention]` says.

A row stays while a purpose that it was granted, and that anything is stored for, still runs. Its bitmask
loses the purposes whose time is over, a column is null once no purpose that runs may read it, and a value is
no finer than the purpose that needs it finest (M79, S22). Ages are whole days since the UTC day of receipt.
`retention_book.py` says the same row by row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from consent_filter.errors import Misconfigured
from consent_filter.fields import BY_NAME as FIELDS
from consent_filter.fields import stored
from consent_filter.purpose import BY_NAME, Purpose

#: Column → what its values may become, finer ones first. `time`: with it `received` and, at a day, the
#: offset. `path`: its first part. `person`: "day", a pseudonym of that day which nobody can join to another;
#: "none".
DEGREES: dict[str, tuple[str, ...]] = {
    "time": ("second", "minute", "hour", "day"),
    "path": ("section",),
    "person": ("day", "none"),
}
#: What a row needs to be one, and to be judged by: never null while the row is there.
RECORD = (
    *("site", "time", "received", "type", "protocol", "day", "offset_min", "person", "treatment"),
    *("purposes", "because", "policy"),
)
#: Columns that may be null.
NULLED = tuple(f.name for f in FIELDS.values() if f.keep is not None and f.name not in (*RECORD, "event_id"))
#: Nothing changes sooner: retries are recognised for two days and an hour.
SOONEST = 3
#: Why records of a closed account may be kept (policy A, "Keep"; M82).
CLASSES = ("law", "fraud", "fees", "disputes", "troubleshooting", "investigations", "terms", "other")
#: Purposes that anything is stored for: only they keep a row. Agreement to letters is no reason to keep one.
KEEPING = Purpose(sum(purpose for purpose in Purpose if stored(purpose)))


def _days(key: str, days: int) -> None:
    if not SOONEST <= days <= 760:
        raise Misconfigured(key, days, f"{SOONEST} to 760 days")


class Term(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One purpose: `days` that it runs after receipt; columns that it reads for fewer days (`fields`); and
    after how many days it needs a column no finer (`degrees`: column → degree → days)."""

    days: int
    fields: dict[str, int] = {}
    degrees: dict[str, dict[str, int]] = {}

    def __post_init__(self) -> None:
        _days("retention: days", self.days)
        for name, days in self.fields.items():
            if name not in NULLED:
                raise Misconfigured("retention: fields", name, f"one of {', '.join(NULLED)}")
            _days(f"retention: fields.{name}", days)
        for name, degrees in self.degrees.items():
            if name not in DEGREES:
                raise Misconfigured("retention: degrees", name, f"one of {', '.join(DEGREES)}")
            for degree, days in degrees.items():
                if degree not in DEGREES[name]:
                    raise Misconfigured(
                        f"retention: degrees.{name}", degree, f"one of {', '.join(DEGREES[name])}"
                    )
                _days(f"retention: degrees.{name}.{degree}", days)

    def after(self, name: str, degree: str) -> int | None:
        """Days after which it needs the column no finer than that; whatever is coarser still is no finer."""
        order = DEGREES[name]
        said = [self.degrees.get(name, {}).get(one) for one in order[order.index(degree) :]]
        return min((days for days in said if days is not None), default=None)


class Class(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One reason to keep records of a closed account: `days` after closing, and the columns that it needs
    besides those that make a row a record; `time` to the day unless it is named (M82)."""

    days: int
    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        _days("retention.closed: days", self.days)
        for name in self.fields:
            if name not in ("time", *NULLED):
                raise Misconfigured("retention.closed: fields", name, f"time, {', '.join(NULLED)}")


class Retention(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`[retention]`: terms by purpose; `regimes`: those that differ in a regime; `closed`: classes of closed
    accounts. A purpose that is not named runs for the pack's `facts_days`, and none runs longer."""

    purposes: dict[str, Term] = {}
    regimes: dict[str, dict[str, Term]] = {}
    closed: dict[str, Class] = {}

    def __post_init__(self) -> None:
        for name in {*self.purposes, *(one for some in self.regimes.values() for one in some)}:
            if name not in BY_NAME:
                raise Misconfigured("retention: purposes", name, f"one of {', '.join(BY_NAME)}")
        for name in self.closed:
            if name not in CLASSES:
                raise Misconfigured("retention.closed", name, f"one of {', '.join(CLASSES)}")

    def term(self, regime: str, purpose: str, facts_days: int) -> Term:
        """What holds for a purpose in a regime; in one that nobody knows, the strictest of all of them."""
        usual = self.purposes.get(purpose, Term(days=facts_days))
        if regime in self.regimes:
            return self.regimes[regime].get(purpose, usual)
        others = [some[purpose] for some in self.regimes.values() if purpose in some]
        return usual if regime else _strictest([usual, *others])


def _strictest(terms: Collection[Term]) -> Term:
    """For each thing the shortest time that any of them says."""
    fields: dict[str, int] = {}
    degrees: dict[str, dict[str, int]] = {}
    for term in terms:
        for name, days in term.fields.items():
            fields[name] = min(days, fields.get(name, days))
        for name, some in term.degrees.items():
            for degree, days in some.items():
                known = degrees.setdefault(name, {})
                known[degree] = min(days, known.get(degree, days))
    return Term(days=min(term.days for term in terms), fields=fields, degrees=degrees)


class Ends(NamedTuple):
    """After how many days what ends, for rows of one policy, regime and bitmask: the row; purposes by bit;
    columns; degrees by (column, degree). What never ends before the row does is left out."""

    row: int
    purposes: dict[int, int]
    fields: dict[str, int]
    degrees: dict[tuple[str, str], int]

    def days(self) -> set[int]:
        """All days on which something changes."""
        return {self.row, *self.purposes.values(), *self.fields.values(), *self.degrees.values()}


def ends(retention: Retention, facts_days: int, regime: str, purposes: int) -> Ends:
    """The rule. A row that no purpose keeps ends at once."""
    terms = {
        purpose: retention.term(regime, str(purpose.name).lower(), facts_days)
        for purpose in Purpose
        if purposes & purpose
    }
    runs = {purpose: min(term.days, facts_days) for purpose, term in terms.items()}
    keeping = {purpose: term for purpose, term in terms.items() if purpose & KEEPING}
    row = max((runs[purpose] for purpose in keeping), default=0)
    fields, degrees = {}, {}
    for name in NULLED:
        said = [
            min(runs[purpose], term.fields.get(name, facts_days))
            for purpose, term in keeping.items()
            if FIELDS[name].purposes & purpose
        ]
        fields[name] = max(said, default=0)
    for name, order in DEGREES.items():
        for degree in order:
            said = [
                min(runs[purpose], facts_days if (days := term.after(name, degree)) is None else days)
                for purpose, term in keeping.items()
                if FIELDS[name].purposes & purpose
            ]
            degrees[name, degree] = max(said, default=0)
    whole = fields | dict.fromkeys(RECORD, row)
    return Ends(
        row,
        {int(purpose): days for purpose, days in runs.items() if days < row},
        # A column that none of the row's purposes may read was never filled.
        {name: days for name, days in fields.items() if 0 < days < row},
        {(name, degree): days for (name, degree), days in degrees.items() if 0 < days < whole[name]},
    )


def regime(because: str | None) -> str:
    """The jurisdiction of a row, as the rule that decided names it: `pack.regime.rule`; "" where none is."""
    parts = (because or "").split(".")
    return parts[-2] if len(parts) > 2 else ""


def age(received: date, today: date) -> int:
    """Days that count for a row received on that UTC day: one more than have passed, so that nothing is ever
    late, however often a day somebody looks; it may be a day early."""
    return (today - received).days + 1


def lasting(running: Iterable[Class]) -> frozenset[str] | None:
    """The columns that a closed account's rows keep for the classes that still run; None: no row stays."""
    found = list(running)
    return frozenset(name for one in found for name in one.fields) if found else None


def running(closed: Mapping[str, Class], classes: Iterable[str], since: date, today: date) -> list[Class]:
    """Of these classes of an account closed on that day those whose time is not over."""
    return [closed[name] for name in classes if name in closed and age(since, today) < closed[name].days]
