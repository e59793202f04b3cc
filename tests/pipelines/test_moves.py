"""Whoever is put right, or turns out to be one with another, is not found by comparing versions (S1)."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines import leaving
from pipelines.rectify import sql
from tests.pipelines.restated import (
    DAY,
    LEAST,
    Found,
    History,
    Market,
    Version,
    attack,
    crowd,
    quickly,
    wrong,
)
from tests.warehouse.crowd import person
from warehouse import moves
from warehouse import report as reports
from warehouse.released import Store

READ = ("traffic_day", "traffic_hour", "countries", "consent_mix", "growth")


def story(data: Path, *, short: bool = False) -> Market:
    """Ones and many are put right, at once and a month later; some of them leave then, and come back."""
    chance, market = random.Random(7), Market(data)
    rows = crowd(7)
    late = [row for row in rows if chance.random() < 0.05]
    market.come([row for row in rows if row not in late])
    market.make()
    people = sorted({row["person"] for row in rows})
    chance.shuffle(people)
    market.correct(people[:2], "AT")
    market.make(60)
    if short:
        return market
    market.correct(people[2:14], "FR")
    market.leave(people[10:24])  # four of them have just been put right
    market.make(1000)
    market.come(late)
    market.correct(people[10:12], "DE")  # though they are restricted
    market.make(60)
    market.back(people[10:12])
    market.correct(people[:2], "US")
    market.make(1000)
    market.make(30 * DAY)
    return market


@pytest.mark.requirement("S1", "M13", "M109")
def test_no_two_versions_differ_by_a_few_who_were_put_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: nothing noted of what they have left; found by the attack on every pair of versions."""
    quickly(monkeypatch, READ)
    market = story(tmp_path / "kept")
    history = History(market.versions)
    for name, one in reports.load().items():
        if name != "growth":
            for version, cells in zip(market.versions, history.cells(name), strict=True):
                assert wrong(version, cells, one) == [], name
    assert list(attack(history)) == []
    countries = [version.tables["countries"] for version in market.versions]
    assert countries[0] == countries[1] != countries[-1], "two wait for others"
    monkeypatch.setattr(moves, "_move", lambda *whatever: None)
    found: list[Found] = list(attack(History(story(tmp_path / "weak", short=True).versions)))
    assert {name for _, _, name, *_ in found} >= {"countries"}


def test_a_correction_that_was_killed_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the count and the facts."""
    quickly(monkeypatch, READ)
    once, twice = Market(tmp_path / "once"), Market(tmp_path / "twice")
    for market in (once, twice):
        market.come(crowd(5))
        market.make()
    whom = np.array([person(3)], np.uint64)
    with (
        pytest.raises(OSError, match="killed"),
        leaving.correcting(twice.data, twice.how, whom, sql({"country": "AT"}), twice.now),
    ):
        raise OSError("killed")
    for market in (once, twice):
        market.correct([3], "AT")
    assert _noted(once) == _noted(twice) != []
    assert once.make(60).tables == twice.make(60).tables


def _noted(market: Market) -> list[Any]:
    store = Store.open(market.data)
    found = store.connection.sql("FROM away ORDER BY ALL").fetchall()
    store.close()
    return found


def _falls(old: Version, new: Version) -> list[tuple[str, Any, int]]:
    """Rows that are told in both and have lost some, but no group."""
    return [
        (name, row, before[keys] - row["people"])
        for name, one in reports.load().items()
        for before in [{tuple(row[k] for k in one.keys): row["people"] for row in old.tables[name]}]
        for row in new.tables[name]
        for keys in [tuple(row[k] for k in one.keys)]
        if 0 < before.get(keys, 0) - row["people"] < LEAST
    ]


@pytest.mark.requirement("S1", "M42")
@pytest.mark.parametrize("late", [True, False], ids=["when the day is over", "while it runs"])
def test_a_login_that_is_known_late_takes_nobody_off_a_row_alone(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does one that is undone late. While a day runs, its numbers follow at once.

    Planted: nothing noted."""
    quickly(monkeypatch, READ)
    market = Market(tmp_path)
    rows = [
        {"site": "market", "person": n, "time": "2026-09-10 12:00", "country": "DE"} for n in range(1, 21)
    ]
    rows += [{**rows[0], "person": 3, "time": "2026-09-10 11:50"}]
    market.come(rows)
    market.now = 1_789_041_600.0  # noon of that day
    first = market.make(2 * DAY if late else 0)
    (before,) = first.tables["traffic_day"]
    market.login((3, 4, "2026-09-10 12:05"))
    joined = market.make(60)
    assert (joined.tables == first.tables) == late
    if late:
        assert _falls(first, joined) == []
        market.undo((3, 4, "2026-09-10 12:05"))
        assert market.make(60).tables == first.tables
        market.login(*((n, n + 10, "2026-09-10 12:05") for n in range(5, 11)))
        then = market.make(1000)
        assert _falls(first, then) == []
        (after,) = then.tables["traffic_day"]
        assert after["people"] == before["people"] - 6
    else:
        assert joined.tables["traffic_day"][0]["people"] == before["people"] - 1
