"""Figures: published numbers as what they count, so that any two can be subtracted.

A figure is a number of some sites, from one hour of UTC to another (a day of a site is other hours than the
same day of UTC), under conditions on keys. "(other)" is whatever its table does not name beside it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
from msgspec import Struct

from warehouse.attack.evidence import ONE_EACH
from warehouse.period import read
from warehouse.report import OTHER

#: Keys that say when, not what.
WHEN = ("day", "hour", "week", "month", "period", "begins")


class Condition(Struct, frozen=True, order=True):
    """One of these words, or (`other`) none of them."""

    key: str
    words: tuple[str, ...]
    other: bool = False


class Figure(Struct, frozen=True, order=True):
    """A published number. measure: purpose and name. unit: within what span a person counts once ("" where
    the number adds up over time, as events do). begins, ends: hours since 1970 (UTC), the end not in it. off:
    at most how far from the exact one. said: where a reader finds it."""

    measure: str
    unit: str
    sites: tuple[str, ...]
    begins: int
    ends: int
    where: tuple[Condition, ...]
    value: float
    off: float = 0.0
    said: str = ""

    @property
    def keys(self) -> frozenset[str]:
        """The keys that its conditions are on."""
        return frozenset(one.key for one in self.where)

    @property
    def distinct(self) -> bool:
        """Whether parts may share people, so that they don't add up."""
        return bool(self.unit) and not self.keys <= ONE_EACH


class Meaning(NamedTuple):
    """What a table's rows mean: its keys; number → at most how far off; population: who is in it, where not
    everyone is; fold: keys from coarse to fine; apart: its numbers are none of another table's; over: the
    period of rows without a time of their own; zones: site → IANA name; sites: where rows name none."""

    name: str
    keys: Sequence[str]
    off: Mapping[str, float]
    purpose: str = "measurement"
    population: str = ""
    fold: Sequence[str] = ()
    apart: bool = False
    over: str = ""
    zones: Mapping[str, str] = {}
    sites: Sequence[str] = ()

    def measure(self, number: str) -> str:
        """What a number counts, so that numbers of several tables that count the same have the same."""
        whose = self.name if self.apart else self.population if number == "people" else ""
        return ":".join(word for word in (self.purpose, whose, number) if word)


def hour(day: date, zone: str, at: int = 0) -> int:
    """The hour of UTC, since 1970, in which an hour of a day of that clock begins."""
    moment = datetime.combine(day, time(at), ZoneInfo(zone)).astimezone(UTC)
    return int(moment.timestamp() // 3600)


def figures(table: pa.Table, meaning: Meaning) -> list[Figure]:
    """Every number of a table."""
    rows = table.select([*meaning.keys, *meaning.off]).to_pylist()
    plain = [key for key in meaning.keys if key not in WHEN and key != "site"]
    folds = [key for key in (meaning.fold or plain) if key in plain]
    beside = _beside(rows, meaning.keys, folds)
    found = []
    for row in rows:
        zone, sites, begins, ends, unit = _when(row, meaning)
        first, last = _hours(begins, ends, zone)
        where = tuple(_where(row, plain, folds, meaning.keys, beside))
        for number, off in meaning.off.items():
            if row[number] is not None:
                once = unit if number == "people" else ""
                value = float(row[number])
                found.append(
                    Figure(meaning.measure(number), once, sites, first, last, where, value, off, meaning.name)
                )
    return found


def _when(
    row: Mapping[str, Any], meaning: Meaning
) -> tuple[str, tuple[str, ...], tuple[date, int], tuple[date, int], str]:
    """The clock, the sites, from when to when (day and hour), and what a person counts once in."""
    sites = (str(row["site"]),) if row.get("site") is not None else tuple(meaning.sites)
    zones = {meaning.zones.get(site, "UTC") for site in sites} or {"UTC"}
    zone = min(zones)
    begins, ends, unit = _span(row, meaning.over)
    if unit == "hour":
        at = int(row["hour"])
        return zone, sites, (begins, at), (begins, at + 1), unit
    return zone, sites, (begins, 0), (ends, 0), unit


def _span(row: Mapping[str, Any], over: str) -> tuple[date, date, str]:
    if row.get("day") is not None:
        day = _date(row["day"])
        return day, day + timedelta(days=1), "hour" if row.get("hour") is not None else "day"
    if row.get("begins") is not None:
        begins = _date(row["begins"])
        # `growth` counts a person once a day, whatever the period.
        return begins, _after(begins, str(row.get("period", "week"))), "day"
    for name in ("week", "month"):
        if row.get(name) is not None:
            if isinstance(row[name], str):
                period = read(row[name])
                return period.first, period.last + timedelta(days=1), name
            begins = _date(row[name])
            return begins, _after(begins, name), name
    period = read(str(row.get("period") or over))
    return period.first, period.last + timedelta(days=1), f"{len(period.months)} months"


def _hours(begins: tuple[date, int], ends: tuple[date, int], zone: str) -> tuple[int, int]:
    first = hour(begins[0], zone, begins[1])
    if ends[1] > 23:
        return first, hour(ends[0] + timedelta(days=1), zone)
    return first, max(hour(ends[0], zone, ends[1]), first + 1)


def _date(value: object) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _after(begins: date, period: str) -> date:
    if period == "week":
        return begins + timedelta(days=7)
    if period == "day":
        return begins + timedelta(days=1)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    for _ in range(months):
        begins = (begins.replace(day=28) + timedelta(days=4)).replace(day=1)
    return begins


def _beside(
    rows: Iterable[Mapping[str, Any]], keys: Sequence[str], folds: Sequence[str]
) -> dict[tuple[Any, ...], set[str]]:
    """Part of a table → the words that are named in it at the next key."""
    found: dict[tuple[Any, ...], set[str]] = defaultdict(set)
    for row in rows:
        for n, key in enumerate(folds):
            if row[key] != OTHER:
                found[_part(row, keys, folds, n)].add(str(row[key]))
    return found


def _part(row: Mapping[str, Any], keys: Sequence[str], folds: Sequence[str], n: int) -> tuple[Any, ...]:
    return (n, *(row[key] for key in keys if key not in folds), *(row[key] for key in folds[:n]))


def _where(
    row: Mapping[str, Any],
    plain: Sequence[str],
    folds: Sequence[str],
    keys: Sequence[str],
    beside: Mapping[tuple[Any, ...], set[str]],
) -> Iterator[Condition]:
    for key in plain:
        if row[key] != OTHER:
            yield Condition(key, (str(row[key]),))
            continue
        # The first key that is folded says what is not named there; those after it are of anything.
        n = folds.index(key)
        if not any(row[before] == OTHER for before in folds[:n]):
            yield Condition(key, tuple(sorted(beside.get(_part(row, keys, folds, n), ()))), True)
