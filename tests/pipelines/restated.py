"""Versions of released tables as people leave and come back, and what whoever has all of them derives."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from consent_filter.decide import Word
from consent_filter.departed import Person
from consent_filter.ledger import Subject
from consent_filter.purpose import Purpose
from pipelines import rectify
from pipelines import reports as job
from pipelines.element import Work, make
from pipelines.settings import Pipelines
from tests.few import few
from tests.warehouse import plain
from tests.warehouse.crowd import Row, lay, login, person, whole, withdraw
from warehouse import departures
from warehouse import report as reports
from warehouse.released import Store
from warehouse.report import OTHER, Report
from warehouse.settings import Warehouse

LEAST = 4
#: Exact: the attacker knows more than a reader.
HOW = Warehouse(min_group=LEAST, perturb=False, dominance=100)
DAY = 86_400.0
BEGIN = 1_790_000_000.0
#: Reports that the attacks read: of one level, of two, of three, and all that are over all days.
READ = (
    *("traffic_day", "traffic_hour", "countries", "custom_events", "consent_mix"),
    *("new_returning", "growth", "retention", "funnel"),
)
Day = tuple[str, date]
Cells = dict[tuple[Any, ...], dict[Any, list[int]]]
#: What is of a few: which versions, of what, how many.
Found = tuple[int, int, str, tuple[Any, ...], int]


class Version(NamedTuple):
    """What one pass left published, of whom each day of a site may count, and who is away by then."""

    tables: dict[str, list[dict[str, Any]]]
    facts: list[dict[str, Any]]
    gone: frozenset[int]
    absent: frozenset[tuple[str, date, int]]

    def group(self, name: str, key: tuple[Any, ...]) -> list[dict[str, Any]]:
        """A report's rows of one group."""
        within = reports.load()[name].within
        return [row for row in self.tables[name] if tuple(row[one] for one in within) == key]

    def counted(self) -> list[dict[str, Any]]:
        """Facts of everyone who may be counted."""
        return [
            fact
            for fact in self.facts
            if fact["person"] not in self.gone
            and (fact["site"], fact["day"], fact["person"]) not in self.absent
        ]


def quickly(monkeypatch: pytest.MonkeyPatch, names: Sequence[str] = READ) -> None:
    """Some of the reports, and a loop instead of a runner: the same functions."""

    def loop(works: list[Work], over_all: list[Work], where: object) -> float:
        for work in (*works, *over_all):
            make(work)
        return 0.0

    few(monkeypatch, names)
    monkeypatch.setattr(job, "_map", loop)


class Market:
    """A data folder whose people come, leave and come back; each pass is a version."""

    def __init__(self, data: Path, how: Warehouse = HOW) -> None:
        self.data, self.how, self.now = data, how, BEGIN
        self.rows: list[Row] = []
        self.gone: set[int] = set()
        self.logins: list[tuple[int, int, str]] = []
        self.undone: list[tuple[int, int, str]] = []
        self.versions: list[Version] = []

    def come(self, rows: Sequence[Row]) -> None:
        """Events arrive."""
        lay(self.data, rows)
        self.rows += rows

    def leave(self, numbers: Sequence[int]) -> None:
        """These have withdrawn, too."""
        self.gone |= set(numbers)
        withdraw(self.data, sorted(self.gone))

    def back(self, numbers: Sequence[int]) -> None:
        """The restriction of these is lifted."""
        self.gone -= set(numbers)
        withdraw(self.data, sorted(self.gone))

    def correct(self, numbers: Sequence[int], country: str) -> None:
        """These live in another country than was guessed."""
        purpose, when = int(Purpose.MEASUREMENT), round(self.now * 1000)
        persons = tuple(Person(purpose, int(person(number)), "active") for number in numbers)
        subject = Subject(b"", Word(0, 0), None, False, persons, (), ())
        rectify.carry(self.data, subject, {"country": country}, Pipelines(), when, self.how)
        self.rows = [row | {"country": country} if row["person"] in numbers else row for row in self.rows]

    def login(self, *logins: tuple[int, int, str]) -> None:
        """These became known."""
        self.logins += logins
        login(self.data, self.logins, self.undone)

    def undo(self, *logins: tuple[int, int, str]) -> None:
        """These were none."""
        self.logins = [one for one in self.logins if one not in logins]
        self.undone += logins
        login(self.data, self.logins, self.undone)

    def make(self, later: float = 0.0) -> Version:
        """One pass of the job, so many seconds later."""
        self.now += later
        job.run(self.data, self.how, now=self.now)
        store = Store.open(self.data)
        tables = {
            name: store.connection.sql(f"FROM {name} ORDER BY ALL").to_arrow_table().to_pylist()
            for name in store.versions()
        }
        away = departures.absent(store).to_pylist()
        store.close()
        facts = [whole(row) for row in self.rows if "reason" not in row]
        for fact in facts:
            fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
        absent = frozenset((row["site"], row["day"], row["person"]) for row in away)
        self.versions.append(Version(tables, facts, frozenset(map(person, self.gone)), absent))
        return self.versions[-1]


def cells_of(version: Version, one: Report) -> Cells:
    """Every row of a report that counts everyone who may be, and who is in it."""
    facts = version.counted()
    if one.grain == "day":
        return plain.daily(one, facts, facts)
    published = {(row["site"], row["day"]) for row in version.tables["traffic_day"]}
    kinds = reports.load()["new_returning"]
    new = {
        row[:2] for row in plain.hidden(kinds, plain.overall(kinds, facts, published), HOW) if row[2] == "new"
    }
    return plain.overall(one, facts, published, new, LEAST)


class History:
    """Of whom each group of each report was made in each version: of the last pass that changed it."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = versions
        self._cells: dict[str, list[Cells]] = {}

    def cells(self, name: str) -> list[Cells]:
        """By version: the cells that its rows are of."""
        if name in self._cells:
            return self._cells[name]
        one, found = reports.load()[name], list[Cells]()
        for number, version in enumerate(self.versions):
            fresh = _grouped(one, cells_of(version, one))
            if number:
                old, before = _grouped(one, found[-1]), self.versions[number - 1]
                for key in fresh.keys() | old.keys():
                    if version.group(name, key) == before.group(name, key):
                        fresh[key] = old.get(key, {})
            found.append({keys: who for group in fresh.values() for keys, who in group.items()})
        self._cells[name] = found
        return found


def _grouped(one: Report, cells: Cells) -> dict[tuple[Any, ...], Cells]:
    found: dict[tuple[Any, ...], Cells] = defaultdict(dict)
    for keys, who in cells.items():
        found[tuple(keys[one.keys.index(key)] for key in one.within)][keys] = who
    return found


def wrong(version: Version, cells: Cells, one: Report) -> list[tuple[Any, ...]]:
    """Rows that are not what their cells add up to."""
    found = []
    for row in version.tables[one.name]:
        keys = tuple(row[key] for key in one.keys)
        if OTHER in keys:
            continue
        who = cells.get(keys, {})
        sums = [sum(column) for column in zip(*who.values(), strict=True)] or [0] * len(one.sums)
        if (row["people"], *(row[name] for name in one.sums)) != (len(who), *sums):
            found.append(keys)
    return found


def attack(history: History) -> Iterator[Found]:
    """Every pair of versions: changes of rows, of what is hidden beside them, and of sums of days."""
    n = len(history.versions)
    for name, one in reports.load().items():
        for i in range(n):
            for j in range(i + 1, n):
                if name == "growth":
                    pass
                elif one.nested:
                    yield from _contained(history, one, i, j)
                else:
                    yield from _parts(history, one, i, j)
    for j, version in enumerate(history.versions):
        for row in version.tables["growth"]:
            days = [
                other
                for other in version.tables["traffic_day"]
                if other["site"] == row["site"] and _begins(row["period"], other["day"]) == row["begins"]
            ]
            apart = abs(row["people"] - sum(day["people"] for day in days))
            if apart or row["views"] != sum(day["views"] for day in days):
                yield j, j, "growth - traffic_day", (row["site"], row["begins"]), apart


def _begins(period: str, day: date) -> date:
    return day.replace(day=1) if period == "month" else plain.monday(day)


def _changed(one: Cells, other: Cells, away: set[Any]) -> set[Any]:
    """Who adds something else to these cells, if any of them has left, or was `away` and has come back.

    That somebody has come for the first time is told by every live number, and no concern of this attack.
    """
    first, then = [{p for who in cells.values() for p in who} for cells in (one, other)]
    who = {
        p
        for keys in one.keys() | other.keys()
        for p in one.get(keys, {}).keys() | other.get(keys, {}).keys()
        if one.get(keys, {}).get(p) != other.get(keys, {}).get(p)
    }
    return who if first - then or who & then & away else set()


def _away(version: Version) -> set[Any]:
    return set(version.gone) | {p for _, _, p in version.absent}


def _few(who: set[Any]) -> bool:
    return 0 < len(who) < LEAST


def _parts(history: History, one: Report, i: int, j: int) -> Iterator[Found]:
    first, then = history.cells(one.name)[i], history.cells(one.name)[j]
    named = [_named(history.versions[at], one) for at in (i, j)]
    away = _away(history.versions[i])
    places = {key: place for place, key in enumerate(one.keys)}
    top = len(one.levels) - 1
    for level in range(top + 1):
        at = [places[key] for key in one.levels[level]]
        below = [places[key] for key in one.levels[min(level + 1, top)]]
        parts: dict[tuple[Any, ...], set[tuple[Any, ...]]] = defaultdict(set)
        for keys in first.keys() | then.keys():
            parts[tuple(keys[place] for place in at)].add(keys)
        for part, keys in parts.items():
            if not all(part in version[level] for version in named):
                continue
            if level == top:
                blocks = [keys]
            else:
                hidden = [
                    {k for k in keys if tuple(k[place] for place in below) not in version[level + 1]}
                    for version in named
                ]
                blocks = hidden if not hidden[0] & hidden[1] else [hidden[0] | hidden[1]]
            for block in blocks:
                cells = [{k: at.get(k, {}) for k in block} for at in (first, then)]
                who = _changed(cells[0], cells[1], away)
                if _few(who):
                    yield i, j, one.name, part, len(who)


def _named(version: Version, one: Report) -> list[set[tuple[Any, ...]]]:
    """By level: the parts that are told. Level 0 is told where the report has any row of the group and the
    day is published, for then its total is."""
    days = {(row["site"], row["day"]) for row in version.tables["traffic_day"]}
    found: list[set[tuple[Any, ...]]] = []
    for level, names in enumerate(one.levels):
        mine = {tuple(row[key] for key in names) for row in version.tables[one.name]}
        found.append({key for key in mine if OTHER not in key and (level or key[:2] in days)})
    return found


def _contained(history: History, one: Report, i: int, j: int) -> Iterator[Found]:
    first, then = history.cells(one.name)[i], history.cells(one.name)[j]
    away = _away(history.versions[i])
    shown = [{tuple(row[k] for k in one.keys) for row in v.tables[one.name]} for v in history.versions]
    both = sorted(shown[i] & shown[j])
    for keys in both:
        who = _changed({keys: first.get(keys, {})}, {keys: then.get(keys, {})}, away)
        if _few(who):
            yield i, j, one.name, keys, len(who)
    wide = len(one.within)
    for outer in both:
        for inner in both:
            if outer[:wide] == inner[:wide] and outer < inner:
                apart = [set(at.get(outer, ())) - set(at.get(inner, ())) for at in (first, then)]
                who = apart[0] ^ apart[1]
                if _few(who) and (who & set(first.get(outer, ())) - set(then.get(outer, ())) or who & away):
                    yield i, j, f"{one.name} apart", (*outer, *inner), len(who)


def crowd(seed: int) -> list[Row]:
    """Two sites of some dozens on a few days, most of them in few corners."""
    chance, rows = random.Random(seed), list[Row]()
    for number in range(1, 121):
        who: dict[str, Any] = {
            "site": f"site-{number % 2}",
            "person": number,
            "country": chance.choices(["DE", "US", "FR", "AT"], [8, 4, 2, 1])[0],
            "basis": chance.choices(["exempt", "consent"], [4, 1])[0],
            "treatment": chance.choices(["identified", "cookieless"], [9, 1])[0],
        }
        for day in sorted(chance.sample(range(1, 11), chance.choice([1, 1, 2, 3]))):
            day = min(day, 4) if chance.random() < 0.8 else day
            time = f"2026-09-{day:02} {chance.choice([9, 9, 9, 15, 20]):02}:00"
            rows.append(who | {"time": time})
            for step, minute in (("sign_up", 10), ("post_project", 20), ("hired", 30)):
                if chance.random() < 0.5:
                    break
                rows.append(who | {"type": "event", "name": step, "time": f"{time[:-2]}{minute}"})
    return rows
