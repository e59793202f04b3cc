"""Whoever has left is not found by comparing versions; whoever comes back is counted as ever (S1, S13)."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import leaving
from pipelines import reports as job
from tests.pipelines.restated import (
    DAY,
    LEAST,
    History,
    Market,
    Version,
    attack,
    crowd,
    quickly,
    wrong,
)
from tests.warehouse import plain
from warehouse import batches
from warehouse import report as reports
from warehouse.batches import Settled
from warehouse.released import Store
from warehouse.restatement import Guard
from warehouse.settings import Warehouse

Tables = dict[str, list[dict[str, Any]]]
#: Each takes a minute; more of them with THRONG_SEEDS.
SEEDS = range(int(os.environ.get("THRONG_SEEDS", "1")))


def story(market: Market, seed: int) -> Iterator[Version]:
    """Ones and many leave, at once and a month later, while events come late; some come back, then all."""
    chance = random.Random(seed)
    rows = crowd(seed)
    late = [row for row in rows if chance.random() < 0.05]
    market.come([row for row in rows if row not in late])
    yield market.make()
    people = sorted({row["person"] for row in rows})
    chance.shuffle(people)
    market.leave(people[:2])
    yield market.make(60)
    market.leave(people[2:40])
    yield market.make(1000)
    market.come(late)
    market.leave(people[40:43])
    yield market.make(5 * DAY)
    yield market.make(30 * DAY)
    market.back(people[3:12])
    market.leave(people[43:55])
    yield market.make(1000)
    yield market.make(30 * DAY)


@pytest.mark.requirement("S1")
@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_versions_differ_by_a_few_who_left(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every pair of them; and what is shown is what events less those who left make, cell for cell."""
    quickly(monkeypatch)
    market = Market(tmp_path)
    history = History([*story(market, seed)])
    for name, one in reports.load().items():
        if name != "growth":
            for version, cells in zip(market.versions, history.cells(name), strict=True):
                assert wrong(version, cells, one) == [], name
    assert market.versions[0].tables != market.versions[2].tables != market.versions[-1].tables
    assert list(attack(history)) == []


def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every departure shows in the next version."""
    monkeypatch.setattr(
        Guard, "hide", lambda self, con, one, whole, k: self.hidden.select([1, 2]).slice(0, 0)
    )
    monkeypatch.setattr(batches, "decide", lambda waits, *how: Settled({group for group, _ in waits}, {}))


def _whole_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days wait until enough have left them; then all rows are shown, whoever has left which."""
    few = Guard._few

    def weak(self: Guard, *how: Any) -> set[tuple[int, str]]:
        return {(level, node) for level, node in few(self, *how) if not level}

    monkeypatch.setattr(Guard, "_few", weak)


def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that few have left are hidden, and no other with them."""
    few = Guard._few

    def weak(
        self: Guard, report: Any, changes: dict[tuple[int, str], int], kept: Any, least: int
    ) -> set[tuple[int, str]]:
        return {at for at in few(self, report, changes, kept, least) if changes[at] < least}

    monkeypatch.setattr(Guard, "_few", weak)


WEAK: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "at once": _at_once,
    "batches without hiding rows": _whole_rows,
    "hidden rows alone": _alone,
}


@pytest.mark.parametrize("weak", WEAK)
@pytest.mark.parametrize("seed", SEEDS)
def test_a_weak_restatement_is_found_out(
    weak: str, seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As soon as it tells something: what comes after is not waited for."""
    quickly(monkeypatch)
    WEAK[weak](monkeypatch)
    market = Market(tmp_path)
    assert any(any(attack(History(market.versions))) for _ in story(market, seed))


@pytest.mark.requirement("S13", "M111")
@pytest.mark.parametrize(
    ("many", "waits"),
    [(1, 60.0), (1, 30 * DAY), (40, 1000.0)],
    ids=["one, lifted while the day waits", "one, for longer than it may wait", "many"],
)
def test_who_is_restricted_and_comes_back_is_counted_as_ever(
    many: int, waits: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with events that come meanwhile: as in a twin where nobody ever was away."""
    quickly(monkeypatch)
    rows = crowd(5)
    late, rows = rows[::20], [row for place, row in enumerate(rows) if place % 20]
    away, twin = Market(tmp_path / "away"), Market(tmp_path / "twin")
    for market in (away, twin):
        market.come(rows)
        before = market.make().tables
    whom = sorted({row["person"] for row in rows})[:many]
    away.leave(whom)
    away.make()
    away.make(waits)
    restricted = away.make(60)
    history = History(away.versions)
    for name in ("traffic_day", "countries", "traffic_hour", "custom_events"):
        assert wrong(restricted, history.cells(name)[-1], reports.load()[name]) == [], name
    assert (restricted.tables == before) == (waits < DAY and many == 1)
    for market in (away, twin):
        market.come(late)
        market.make(60)
    away.back(whom)
    last = away.make(60)
    assert last.absent == frozenset()
    assert digest(last) == digest(twin.versions[-1]) != digest(restricted)


def digest(version: Version) -> str:
    return hashlib.sha256(repr(sorted(version.tables.items())).encode()).hexdigest()


def test_who_comes_back_alone_waits_for_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both in the numbers and, when they are gone again, without being counted out twice."""
    quickly(monkeypatch)
    market = Market(tmp_path)
    market.come(crowd(5))
    first = market.make()
    market.leave(range(1, 41))
    market.make()
    market.make(1000)
    restated = market.make(30 * DAY)
    market.back([3])
    assert market.make(60).tables == restated.tables
    market.leave([3])
    assert market.make(60).tables == restated.tables
    assert market.make(30 * DAY).tables == restated.tables
    market.back(range(1, 41))
    assert market.make(60).tables == first.tables


def test_a_day_that_waits_says_so_and_one_that_is_restated_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quickly(monkeypatch)
    market = Market(tmp_path)
    market.come(crowd(5))
    market.make()
    market.leave(range(1, 41))
    market.make()
    market.make(1000)
    market.make(30 * DAY)
    store = Store.open(tmp_path)
    said = store.connection.execute(
        "SELECT reason, people, hidden FROM restatements ORDER BY version, site, day"
    ).fetchall()
    store.close()
    assert {reason for reason, *_ in said} == {"first", "restated"}
    assert all(people is None or people >= LEAST for _, people, _ in said)
    assert any(people is None for reason, people, _ in said if reason == "restated")


@pytest.mark.requirement("S23")
def test_a_childs_days_do_not_wait_for_others_and_tell_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: `since` as for everybody; the days stand still. What is shown is what would be later."""
    quickly(monkeypatch)
    market = Market(tmp_path)
    market.come(crowd(5))
    market.make()
    market.leave(range(1, 41))
    leaving.note(market.data, market.how, market.now, child=True)
    first, at_once, after = market.versions[-1], market.make(), market.make(600)
    assert digest(first) != digest(at_once) == digest(after)


def test_numbers_are_moved_alike_in_every_run_until_the_key_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weeks are sums of the days that are published. Who comes back brings the same numbers back."""
    quickly(monkeypatch, ("traffic_day", "growth", "countries", "new_returning"))
    exact, moved = Market(tmp_path / "exact"), Market(tmp_path, Warehouse(min_group=LEAST))
    for market in (exact, moved):
        market.come(crowd(5))
        market.make()
    first = moved.versions[0].tables
    assert first["traffic_day"] != exact.versions[0].tables["traffic_day"]
    assert growing(first) == {row[:2]: row[2] for row in weeks(first)}
    job.run(tmp_path, moved.how, force=True, buckets=3, now=moved.now)
    assert moved.make().tables == first
    moved.leave(range(1, 41))
    moved.make()
    assert moved.make(1000).tables != first
    moved.back(range(1, 41))
    assert moved.make(60).tables == first
    (tmp_path / "keys.json").unlink()
    assert moved.make(60).tables != first
    store = Store.open(tmp_path)
    ((reason,),) = store.connection.execute(
        "SELECT DISTINCT reason FROM restatements WHERE version = (SELECT max(version) FROM restatements)"
    ).fetchall()
    store.close()
    assert reason == "rules"


def weeks(tables: Tables) -> list[tuple[str, Any, int]]:
    return [
        (row["site"], row["begins"], row["people"]) for row in tables["growth"] if row["period"] == "week"
    ]


def growing(tables: Tables) -> dict[tuple[str, Any], int]:
    """Published days added up by week."""
    found: dict[tuple[str, Any], int] = {}
    for row in tables["traffic_day"]:
        at = row["site"], plain.monday(row["day"])
        found[at] = found.get(at, 0) + row["people"]
    return found
