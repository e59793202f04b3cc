"""Which days an advert that came late may change: those on which somebody whom it is about is there again."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from warehouse import echoes
from warehouse.released import Store

FIRST = date(2026, 9, 1)


def day(n: int) -> date:
    return FIRST + timedelta(days=n - 1)


class Facts:
    """Advert rows, and what was seen of them the last time."""

    def __init__(self, data: Path) -> None:
        self.store, self.lake = Store.open(data), duckdb.connect()
        self.lake.execute("ATTACH ':memory:' AS lake")
        self.lake.execute(
            "CREATE TABLE lake.events (site VARCHAR, day DATE, received TIMESTAMP_MS, type VARCHAR,"
            " person UBIGINT, ad_view UBIGINT, ad_order UBIGINT, ad_goal VARCHAR)"
        )

    def put(self, person: int, on: int, came: int = 0, type: str = "ad_impression", **more: Any) -> None:
        self.lake.execute(
            "INSERT INTO lake.events VALUES ('market', ?, ?, ?, ?, ?, ?, NULL)",
            [day(on), day(came or on), type, person, more.get("view"), more.get("order")],
        )

    def later(self, *touched: int) -> set[int]:
        rows = {day(n): 1 for n in range(1, 41)}
        found = echoes.find(self.store, self.lake, [day(n) for n in touched], rows)
        echoes.keep(self.store, found)
        return {(one - FIRST).days + 1 for one in found.later}


@pytest.fixture
def facts(tmp_path: Path) -> Facts:
    one = Facts(tmp_path)
    for person, days in {1: (1, 5, 9, 35), 2: (2, 6), 3: (3, 7), 4: (8,)}.items():
        for on in days:
            one.put(person, on, view=100 * person + on)
    one.put(4, 8, type="ad_conversion", order=77)
    one.later(*range(1, 41))
    return one


@pytest.mark.requirement("M52")
def test_only_days_on_which_whom_it_is_about_is_there_again(facts: Facts) -> None:
    assert facts.later(3) == set(), "nothing came"
    facts.put(1, 3, came=4)
    assert facts.later(3) == {5, 9}, "35 is more than thirty days later; 7 is of somebody else, seen that day"
    assert facts.later(3) == set()
    facts.put(9, 3, came=4)
    assert facts.later(3) == {5, 9}, "came on the day on which 1's did: of these all"
    facts.put(9, 3, came=5)
    assert facts.later(3) == set(), "of somebody who was never there again"


@pytest.mark.requirement("M52")
def test_who_sends_the_same_view_or_tells_the_same_order_is_followed(facts: Facts) -> None:
    facts.put(9, 3, came=5, view=303)
    assert facts.later(3) == {7}, "3 has sent that view, and what it is worth may hang on who was first"
    facts.put(9, 4, came=5, view=303)
    assert facts.later(4) == {7}
    facts.put(9, 3, came=6, type="ad_conversion", order=77)
    assert {8} <= facts.later(3), "told before"


def test_where_rows_are_gone_nobody_knows_whose_they_were(facts: Facts) -> None:
    facts.lake.execute("DELETE FROM lake.events WHERE person = 3 AND day = ?", [day(3)])
    assert facts.later(3) == {5, 6, 7, 8, 9}, "every day of adverts of the next thirty"
