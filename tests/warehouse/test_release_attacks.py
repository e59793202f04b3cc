"""Whoever has all released tables subtracts one from the other: no difference may be of a few people.

The attack knows more than a reader: who is in each difference. It must find nothing in what is released, and
it must find something in each of the weak releases below, whatever the crowd.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow as pa
import pytest

from consent_filter.purpose import Purpose
from tests.warehouse import plain
from tests.warehouse.crowd import Crowd, Row, milliseconds, whole
from warehouse import build as building
from warehouse import release as releasing
from warehouse import report as reports
from warehouse.relations import History
from warehouse.report import OTHER
from warehouse.settings import Warehouse

SEEDS = range(3)
LEAST = 5
SITES = 10
#: Measured, and agreed to have the place of their phone and their gender counted.
_AGREED = int(Purpose.MEASUREMENT | Purpose.PRECISE_GEO | Purpose.GENDER)
_BEGIN = milliseconds("2026-08-31 08:00")
_DAY = 86_400_000
_WHO = ("site", "person", "country", "device", "browser", "os", "basis", "signal", "treatment")
_STEPS = ("sign_up", "post_project", "bid_placed", "hired")
#: By what way whoever does them was invited.
_BY = ("link", "link", "link", "email", "email", "social", None, None)


class Seen(NamedTuple):
    """What was released, by the names of columns, and of whom it was made."""

    tables: dict[str, list[dict[str, Any]]]
    facts: list[dict[str, Any]]
    received: list[dict[str, Any]]
    audited: pa.Table

    counted: dict[str, plain.Cells]

    def cells(self, name: str) -> plain.Cells:
        """Every row that a report would have, and who is in it. Counted once, however many attacks ask."""
        if name not in self.counted:
            self.counted[name] = plain.daily(reports.load()[name], self.facts, self.received)
        return self.counted[name]

    def shown(self, name: str, *keys: str) -> set[tuple[Any, ...]]:
        """The keys of the rows that are there."""
        return {tuple(row[key] for key in keys or reports.load()[name].keys) for row in self.tables[name]}


@cache
def market(seed: int) -> list[Row]:
    """Sites of some dozens of people each on a few days of two weeks, with few in most corners."""
    chance, rows, number = random.Random(seed), list[Row](), 0
    bought = random.Random(f"{seed}/bought")

    def some(*words: Any, most: float = 0.9) -> Any:
        return words[min(int(chance.expovariate(most)), len(words) - 1)]

    for site in range(SITES):
        shy = chance.choice([0.05, 0.1, 0.5])
        *days, calm, quiet = chance.sample(range(7), chance.choice([4, 5]))
        many = chance.choice([15, 40, 80, 80])
        for _ in range(many):
            number += 1
            who: dict[str, Any] = {
                "site": f"site-{site}",
                "person": number,
                "country": some("DE", "US", OTHER, "FR", "AT", None),
                "device": some("desktop", "mobile", "tablet"),
                "browser": some("Chrome", "Safari", OTHER, "Firefox"),
                "os": some("Windows", "Android", "macOS", OTHER),
                "basis": some("exempt", "consent", "notice", most=2.5),
                "signal": some("none", "choice", "gpc", most=2.5),
                "treatment": "cookieless" if chance.random() < shy else "identified",
            }
            came = chance.sample(days, min(len(days), some(1, 2, 3)))
            came += [day + 7 for day in came] * some(0, 1)
            came += [day for day, people in ((calm, 8), (quiet, 3)) if chance.random() < people / many]
            for day in came:
                at = _BEGIN + day * _DAY + chance.choice([0, 3, 7, 11]) * 3_600_000
                source = {
                    "referrer_group": some("search", "direct", "social", OTHER),
                    "referrer_host": some("google.com", "bing.com", OTHER),
                    "utm_source": some(None, "newsletter", OTHER),
                    "utm_campaign": some(None, "november", OTHER),
                }
                for minute in range(some(1, 2, 3)):
                    path = some("/", "/projects", OTHER, "/pricing", "/u/{freelancer}", "/blog/a")
                    rows.append(who | source | {"path": path, "time": at + minute * 60_000})
                for minute, step in enumerate(_STEPS[: some(4, 0, 3, 2, 1, most=0.8)], 10):
                    act = {"type": "event", "name": step, "referral_channel": _BY[number % len(_BY)]}
                    rows.append(who | act | {"time": at + minute * 60_000})
                if chance.random() < 0.5:
                    named = {"type": some("click", "form"), "name": some("outbound", OTHER, "download", None)}
                    rows.append(who | named | {"time": at + 120_000})
                if chance.random() < 0.5:
                    advert = {
                        "type": "ad_impression",
                        "ad_campaign": some("autumn", "spring", OTHER),
                        "ad_creative": some("blue", "red", OTHER),
                        "ad_slot": some("top", "list", OTHER),
                    }
                    # Some meet it again and again: without chance, or every other row would be another.
                    again = range(1 + (number % 4 == 0) * (number % 9))
                    rows += [who | advert | {"time": at + 5000 * nth} for nth in again]
                    end = {"type": "ad_engagement", "duration_ms": number * 300, "ad_share": number % 101}
                    rows.append(who | advert | end | {"time": at + 1000})
                    rows += _bought(bought, who | {"ad_campaign": advert["ad_campaign"]}, at)
                if chance.random() < 0.4:
                    why = {"reason": some("consent", "robot", "signal"), "detail": some("list", OTHER, "gpc")}
                    rows.append(who | why | {"time": at, "protocol": some("beacon", "pixel")})
    return rows + _corner(chance) + _shared(random.Random(seed))


def _bought(chance: random.Random, who: Row, at: int) -> list[Row]:
    """What somebody who saw an advert did of it: most nothing."""
    label = {"ad_group": chance.choice(["exposed", "exposed", "holdout"])}
    did: list[Row] = [who | label | {"type": "ad_request", "time": at}]
    if chance.random() < 0.6:
        did.append(who | {"type": chance.choice(["ad_viewable", "ad_click"]), "time": at + 1000})
    if chance.random() < 0.4:
        order = {"ad_goal": chance.choice(["buy", "buy", "sign_up"]), "value": chance.choice([5, 20])}
        did.append({**who, **order, "type": "ad_conversion", "ad_campaign": None, "time": at + 60_000})
    return did


def measured(seed: int) -> list[Row]:
    """The same with experiments, and with what browsers told of pages."""
    rows, chance = market(seed), random.Random(f"{seed}/tried")
    came = {(row["site"], row["person"], row["time"] // _DAY): row for row in reversed(rows) if "os" in row}
    who = ({key: word for key, word in row.items() if key in _WHO} for row in came.values())
    return rows + [
        did for one, row in zip(who, came.values(), strict=True) for did in _tried(chance, one, row["time"])
    ]


def _tried(chance: random.Random, who: Row, at: int) -> list[Row]:
    """What of an experiment somebody saw, and what their browser told of the page."""
    did: list[Row] = []
    if chance.random() < 0.6:
        variant = "ab"[(who["person"] + (chance.random() < 0.05)) % 3 == 0]
        props = f'{{"checkout":"{variant}"}}'
        did.append(who | {"type": "event", "name": "experiment", "props": props, "time": at})
    path = {"path": chance.choice(["/", "/", "/projects", OTHER])}
    if chance.random() < 0.6:
        took = {
            "name": chance.choice(["LCP", "LCP", "TTFB"]),
            "value": chance.choice([300.0, 1900.0, 6000.0]),
        }
        did.append(who | path | took | {"type": "vital", "time": at + 500})
    if chance.random() < 0.3:
        failed = {
            "name": chance.choice(["TypeError", "promise", "resource"]),
            "value": chance.choice([1, 2, 5]),
        }
        did.append(who | path | failed | {"type": "error", "time": at + 700})
    return did


def _shared(chance: random.Random) -> list[Row]:
    """A large site whose people agreed to more: what is shown of that is of larger groups."""
    rows: list[Row] = []
    for number in range(100_000, 100_260):
        who: dict[str, Any] = {
            "site": "site-shared",
            "person": number,
            "purposes": _AGREED,
            "gender": chance.choice(["female"] * 5 + ["male"] * 4 + ["other"] * 3 + [None]),
            "cell": chance.choice(["u33d", "u281", "u0yj"] * 4 + ["u0wq"]),
            "treatment": "identified",
        }
        for day in chance.sample(range(3), chance.choice([1, 2, 3])):
            rows += [who | {"path": "/", "time": _BEGIN + day * _DAY + hour * 3_600_000} for hour in (1, 2)]
    return rows


def _corner(chance: random.Random) -> list[Row]:
    """A site where few are in corners that chance seldom has: a basis in a country, a step on a day."""
    kinds: list[tuple[int, dict[str, Any]]] = [
        (chance.randint(20, 40), {"country": "DE", "basis": "exempt"}),
        (chance.randint(1, LEAST - 1), {"country": "DE", "basis": "consent"}),
        (chance.randint(6, 9), {"country": "US", "basis": "consent"}),
        (chance.randint(6, 9), {"country": "FR", "basis": "exempt"}),
    ]
    crowd = [kind for many, kind in kinds for _ in range(many)]
    rows: list[Row] = []
    for day, signed_up in ((0, chance.randint(8, 20)), (1, chance.randint(1, LEAST - 1))):
        for place, kind in enumerate(crowd):
            who = kind | {"site": "corner", "person": 9000 + place + 100 * day, "time": _BEGIN + day * _DAY}
            rows.append(who)
            if place < signed_up:
                rows.append(who | {"type": "event", "name": "sign_up"})
    return rows


@cache
def laid(seed: int) -> tuple[Crowd, list[dict[str, Any]]]:
    """A market as facts, and as what was received: made once, since weak is what comes after."""
    rows = measured(seed)
    received = [whole(row) for row in rows]
    for fact in received:
        fact["day"] = date(1970, 1, 1) + timedelta(days=fact["day"])
    return Crowd(rows), received


def seen(seed: int, names: Sequence[str] = ()) -> Seen:
    """Release a market, and look: at every report, or at these."""
    crowd, received = laid(seed)
    chosen = reports.load()
    if names:
        chosen = {name: chosen[name] for name in (*names, "traffic_day")}
    audited: list[pa.Table] = []
    tables = crowd.release(Warehouse(min_group=LEAST), chosen=chosen.values(), seen=audited)
    facts = [fact for fact in received if "reason" not in fact]
    return Seen(
        {name: table.to_pylist() for name, table in tables.items()},
        facts,
        received,
        pa.concat_tables(audited),
        {},
    )


#: A difference that is of too few: which tables, which row of the larger, how many.
Found = tuple[str, tuple[Any, ...], int]
#: Published total → reports that are parts of it.
TOTALS = {
    "traffic_day": (
        *("traffic_hour", "countries", "devices", "browsers", "consent_mix", "custom_events"),
        *("pages", "sessions"),
    ),
    "sessions": ("entry_pages", "exit_pages", "sources", "campaigns"),
    "balance": ("refused",),
    "delivery": ("adverts",),
}


def _few(people: set[Any]) -> bool:
    return 0 < len(people) < LEAST


def _left(of: Seen, name: str, cells: plain.Cells, *by: str) -> dict[tuple[Any, ...], set[Any]]:
    """Who is in rows that a report doesn't name, by some of its keys, where it has any row at all.

    "(other)" is no name, whoever bears it.
    """
    keys_of, shown, has = reports.load()[name].keys, of.shown(name), of.shown(name, *by)
    found = defaultdict[tuple[Any, ...], set[Any]](set)
    for keys, people in cells.items():
        at = tuple(keys[keys_of.index(key)] for key in by)
        if at in has and OTHER not in at and (keys not in shown or OTHER in keys):
            found[at] |= people.keys()
    return found


def totals(of: Seen) -> Iterator[Found]:
    """A published total of a day less the rows that a report names."""
    for total, parts in TOTALS.items():
        known = of.shown(total, "site", "day") if total in of.tables else set()
        for name in of.tables.keys() & set(parts):
            for at, people in _left(of, name, of.cells(name), "site", "day").items():
                if at in known and _few(people):
                    yield f"{total} - {name}", at, len(people)


def coarser(of: Seen) -> Iterator[Found]:
    """Countries less the bases and signals that are named in each: they are of the same people."""
    by, known = ("site", "day", "country"), of.shown("countries")
    for at, people in _left(of, "consent_mix", of.cells("consent_mix"), *by).items():
        if at in known and _few(people):
            yield "countries - consent_mix", at, len(people)


def inside(of: Seen) -> Iterator[Found]:
    """All that is under a name less what is named under it: as if every name's total were published."""
    for name, one in reports.load().items():
        if not one.fold or one.grain == "all" or name not in of.tables:
            continue
        for level in one.levels[:-1]:
            for at, people in _left(of, name, of.cells(name), *level).items():
                if _few(people):
                    yield f"{name} in {level[-1]}", at, len(people)
        if len(of.shown(name)) < len(of.tables[name]):
            yield f"{name}: the folded row and one that is called so", (), 0


def kinds(of: Seen) -> Iterator[Found]:
    """A published day less the kinds of people that are named."""
    cells = plain.overall(
        reports.load()["new_returning"], of.facts, of.shown("traffic_day", "site", "day"), 1
    )
    for at, people in _left(of, "new_returning", cells, "site", "day").items():
        if _few(people):
            yield "traffic_day - new_returning", at, len(people)


def spans(of: Seen) -> Iterator[Found]:
    """A week or a month less its published days."""
    days = of.shown("traffic_day", "site", "day")
    every = {(fact["site"], fact["day"]) for fact in of.facts}
    cells = plain.overall(reports.load()["growth"], of.facts, every)
    for row in of.tables["growth"]:
        at = row["site"], row["period"], row["begins"]
        left = {one for one in cells[at] if (row["site"], one[1]) not in days}
        counted = len(cells[at]) - row["people"]
        if _few(left) and counted != len(left):
            yield "growth - traffic_day", at, len(left)


def nested(of: Seen) -> Iterator[Found]:
    """Steps less the step after, and cohorts less those who came again."""
    for name, place in (("funnel", "step"), ("retention", "week_offset"), ("experiments", "step")):
        one = reports.load()[name]
        groups = defaultdict(list)
        for row in sorted(of.tables[name], key=lambda row: row[place]):
            groups[tuple(row[key] for key in one.within)].append(row["people"])
        for at, people in groups.items():
            for k, fewer in enumerate(people[1:]):
                less = people[k if one.nested == "previous" else 0] - fewer
                if 0 < less < LEAST:
                    yield name, at, less


def cohorts(of: Seen) -> Iterator[Found]:
    """A cohort less the new people of its days leaves those of one day; "(other)" of that day less these."""
    published = of.shown("traffic_day", "site", "day")
    cells = plain.overall(reports.load()["new_returning"], of.facts, published)
    shown = of.shown("new_returning")
    for row in of.tables["retention"]:
        site, week = row["site"], row["cohort_week"]
        days = [week + timedelta(days=n) for n in range(7)]
        new = {day: set(cells.get((site, day, "new"), ())) for day in days}
        if row["week_offset"] or not row["people"]:
            continue
        # Which days are in the cohort can be told from how many people it has.
        hidden = {day: people for day, people in new.items() if people and (site, day, "new") not in shown}
        rest = row["people"] - sum(len(new[day]) for day in days if day not in hidden)
        for day, people in hidden.items():
            if rest == len(people) and (site, day, OTHER) in shown:
                others = set[Any]().union(
                    *(who for keys, who in cells.items() if keys[:2] == (site, day) and keys not in shown)
                )
                if _few(others - people):
                    yield "new_returning - retention", (site, day), len(others - people)
        if 0 < rest < LEAST:
            yield "retention - new_returning", (site, week), rest


def steps(of: Seen) -> Iterator[Found]:
    """A week's sign-ups less those of the days on which they are published as events."""
    cells, shown = of.cells("custom_events"), of.shown("custom_events")
    for row in of.tables["funnel"]:
        if row["step"] > 1:
            continue
        days = [(row["site"], row["week"] + timedelta(days=n), "event", row["name"]) for n in range(7)]
        named = sum(_events(cells[keys]) for keys in days if keys in shown)
        hidden = [cells[keys] for keys in days if keys in cells and keys not in shown]
        # Any hidden days could be those that are left: she is sure where all that fit are of a few.
        fit = [
            set[Any]().union(*some)
            for n in range(1, len(hidden) + 1)
            for some in combinations(hidden, n)
            if sum(map(_events, some)) == row["events"] - named
        ]
        if fit and all(map(_few, fit)):
            yield "funnel - custom_events", (row["site"], row["week"]), len(fit[0])


def _events(people: dict[Any, list[int]]) -> int:
    return sum(sums[0] for sums in people.values())


def programmed(of: Seen) -> Iterator[Found]:
    """What follows by linear programming: the audit that guards publication, by itself."""
    for row in of.audited.to_pylist():
        if row["told"]:
            yield f"audit of {row['report']}", (row["node"],), row["told"]


def variants(of: Seen) -> Iterator[Found]:
    """What is published as events of an experiment, less the variants that are shown."""
    published = of.shown("traffic_day", "site", "day")
    cells = plain.overall(reports.load()["experiments"], of.facts, published, least=LEAST)
    shown, hidden = of.shown("experiments"), defaultdict(set[Any])
    for keys, people in cells.items():
        if keys[-1] == "(assigned)" and keys not in shown:
            hidden[keys[:3]] |= people.keys()
    for experiment, people in hidden.items():
        if _few(people):
            yield "custom_events - experiments", experiment, len(people)


ATTACKS = (totals, coarser, inside, kinds, spans, nested, cohorts, steps, variants, programmed)


def attack(of: Seen) -> list[Found]:
    """All of them."""
    return [found for one in ATTACKS for found in one(of)]


@pytest.fixture(scope="module", autouse=True)
def closing() -> Iterator[None]:
    """Markets are let go of with the file."""
    yield
    for seed in SEEDS:
        laid(seed)[0].close()
    laid.cache_clear()


@pytest.mark.requirement("M54")
@pytest.mark.parametrize("seed", SEEDS)
def test_no_difference_of_released_tables_is_of_a_few(seed: int) -> None:
    of = seen(seed)
    # Nobody deals with anybody in this market: what both sides of a deal tell is attacked in `test_sides.py`.
    known = [name for name, one in reports.load().items() if not one.mentions("deals")]
    empty = [name for name in known if reports.load()[name].people and len(of.tables[name]) <= 5]
    assert not empty, "nothing to attack"
    assert sum(of.audited["hidden"].to_pylist()) > 1000, "nothing to audit"
    assert attack(of) == []


def only_small(mark: Callable[..., pa.Table]) -> Callable[..., pa.Table]:
    """Hide what is small and nothing with it."""

    def weak(connection: duckdb.DuckDBPyConnection, *how: Any) -> pa.Table:
        marks = mark(connection, *how)
        if marks.num_rows:
            connection.execute("DELETE FROM marks WHERE NOT small")
        return marks.filter(marks["small"])

    return weak


def _whatever_it_is_called(patch: pytest.MonkeyPatch) -> None:
    """Take "(other)" for a name like any other."""
    patch.setattr(releasing, "_few", lambda report, least: f"{releasing._size(report)} < {least}")


def _rewritten(name: str, **changed: Any) -> Callable[[pytest.MonkeyPatch], None]:
    """A report whose header says something else."""

    def plant(monkeypatch: pytest.MonkeyPatch) -> None:
        one = msgspec.structs.replace(reports.load()[name], **changed)
        everything = {**reports.load(), name: one}
        monkeypatch.setattr(reports, "load", lambda: everything)

    return plant


def _every_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cohort has the people of all days, also of those whose new people are not published."""
    text = reports.load()["retention"].sql.replace("WHERE f.grouped", "")
    _rewritten("retention", sql=text)(monkeypatch)


def _every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A week has the steps of all days, also of those on which few did them."""
    text = reports.load()["funnel"].sql.replace("FROM steps", "FROM named")
    _rewritten("funnel", sql=text)(monkeypatch)


def _every_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weeks have the people of all days, also of those that are not published."""
    init = History.__init__

    def weak(
        self: History, con: Any, facts: str, received: str, published: pa.Table, *rest: Any, **how: Any
    ) -> None:
        init(
            self,
            con,
            facts,
            received,
            con.sql(f"SELECT DISTINCT site, day FROM {facts}").to_arrow_table(),
            *rest,
            **how,
        )

    monkeypatch.setattr(History, "__init__", weak)


#: What is planted, and the attack that must find it.
WEAK: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[Seen], Iterator[Found]]]] = {
    "totals without the next smallest": (
        lambda patch: patch.setattr(building, "mark", only_small(building.mark)),
        totals,
    ),
    "small rows alone": (
        lambda patch: patch.setattr(building, "mark", only_small(building.mark)),
        programmed,
    ),
    "small kinds alone": (
        lambda patch: patch.setattr(building, "mark", only_small(building.mark)),
        kinds,
    ),
    "bases before countries": (_rewritten("consent_mix", fold=("basis", "signal", "country")), coarser),
    "a name that is the folded row's": (
        _whatever_it_is_called,
        inside,
    ),
    "steps however close": (
        lambda patch: patch.setattr(releasing, "_nested", lambda _, table, k: table),
        nested,
    ),
    "small variants alone": (_rewritten("experiments", beside=()), variants),
    "cohorts of hidden days": (_every_first_day, cohorts),
    "steps of hidden days": (_every_step, steps),
    "weeks of hidden days": (_every_day, spans),
}


#: What an attack reads, where that is little, besides the days that are published.
READS: dict[Any, tuple[str, ...]] = {
    totals: ("countries", "traffic_hour", "sessions", "sources"),
    programmed: ("countries", "traffic_hour", "devices"),
    inside: ("adverts", "browsers", "pages"),
    coarser: ("countries", "consent_mix"),
    kinds: ("new_returning",),
    spans: ("growth",),
    nested: ("funnel", "retention", "experiments"),
    cohorts: ("new_returning", "retention"),
    steps: ("custom_events", "funnel"),
    variants: ("custom_events", "experiments"),
}


@pytest.mark.parametrize("weak", WEAK)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_weak_release_is_found_out(weak: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, one = WEAK[weak]
    plant(monkeypatch)
    assert list(one(seen(seed, READS.get(one, ()))))
