"""The accounts of what was ever drawn: they refuse, two at once, and whatever happens to a process."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from consent_filter.errors import Broken, Misconfigured, Refused
from warehouse import budget
from warehouse.budget import Cost
from warehouse.release_settings import Release

HOW = Release(rho_draft=0.1, rho_month=0.3, rho_year=1.0)


def spend(data: Path, name: str, months: str, rho: float = 0.1) -> None:
    costs = {("market", f"2026-{month}"): Cost(rho, 1e-9) for month in months.split()}
    budget.reserve(data, name, [name], costs, HOW, 0.0)


@pytest.mark.requirement("S9")
def test_a_month_and_a_year_are_spent_once(tmp_path: Path) -> None:
    assert budget.accounts(tmp_path, HOW) == []
    assert not (tmp_path / "releases").exists(), "asking makes nothing"
    for number in range(3):
        spend(tmp_path, f"draft-{number}", "07")
    with pytest.raises(Refused, match=r"budget of 2026-07 at market 0\.0000 of 0\.3 is left") as refused:
        spend(tmp_path, "more", "06 07")
    assert refused.value.code == "budget_spent"
    assert [one.month for one in budget.accounts(tmp_path, HOW)] == ["2026-07"], "all or nothing"
    spend(tmp_path, "more", "01 02 03", 0.2)
    with pytest.raises(Refused, match=r"budget of 2026 at market 0\.1000 of 1 is left.*that of 2027"):
        spend(tmp_path, "last", "08 09")
    july, *_ = [one for one in budget.accounts(tmp_path, HOW) if one.month == "2026-07"]
    assert july.by == {f"draft-{number}": 0.1 for number in range(3)}
    assert (july.left, july.delta) == (0, pytest.approx(3e-9))
    august = {("blog", "2026-08"): Cost(0.3, 0.0)}
    budget.afford(tmp_path, august, HOW)
    assert all(one.site == "market" for one in budget.accounts(tmp_path, HOW)), "afford spends nothing"


@pytest.mark.requirement("S9")
def test_of_many_at_once_only_as_many_as_there_is_money_for(tmp_path: Path) -> None:
    def one(number: int) -> bool:
        try:
            spend(tmp_path, f"draft-{number}", "07")
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(12))) == 3
    assert [round(one.spent, 9) for one in budget.accounts(tmp_path, HOW)] == [0.3]


@pytest.mark.requirement("S9")
def test_two_that_both_looked_do_not_both_spend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits, after it has looked, for the other to have looked as well: which it may not."""
    both, looks = threading.Barrier(2), budget._afford

    def looked(*said: Any) -> None:
        looks(*said)
        with suppress(threading.BrokenBarrierError):
            both.wait(0.2)

    def one(name: str) -> bool:
        try:
            spend(tmp_path, name, "07", 0.2)
        except Refused:
            return False
        return True

    monkeypatch.setattr(budget, "_afford", looked)
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(one, ["first", "second"])) == [False, True]


def test_nothing_is_made_that_was_not_paid_for(tmp_path: Path) -> None:
    spend(tmp_path, "draft", "07")
    budget.settle(tmp_path, "draft")
    assert budget.made(tmp_path, ["draft"]) == ("draft", 1)
    with pytest.raises(Broken):
        budget.settle(tmp_path, "other")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rho_month", 0.01), ("rho_year", 0.1), ("rho_draft", 0.0), ("delta", 0.1), ("confidence", 1.0),
        ("min_group", 49), ("doubt", 0.5), ("lateness_days", 1), ("shares", {"growth": -1.0}),
    ],
)  # fmt: skip
def test_settings_that_protect_nobody_are_refused(key: str, value: object) -> None:
    with pytest.raises(Misconfigured):
        Release(**{key: value})  # type: ignore[arg-type]
