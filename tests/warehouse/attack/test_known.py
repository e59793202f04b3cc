"""What a recipient knows is remembered, and nothing too small may follow from one more delivery (S8)."""

from __future__ import annotations

import hashlib
import math
import random
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from throng.main import main
from warehouse import draft as drafts
from warehouse.attack.drafts import attack_draft, of_draft
from warehouse.attack.membership import advantage, allowed, shadow
from warehouse.draft import Draft, Number, Table
from warehouse.known import Figures, file

ZONES = {"shop": "Europe/Berlin"}


def draft(
    data: Path, id: str, tables: Mapping[str, list[dict[str, Any]]], scale: float = 30.0, **said: Any
) -> Draft:
    """A draft whose rows are these; one person adds one to a number."""
    made = []
    where = drafts.folder(data) / id
    where.mkdir(parents=True)
    for name, rows in tables.items():
        keys = tuple(key for key in rows[0] if key != "people")
        full = [row | {"people_low": row["people"] - 50, "people_high": row["people"] + 50} for row in rows]
        pq.write_table(pa.Table.from_pylist(full), where / f"{name}.parquet")
        sha = hashlib.sha256((where / f"{name}.parquet").read_bytes()).hexdigest()
        number = Number(name="people", says="people", most=1, scale=scale, clipped=0.0)
        made.append(
            Table(name=name, title=name, doc="", method="", purpose="measurement", keys=keys,
                  numbers=(number,), rows=len(rows), held_back=0, cells=1, least=50,
                  rho=said.get("rho", 1 / (2 * scale**2) if scale else 1.0), delta=0.0, sha256=sha)
        )  # fmt: skip
    one = Draft(id=id, audience="investors", period="2026-09", sites=("shop",), made_at=0.0, confidence=0.95,
                tables=tuple(made))  # fmt: skip
    drafts.write(data, one)
    return one


def month(people: int, **more: Any) -> list[dict[str, Any]]:
    return [{"site": "shop", "month": "2026-09"} | more | {"people": people}]


@pytest.mark.requirement("S8")
def test_a_complement_delivered_later_is_refused_to_who_has_the_rest(tmp_path: Path) -> None:
    """Little noise, so that it is the figures that tell: everyone to one, and all but a few to another."""
    draft(tmp_path, "whole", {"growth": month(1000)}, scale=3)
    draft(tmp_path, "part", {"countries": month(970, country="DE")}, scale=3)
    whole, part = of_draft(tmp_path, "whole", ZONES), of_draft(tmp_path, "part", ZONES)
    with Figures.open(tmp_path) as figures:
        assert figures.would(["fund"], whole["growth"], 50) == []
        assert figures.note("fund", "whole", whole["growth"]) == 1
        assert figures.note("fund", "whole", whole["growth"]) == 0
        assert figures.would(["angel"], part["countries"], 50) == []
        (found,) = figures.would(["fund"], part["countries"], 50)
        assert "countries" in found.report
        assert "growth" in found.report
        # Who may talk has it together; and what can't go together goes in part.
        assert figures.would(["angel", "fund"], part["countries"], 50)
        kept, why = figures.fitting(["angel"], {**whole, **part}, 50)
        assert kept == ["growth"]
        assert why
    with Figures.open(tmp_path) as figures:
        assert figures.held(["fund"]) == whole["growth"]


@pytest.mark.requirement("S8")
def test_a_day_of_another_time_zone_is_other_hours(tmp_path: Path) -> None:
    rows = [{"site": "shop", "day": "2026-09-01", "people": 1000}]
    draft(tmp_path, "berlin", {"days": rows}, scale=3)
    berlin = of_draft(tmp_path, "berlin", ZONES)["days"]
    utc = of_draft(tmp_path, "berlin", {})["days"]
    assert utc[0].begins - berlin[0].begins == 2
    with Figures.open(tmp_path) as figures:
        figures.note("fund", "berlin", berlin)
        assert figures.would(["fund"], utc, 50) == []  # shifted: neither is in the other


@pytest.mark.requirement("S8")
def test_noise_that_covers_a_difference_is_enough(tmp_path: Path) -> None:
    draft(tmp_path, "whole", {"growth": month(1000), "countries": month(970, country="DE")}, scale=30)
    tables = of_draft(tmp_path, "whole", ZONES)
    with Figures.open(tmp_path) as figures:
        kept, why = figures.fitting(["fund"], tables, 50)
        assert (kept, why) == (["growth", "countries"], [])


def test_what_was_delivered_stays_delivered(tmp_path: Path) -> None:
    draft(tmp_path, "whole", {"growth": month(1000)})
    with Figures.open(tmp_path) as figures:
        figures.note("fund", "whole", of_draft(tmp_path, "whole", ZONES)["growth"])
    with sqlite3.connect(file(tmp_path)) as database:
        for statement in ("DELETE FROM figures", "UPDATE figures SET recipient = 'angel'"):
            with pytest.raises(sqlite3.IntegrityError):
                database.execute(statement)


@pytest.mark.requirement("S19")
@pytest.mark.parametrize(
    ("said", "stopped"),
    [
        ({"scale": 30.0}, ""),
        ({"scale": 0.0}, "is exact"),
        ({"scale": 3.0, "rho": 1 / 1800}, "less than what was spent"),
        ({"scale": 0.5}, "nearly for sure"),
    ],
    ids=["safe", "exact", "less noise than is said", "too little noise"],
)
def test_a_draft_with_too_little_noise_may_not_go(
    said: dict[str, Any], stopped: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft(tmp_path, "one", {"growth": month(1000)}, **said)
    found = attack_draft(tmp_path, "one")
    assert [stopped in one.says for one in found.stopping] == [True] * bool(stopped)
    assert main(["release", "attack", "one", "--data", str(tmp_path)]) == bool(stopped)
    assert stopped in capsys.readouterr().out


@pytest.mark.requirement("S8")
def test_the_command_says_what_would_follow_and_what_may_go(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft(tmp_path, "both", {"growth": month(1000), "countries": month(970, country="DE")}, scale=3)
    ask = ["release", "explain", "both", "--to", "fund", "--data", str(tmp_path)]
    assert main(ask) == 1
    said = capsys.readouterr().out
    assert "left out   countries" in said
    assert "may go     growth" in said
    assert "+ people of growth" in said
    assert main([*ask, "--format", "json"]) == 1
    assert not file(tmp_path).read_bytes().count(b"growth"), "asked is not delivered"


@pytest.mark.requirement("S19")
def test_nobody_can_tell_better_than_the_noise_allows() -> None:
    """A person in or out, over many draws: the best threshold is no better than the bound."""
    chance, scale = random.Random(4), 2.0
    inside = [chance.gauss(101, scale) for _ in range(4000)]
    outside = [chance.gauss(100, scale) for _ in range(4000)]
    mu = 1 / scale
    assert shadow(inside, outside) <= advantage(mu) + 0.04
    assert shadow(inside, outside) >= advantage(mu) - 0.04
    # What (ε, δ) of the same cost (zCDP) allows is more.
    rho, delta = mu**2 / 2, 1e-6
    assert advantage(mu) <= allowed(rho + 2 * math.sqrt(rho * math.log(1 / delta)), delta)
