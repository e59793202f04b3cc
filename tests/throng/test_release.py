"""`throng release`: what somebody at a terminal asks for, sees, and is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.throng.conftest import Throng
from tests.warehouse.crowd import lay
from warehouse.checks import drafts as checks
from warehouse.draft import read
from warehouse.drawn import SCHEMA
from warehouse.followed import Followed, Told


@pytest.mark.requirement("S9")
def test_a_draft_from_its_price_to_its_numbers(throng: Throng, tmp_path: Path) -> None:
    data = tmp_path / "data"
    lay(data, [{"person": n, "time": f"2026-01-{1 + n % 28:02} 12:00"} for n in range(1, 261)])
    (data / "throng.toml").write_text(
        '[[site]]\nid = "market"\naliases = ["The Market"]\n[release]\nrho_draft = 5.0\nrho_month = 8.0\n'
        "rho_year = 90.0\nshares = { referrers = 0.0, research = 0.0 }\n"
    )
    asked = ("release", "draft", "investors", "--period", "2026-01")
    said = throng(*asked, "--price")
    assert said.code == 0
    assert "rho 5.0000 of each of 2026-01" in said.out
    assert "referrers" not in said.out
    assert throng("release", "budget").out.splitlines()[1:2] == [""], "nothing is spent"
    made = throng(*asked, "--site", "the market", "--format", "json")
    assert made.code == 0, made.err
    name = json.loads(made.out)["id"]
    assert throng(*asked).out.splitlines()[0].split()[-1] == name, "the same again"
    assert name in throng("release", "list").out
    shown = throng("release", "show", name, "--table", "growth", "--format", "json")
    (row,) = json.loads(shown.out)
    assert row["known_low"] <= row["known"] <= row["known_high"]
    assert abs(row["known"] - 260) < 60, "sixteen times the noise"
    said = throng("release", "budget").out
    assert "has no epsilon" in said
    budget = said.splitlines()[1].split()
    assert budget[:5] == ["market", "2026-01", "8", "5.0000", "3.0000"]
    assert budget[6:] == ["0", "100,000", name, "5.0000"], "nothing has left beside it"
    refused = throng(*asked, "--again")
    assert (refused.code, "3.0000 of 8 is left" in refused.err) == (1, True)
    assert throng("release", "show", name, "--table", "people").code == 1
    assert throng("release", "show", "../elsewhere").code == 1
    assert throng("release", "draft", "investors", "--period", "2026-13").code == 1
    # What the suite over drafts asks of any, this one answers.
    control = checks.control(data, read(data, name))
    assert {key for row in control for key, n in row.items() if key != "table" and n} == set()


def test_the_account_of_funnels_is_listed_beside_that_of_packs(throng: Throng, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "throng.toml").write_text("[warehouse]\nfunnel_rho_month = 0.1\n")
    assert "unnels" not in throng("release", "budget").out, "nothing was asked"
    account = Followed(data, 0.02, 0.1)
    for question, months in (("a", ["2026-01"]), ("b", ["2026-01", "2026-02"])):
        account.keep(question, "market", months, Told(0.0, 31, SCHEMA.empty_table()))
    said = throng("release", "budget").out.splitlines()
    assert [line.split() for line in said[-2:]] == [
        ["market", "2026-01", "0.1", "0.0400", "0.0600", "1.44", "2"],
        ["market", "2026-02", "0.1", "0.0200", "0.0800", "1.00", "1"],
    ]
    listed = json.loads(throng("release", "budget", "--format", "json").out)
    assert listed["packs"] == []
    assert [one["spent"] for one in listed["funnels"]] == [0.04, 0.02]
