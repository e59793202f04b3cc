"""The job of trends on its real runner: what it counts, what it spends, and what becomes of a draft."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent_filter.errors import Broken, Refused
from consent_filter.site import Site
from pipelines import drafting, trends
from pipelines.drawing import price
from pipelines.settings import Pipelines
from tests.warehouse.crowd import Row, lay, withdraw
from warehouse import budget, draft
from warehouse.draft import Draft
from warehouse.period import read as period
from warehouse.release_settings import Release
from warehouse.trend import AUDIENCES, load

#: So much budget that noise is small beside groups of fifty.
RICH = Release(rho_draft=50.0, rho_month=120.0, rho_year=2000.0)
#: Of only two trends, where it is not the numbers that matter.
FEW = Release(
    rho_draft=50.0, rho_month=120.0, rho_year=2000.0,
    shares={name: 0.0 for name in load() if name not in ("growth", "activity")},
)  # fmt: skip
SITES = (Site(id="market"),)
QUARTER = period("2026-Q3")
NOW = time.mktime((2026, 10, 20, 12, 0, 0, 0, 0, 0))


def crowd(people: int = 160) -> list[Row]:
    """Everyone comes in July, half of them in August, nobody with an identifier in September."""
    rows: list[Row] = []
    for n in range(1, people + 1):
        device, country = ("desktop", "mobile")[n % 2], ("DE", "FR")[n % 2]
        one = {"person": n, "device": device, "country": country}
        rows += [one | {"time": f"2026-07-{1 + n % 28:02} 12:{m:02}"} for m in range(2)]
        rows.append(one | {"time": f"2026-07-{1 + n % 28:02} 12:05", "type": "event", "name": "task_posted"})
        if n % 2:
            rows.append(one | {"time": f"2026-08-{1 + n % 28:02} 09:00", "referrer_group": "referral",
                               "referrer_host": "blog.example"})  # fmt: skip
        rows.append({"person": 1000 + n, "time": "2026-09-10 10:00", "treatment": "cookieless"})
        rows.append({"person": 5000 + n, "time": "2026-07-12 10:00", "type": "ad_impression"})
    rows += [{"person": 1, "time": "2026-07-02 01:00", "reason": "consent"} for _ in range(240)]
    return rows


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A quarter's facts. Nobody may draft of them."""
    data = tmp_path_factory.mktemp("quarter")
    lay(data, crowd())
    withdraw(data, [160])
    return data


@pytest.fixture
def data(laid: Path, tmp_path: Path) -> Path:
    """The same, to be drafted of."""
    subprocess.run(["cp", "-r", str(laid), str(tmp_path / "data")], check=True)
    return tmp_path / "data"


def drafted(data: Path, settings: Release = RICH, **said: Any) -> Draft:
    said = {"where": None, "now": NOW} | said
    audience, when = said.pop("audience", "investors"), said.pop("period", QUARTER)
    return drafting.run(data, audience, when, SITES, settings, said.pop("where"), **said)


def rows(data: Path, made: Draft, name: str) -> dict[tuple[str, ...], dict[str, int]]:
    keys = next(one.keys for one in made.tables if one.name == name)
    return {tuple(row[key] for key in keys[1:]): row for row in draft.table(data, made.id, name).to_pylist()}


def test_a_loop_counts_what_the_job_counts_in_any_number_of_buckets(laid: Path) -> None:
    chosen = list(load().values())
    first = trends.exact(laid, QUARTER, ("market",), chosen, None)
    found = trends.exact(laid, QUARTER, ("market",), chosen, Pipelines(), 3)
    assert {name: table.to_pylist() for name, table in found.items()} == {
        name: table.to_pylist() for name, table in first.items()
    }
    assert not (laid / "releases" / "making").exists(), "exact cells stay nowhere"


@pytest.mark.requirement("M54")
@pytest.mark.requirement("M63")
@pytest.mark.requirement("S6")
def test_a_draft_says_what_there_was_within_its_intervals(data: Path) -> None:
    """Of 160 people one has withdrawn. Counted by hand."""
    made = drafted(data, where=Pipelines())
    growth = rows(data, made, "growth")
    july, august, september = (growth[f"2026-0{n}",] for n in (7, 8, 9))
    for row, name, true in (
        (july, "people", 159), (july, "known", 159), (july, "fresh", 159), (august, "people", 80),
        (august, "known", 80), (august, "fresh", 0), (september, "people", 160), (september, "known", 0),
    ):  # fmt: skip
        assert row[f"{name}_low"] - 10 <= true <= row[f"{name}_high"] + 10, name  # 7 times the noise
        assert 0 <= row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    assert set(rows(data, made, "countries")) == {
        ("2026-07", "DE"), ("2026-07", "FR"), ("2026-08", "FR"), ("2026-09", "DE"),
    }  # fmt: skip
    assert set(rows(data, made, "liquidity")) == {("2026-07", "task_posted")}
    assert set(rows(data, made, "referrers")) == {("2026-08", "blog.example")}
    assert set(rows(data, made, "retention")) == {("2026-07", "2026-07"), ("2026-08", "2026-07")}
    weeks = rows(data, made, "weeks")
    assert abs(weeks["2026-09-07",]["people"] - 160) < 30
    assert len(weeks) < 13
    assert abs(rows(data, made, "adverts")["2026-07",]["impressions"] - 160) < 60
    every = rows(data, made, "totals")
    for month, true in (("2026-07", 159), ("2026-08", 80), ("2026-09", 160)):
        none, alike = every[month, "none"], every[month, "alike"]
        assert none["people_low"] <= alike["people_low"] <= alike["people_high"] <= none["people_high"]
        assert none["people_low"] - 10 <= true
    assert every["2026-07", "none"]["people_high"] >= 159 + 240 > every["2026-08", "none"]["people_high"]
    held = {one.name: one.held_back for one in made.tables}
    assert held["growth"] == 0
    assert held["liquidity"] == 8
    assert held["referrers"] is None
    assert made.policies == {"market": ("workallies-2024/1",)}
    assert made.mix["market"]["consent"] == 200
    assert "standard contractual clauses (2021/914)" in made.transfers
    assert made.made_of["trends"]["growth"] == load()["growth"].sha256


@pytest.mark.requirement("S9")
def test_the_same_again_is_the_same_and_costs_nothing(data: Path) -> None:
    first = drafted(data)
    spent = budget.accounts(data, RICH)
    cost = first.made_of["rho"]
    assert [(one.month, one.spent) for one in spent] == [(month, cost) for month in QUARTER.months]
    assert sum(one.rho for one in first.tables) == pytest.approx(cost)
    files = {file.name: hashlib.sha256(file.read_bytes()).digest() for file in _files(data, first)}
    assert drafted(data) == first
    assert budget.accounts(data, RICH) == spent
    assert {file.name: hashlib.sha256(file.read_bytes()).digest() for file in _files(data, first)} == files
    other = drafted(data, again=True)
    assert other.id != first.id
    assert drafted(data) == other
    with pytest.raises(Refused, match=rf"{120 - 2 * cost:.4f} of 120 is left") as refused:
        drafted(data, again=True)
    assert refused.value.code == "budget_spent"
    with pytest.raises(Refused, match="budget of 2026-07"):
        drafted(data, period=period("2026-07"), again=True)
    assert len(list(draft.folder(data).iterdir())) == 2, "nothing was drawn"
    (draft.folder(data) / other.id / "growth.parquet").write_bytes(b"other")
    with pytest.raises(Refused, match="growth"):
        drafted(data)
    budget.path(data).unlink()
    with pytest.raises(Broken, match="accounts"):
        drafted(data)


@pytest.mark.requirement("S9")
def test_a_draft_that_was_killed_has_spent_and_is_drawn_no_second_time(data: Path) -> None:
    """Killed after the first noise: what lies there is no draft, and the next one pays anew."""
    work = f"""
import os, signal
from pathlib import Path
from tests.pipelines.test_trends import FEW, drafted
from warehouse import draft
written = draft.table_of
def killed(*a, **k):
    written(*a, **k)
    os.kill(os.getpid(), signal.SIGKILL)
draft.table_of = killed
drafted(Path({str(data)!r}), FEW)
"""
    ended = subprocess.run([sys.executable, "-c", work], check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    (half,) = draft.folder(data).iterdir()
    assert [file.suffix for file in half.iterdir()] == [".parquet"], "one table was drawn"
    with pytest.raises(Refused):
        draft.read(data, half.name)
    assert budget.states(data) == {half.name: budget.RESERVED}
    made = drafted(data, FEW)
    assert made.id != half.name
    assert not half.exists(), "what was drawn is nobody's"
    assert budget.states(data) == {half.name: budget.LOST, made.id: budget.MADE}
    twice = 2 * made.made_of["rho"]
    assert [one.spent for one in budget.accounts(data, FEW)] == pytest.approx([twice] * 3)


@pytest.mark.requirement("S9")
@pytest.mark.parametrize(("broken", "state"), [("write", budget.LOST), ("settle", budget.MADE)])
def test_wherever_it_ends_nothing_is_drawn_twice_for_one_price(
    data: Path, monkeypatch: pytest.MonkeyPatch, broken: str, state: str
) -> None:
    """Before it is written down, its money is gone; once it is, it is the draft."""

    def ends(*said: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as planted:
        planted.setattr(draft if broken == "write" else budget, broken, ends)
        with pytest.raises(KeyboardInterrupt):
            drafted(data, FEW)
    (first,) = budget.states(data)
    there = state == budget.MADE
    tables = draft.read(data, first).tables if there else ()
    made = drafted(data, FEW)
    assert budget.states(data)[first] == state
    assert (made.id == first, made.tables == tables) == (there, there)
    spent = made.made_of["rho"] * (1 if there else 2)
    assert [one.spent for one in budget.accounts(data, FEW)] == pytest.approx([spent] * 3)


@pytest.mark.requirement("S9")
@pytest.mark.requirement("M54")
def test_what_one_has_got_is_the_same_for_the_next_and_costs_nothing(data: Path) -> None:
    """Two who put together what they have learn no more than one."""
    first = drafted(data)
    spent = budget.accounts(data, RICH)
    second = drafted(data, audience="advertiser")
    assert [one.name for one in second.tables] == ["adverts", "countries", "devices", "growth"]
    assert set(second.tables) < set(first.tables)
    assert second.made_of["drawn_in"]["growth"] == [first.id]
    for one in second.tables:
        same = [(draft.folder(data) / of.id / f"{one.name}.parquet").read_bytes() for of in (first, second)]
        assert same[0] == same[1]
    assert [one.spent for one in budget.accounts(data, RICH)] == [one.spent for one in spent]
    assert second.made_of["rho"] == 0
    month = drafted(data, period=period("2026-08"), audience="public")
    assert month.made_of["rho"] == 0
    (row,) = draft.table(data, month.id, "growth").to_pylist()
    assert row == rows(data, first, "growth")["2026-08",]


@pytest.mark.requirement("S9")
@pytest.mark.requirement("M63")
def test_a_quarter_of_months_that_were_drawn_is_those_months(data: Path) -> None:
    """Weeks and cohorts, too; a month that lacks is drawn, and only that is paid for."""
    names = ("growth", "weeks", "retention", "referrers")
    some = msgspec.structs.replace(RICH, shares={name: 0.0 for name in load() if name not in names})
    months = [drafted(data, some, period=period(f"2026-0{n}")) for n in (7, 8)]
    whole = drafted(data, some)
    cost = months[0].made_of["rho"]
    assert [one.spent for one in budget.accounts(data, RICH)] == pytest.approx([cost] * 3)
    for name in names:
        earlier = [row for one in months for row in draft.table(data, one.id, name).to_pylist()]
        found = draft.table(data, whole.id, name).to_pylist()
        assert [row for row in found if row in earlier] == earlier
        assert name in ("retention", "referrers") or len(found) > len(earlier)
    held = [next(one.held_back for one in of.tables if one.name == "weeks") for of in (*months, whole)]
    assert held[2] is not None
    assert held[0] is not None
    assert 5 <= held[2] <= 13


@pytest.mark.requirement("M51")
def test_an_extract_for_research_has_only_who_allowed_research(data: Path) -> None:
    lay(data, [{"person": 9000 + n, "time": "2026-07-05 10:00", "purposes": 2 + n % 2, "device": "tablet"}
               for n in range(140)])  # fmt: skip
    made = drafted(data, audience="research")
    (row,) = rows(data, made, "research").values()
    assert (row["month"], row["country"], row["device"]) == ("2026-07", "DE", "tablet")
    assert abs(row["people"] - 140) < 40


@pytest.mark.requirement("M53")
def test_every_audience_has_trends_and_a_partner_none_that_names_another() -> None:
    """Planted: hosts of others in what partners get; what it costs is no more than what investors' costs."""
    found = {audience: price(audience, Release()) for audience in AUDIENCES}
    assert set(found["partner"]) == {"growth", "countries", "devices", "sources"}
    assert all(trend.spaces.get(key) != "open" for name in found["partner"] for trend in (load()[name],)
               for key in trend.keys[2:])  # fmt: skip
    assert {name: plan.rho for name, plan in found["partner"].items()} == {
        name: found["investors"][name].rho for name in found["partner"]
    }, "the same numbers, drawn once"


def test_two_at_once_make_one(data: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert len({one.id for one in pool.map(drafted, [data, data], [FEW, FEW])}) == 1
    assert list(budget.states(data).values()) == [budget.MADE]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"now": NOW - 15 * 86_400}, "period_open"),
        ({"audience": "public", "settings": Release(shares={"growth": 0.0})}, "audience"),
        ({"sites": ["elsewhere"]}, "site"),
        ({"period": period("2025-Q3"), "settings": Release()}, None),
    ],
)
def test_what_cannot_be_drafted_is_refused_and_spends_nothing(
    laid: Path, tmp_path: Path, said: dict[str, Any], code: str | None
) -> None:
    if code is None:  # a period without facts is drafted: that nobody came is no secret worth a refusal
        made = drafted(laid, **said)
        assert {one.rows for one in made.tables if one.name != "totals"} == {0}
        return
    before = budget.accounts(laid, RICH)
    with pytest.raises(Refused) as refused:
        drafted(laid, **said)
    assert refused.value.code == code
    assert budget.accounts(laid, RICH) == before
    with pytest.raises(Refused) as refused:
        drafted(tmp_path)
    assert refused.value.code == "no_facts"
    assert not budget.accounts(tmp_path, RICH)


def _files(data: Path, made: Draft) -> Sequence[Path]:
    return sorted((draft.folder(data) / made.id).iterdir())
