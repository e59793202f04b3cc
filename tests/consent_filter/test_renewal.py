"""How long an anonymous identifier lasts (M23): then its browser is somebody else, who can still be found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent_filter.decide import AD_MEASUREMENT, MEASUREMENT
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from consent_filter.renewal import Renewal

DAY = 86_400
DEVICE = (MEASUREMENT, "eu", "device", "d1")
ADVERT = (AD_MEASUREMENT, "eu", "device", "d1")
MEMBER = (MEASUREMENT, "eu", "user", "u1")
ELSEWHERE = (MEASUREMENT, "us", "device", "d1")


class Year:
    """A ledger and its keys in a folder, with a clock that can be turned."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 20_000.0 * DAY
        self.ledger = self.open()

    def open(self) -> Ledger:
        self.keys = Keyring.open(self.folder / "keys.json", lambda: self.now)
        ledger = Ledger.open(self.folder / "ledger.sqlite", self.keys)
        ledger.lasts = {"eu": 30}
        return ledger

    def after(self, days: int, *, again: bool = False) -> list[int]:
        """Who they are then: a browser, its adverts, a member, a browser where nothing is renewed."""
        self.now += days * DAY
        if again:
            self.ledger.close()
            self.ledger = self.open()
        found = [
            int.from_bytes(one, "little") for one in self.ledger.persons([DEVICE, ADVERT, MEMBER, ELSEWHERE])
        ]
        self.ledger.flush()
        return found


@pytest.fixture
def year(tmp_path: Path) -> Iterator[Year]:
    one = Year(tmp_path)
    yield one
    one.ledger.close()


@pytest.mark.requirement("M23")
@pytest.mark.parametrize("again", [False, True])
def test_a_browser_becomes_somebody_else_and_a_member_does_not(year: Year, again: bool) -> None:
    first = year.after(0)
    assert year.after(29, again=again) == first
    then = year.after(1, again=again)
    assert [a == b for a, b in zip(first, then, strict=True)] == [False, False, True, True]
    assert year.after(29, again=again) == then
    last = year.after(1, again=again)
    assert len({first[0], then[0], last[0]}) == 3
    assert year.after(-40) == last, "a clock that has stepped back renews nothing"


@pytest.mark.requirement("M23", "M113")
def test_who_it_was_is_found_when_they_withdraw(year: Year) -> None:
    first, then = year.after(0), year.after(31)
    key = year.ledger.key("eu", "device", "d1")
    held = {(one.purpose, one.person, one.standing) for one in year.ledger.subject(key).persons}
    everyone = {
        (MEASUREMENT, first[0]),
        (MEASUREMENT, then[0]),
        (AD_MEASUREMENT, first[1]),
        (AD_MEASUREMENT, then[1]),
    }
    assert held == {(*one, "active") for one in everyone}
    year.ledger.put("eu", "device", "d1", {"measurement": False}, "test", 1)
    assert set(year.ledger.withdrawn().tolist()) == {first[0], then[0]}
    year.ledger.erase("eu", "device", "d1", "test", 2)
    assert set(year.ledger.removing().tolist()) == {person for _, person in everyone}
    assert year.ledger.subject(key).persons[0].standing == "removing"
    for table in ("past", "salt"):
        database = sqlite3.connect(year.folder / "ledger.sqlite")
        assert database.execute(f"SELECT count(*) FROM {table} WHERE key = ?", (key,)).fetchone() == (0,)
        database.close()


def test_who_withdraws_before_the_new_one_is_written_leaves_nothing(year: Year) -> None:
    first = year.after(0)
    year.now += 31 * DAY
    then = int.from_bytes(year.ledger.persons([DEVICE])[0], "little")
    year.ledger.erase("eu", "device", "d1", "test", 2)
    assert {first[0], then} <= set(year.ledger.removing().tolist())
    year.ledger.flush()
    database = sqlite3.connect(year.folder / "ledger.sqlite")
    key = year.ledger.key("eu", "device", "d1")
    assert database.execute("SELECT count(*) FROM salt WHERE key = ?", (key,)).fetchone() == (0,)
    assert database.execute("SELECT count(*) FROM past").fetchone() == (0,)
    database.close()


@pytest.mark.requirement("M111")
def test_who_is_restricted_stays_so(year: Year) -> None:
    first = year.after(0)
    key = year.ledger.key("eu", "device", "d1")
    year.ledger.restrict(key, "test", 1)
    then = year.after(31)
    assert {first[0], then[0]} <= set(year.ledger.withdrawn().tolist())
    year.ledger.lift(key, "test", 2)
    assert not len(year.ledger.withdrawn())


@pytest.mark.requirement("M23")
def test_the_old_salt_is_gone_and_whose_it_was_is_forgotten_with_its_facts(year: Year) -> None:
    year.after(0)
    old = set(_all(year, f"SELECT salt FROM salt WHERE purpose = {MEASUREMENT}"))
    year.after(31)
    now = set(_all(year, f"SELECT salt FROM salt WHERE purpose = {MEASUREMENT}"))
    assert len(old & now) == 2, "the member's, and that of the site where nothing is renewed"
    ((gone,),) = old - now
    for file in year.folder.iterdir():
        assert gone not in file.read_bytes(), file
    for _ in range(26):
        year.after(31)
    ((oldest,),) = _all(year, "SELECT min(until) FROM past")
    assert year.now // DAY - oldest <= 761


def _all(year: Year, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(year.folder / "ledger.sqlite")) as database:
        return database.execute(query).fetchall()


def test_how_old_a_salt_is() -> None:
    one = Renewal()
    assert one.over(10, 100) == 0
    one.mark(100, 5)
    one.mark(100, 6)
    one.mark(103, 9)
    one.mark(101, 11)
    assert [one.over(10, day) for day in (100, 109, 110, 111, 112, 113)] == [0, 0, 9, 9, 9, 1 << 62]
