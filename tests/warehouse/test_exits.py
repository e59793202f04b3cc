"""Tables that leave with no epsilon are entered into the months' accounts, which refuse (S9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from consent_filter.errors import Misconfigured, Refused
from warehouse import budget, exits
from warehouse.budget import Cost
from warehouse.exits import Exit
from warehouse.release_settings import Release

HOW = Release(figures_month=200)


def rows(*days: date) -> pa.Table:
    n = len(days)
    return pa.table({"day": list(days), "device": ["mobile"] * n, "people": [60] * n, "views": [90] * n})


@pytest.mark.requirement("S9")
def test_each_number_of_a_month_counts_once_and_none_leaves_that_would_be_too_many(tmp_path: Path) -> None:
    exits.leave(tmp_path, HOW, {"traffic_day": rows().drop_columns("device")}, "market")
    assert not (tmp_path / "releases").exists(), "no row, no entry"
    traffic = rows(date(2026, 9, 1), date(2026, 10, 2)).drop_columns("device")
    for _ in range(2):  # to another recipient as well: it is the same to the bit
        exits.leave(tmp_path, HOW, {"traffic_day": traffic}, "market")
    october, september = sorted(budget.accounts(tmp_path, HOW), key=lambda one: one.month, reverse=True)
    assert (september.told, october.told) == ({"traffic_day": 60}, {"traffic_day": 62})
    assert (september.may_tell, september.spent, september.by) == (140, 0, {})
    devices = rows(date(2026, 9, 1))
    assert exits.figures(exits.load()["devices"], "2026-09") == 4 * 30
    with pytest.raises(Refused, match="of 2026-09: one person would be part of more than 200") as refused:
        exits.leave(tmp_path, HOW, {"devices": devices}, "market")
    assert refused.value.code == "budget_spent"
    assert {one.site for one in budget.accounts(tmp_path, HOW)} == {"market"}
    with pytest.raises(Refused):  # all of what is asked for, or nothing
        exits.leave(tmp_path, HOW, {"traffic_day": rows(date(2026, 11, 1)), "devices": devices}, "market")
    assert {one.month for one in budget.accounts(tmp_path, HOW)} == {"2026-09", "2026-10"}
    exits.leave(tmp_path, HOW, {"devices": devices.drop_columns("views")}, "blog")
    exits.leave(tmp_path, HOW, {"traffic_day": traffic}, "market")  # what it knows goes on


@pytest.mark.requirement("S9")
def test_an_account_has_both_and_a_copy_of_an_older_day_has_not_less(tmp_path: Path) -> None:
    data, copy = tmp_path / "data", tmp_path / "copy"
    budget.reserve(data, "draft", ["draft"], {("market", "2026-09"): Cost(0.1, 0.0)}, HOW, 0.0)
    exits.leave(data, HOW, {"traffic_day": rows(date(2026, 9, 1)).drop_columns("device")}, "market")
    (both,) = budget.accounts(data, HOW)
    assert (both.by, both.told) == ({"draft": 0.1}, {"traffic_day": 60})
    budget.remember(copy, budget.spending(data))
    budget.remember(copy, budget.spending(data))
    assert budget.accounts(copy, HOW) == [both]
    assert budget.spending(copy) == budget.spending(data)


@pytest.mark.requirement("S9")
def test_of_many_at_once_only_as_many_leave_as_the_limit_allows(tmp_path: Path) -> None:
    def one(number: int) -> bool:
        try:
            exits.enter(tmp_path, HOW, [Exit("market", "2026-09", "devices", f"n{number}", 60)])
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(one, range(8))) == 3
    assert [one.told for one in budget.accounts(tmp_path, HOW)] == [{"devices": 180}]


def test_as_it_is_set_every_table_that_may_leave_may_leave_once() -> None:
    with pytest.raises(Misconfigured):
        Release(figures_month=-1)
    assert Release().figures_month < exits.inside("2026-01")
