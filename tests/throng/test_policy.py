"""`throng policy`, as its user runs it."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from consent_filter import policy_text
from consent_filter.fields import FIELDS, MODES
from tests.consent_filter.test_policy_faults import WORSE
from tests.throng.conftest import Throng

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A pack of the operator's own: a shipped one, kept for a shorter time."""
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    file = tmp_path / "own.toml"
    file.write_text(text.replace("facts_days = 760", "facts_days = 700"))
    return file


def test_diff_of_the_same_is_nothing(throng: Throng) -> None:
    said = throng("policy", "diff", "workallies-2024", "workallies-2024")
    assert (said.code, said.out) == (0, "nothing changes\n")


def test_diff_says_what_is_significant_and_who_is_asked_again(throng: Throng) -> None:
    said = throng("policy", "diff", "worktasker-2014", "workallies-2024")
    assert said.code == 0
    assert said.out.startswith("significant: ")
    assert "\n  kept_longer         facts_days: 395 → 760\n" in said.out
    assert "\n  region_added        transfers: nothing → US\n" in said.out
    assert "facts_days: 395 → 760\n" in said.out
    assert (
        "regimes.opt_out.signals.dnt.denies: personalisation, ad_personalisation → nothing (CA, US)"
        in said.out
    )
    assert "\nto be asked again, by regime:\n  opt_in  " in said.out


def test_diff_as_json(throng: Throng, own: Path) -> None:
    said = throng("policy", "diff", str(own), "workallies-2024", "--format", "json")
    found = json.loads(said.out)
    assert set(found) == {"old", "new", "version_stands", "changes", "reset"}
    assert found["new"] == {"name": "workallies-2024", "version": "1"}
    assert found["changes"] == [
        {
            "what": "kept_longer",
            "where": "facts_days",
            "before": "700",
            "after": "760",
            "significant": True,
            "regime": "",
            "countries": [],
            "purposes": [],
        }
    ]
    assert set(found["reset"]) == {"opt_in", "opt_out", "notice"}


def test_a_changed_policy_of_the_same_version_is_wrong(throng: Throng, own: Path) -> None:
    said = throng("policy", "diff", "workallies-2024", str(own))
    assert said.code == 1
    assert "kept_shorter" in said.out
    assert "to be asked again" not in said.out
    assert said.out.endswith("workallies-2024 is still version 1: a changed policy needs a new one\n")
    own.write_text(own.read_text().replace('version = "1"', 'version = "2"'))
    assert throng("policy", "diff", "workallies-2024", str(own)).code == 0


def test_a_pack_that_is_not_there_is_asked_wrongly(throng: Throng) -> None:
    assert throng("policy", "diff", "workallies-2024", "nowhere").code == 2
    assert throng("policy").code == 2


def test_promises_is_the_page_of_the_docs(throng: Throng) -> None:
    said = throng("policy", "promises", "--root", str(ROOT))
    assert (said.code, said.err) == (0, "")
    assert said.out == (ROOT / "docs/promises.md").read_text()


def test_promises_with_when_they_were_proved(throng: Throng, tmp_path: Path) -> None:
    run, out = tmp_path / "run.json", tmp_path / "page.md"
    run.write_text(
        '{"tests/test_promises.py::test_the_page_is_what_would_be_made": ["2026-11-24 03:00", "abc"]}'
    )
    said = throng("policy", "promises", "--root", str(ROOT), "--run", str(run), "--out", str(out))
    assert (said.code, said.out) == (0, "")
    assert "| tests | last passing run |\n" in out.read_text()
    run.write_text("[]")
    assert throng("policy", "promises", "--root", str(ROOT), "--run", str(run)).code == 2


def test_promises_as_json(throng: Throng) -> None:
    said = json.loads(throng("policy", "promises", "--root", str(ROOT), "--format", "json").out)
    assert len(said) == 155
    assert {one["status"] for one in said} == {"kept", "in part", "open", "elsewhere"}


def test_promises_needs_a_checkout_and_says_what_is_broken(throng: Throng, tmp_path: Path) -> None:
    assert "--root" in throng("policy", "promises", "--root", str(tmp_path)).err
    (tmp_path / "tests").mkdir()
    said = throng("policy", "promises", "--root", str(tmp_path))
    assert said.code == 1
    assert "throng: M2 is said to be kept and lacks a test: Every event carries" in said.err


def test_lint_looks_at_the_packs_that_ship_or_are_in_use(throng: Throng, tmp_path: Path) -> None:
    said = throng("policy", "lint")
    assert said.code == 0
    assert said.out.startswith("workallies-2024: 5 found\n  warning transfer_lapsed ")
    assert "\nworktasker-2014: 3 found\n" in said.out
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "throng.toml").write_text('[[site]]\nid = "shop"\npack = "worktasker-2014"\n')
    said = throng("policy", "lint")
    assert said.out.startswith("worktasker-2014: 3 found\n")
    assert "workallies" not in said.out


def test_lint_of_a_text_and_of_a_pack(throng: Throng, tmp_path: Path, own: Path) -> None:
    text = tmp_path / "policy.txt"
    text.write_text("Welcome.\n\nBy continuing, you consent.\n")
    said = throng("policy", "lint", str(text), str(own), "--format", "json")
    assert said.code == 1
    found = json.loads(said.out)
    assert found[str(text)][0] | {"why": ""} == {
        "code": "consent_by_use",
        "severity": "error",
        "where": "line 3",
        "says": "by continuing, you consent.",
        "why": "",
    }
    assert {one["code"] for one in found[str(own)]} == {"of_the_text", "transfer_lapsed"}
    assert "  error   consent_by_use" in throng("policy", "lint", str(text)).out


def test_lint_of_a_pack_that_does_not_load_is_a_finding(throng: Throng, own: Path) -> None:
    own.write_text(
        own.read_text().replace(
            'marketing_email = { basis = "consent" }',
            'marketing_email = { basis = "consent", default = true }',
            1,
        )
    )
    said = throng("policy", "lint", str(own))
    assert said.code == 1
    assert "  error   refused                  regime.purposes.marketing_email\n" in said.out
    assert throng("policy", "lint", "nowhere").code == 2
    assert throng("policy", "lint", "nowhere.txt").code == 2


def test_every_fault_is_in_the_docs() -> None:
    page = (ROOT / "docs/policy.md").read_text()
    text = {one.code for one in (*policy_text.SAID, *policy_text.UNSAID)} | {
        "card_contradiction",
        "many_names",
    }
    packs = {code for _, _, code, _ in WORSE} | {"refused", "of_the_text"}
    of_a_text, of_a_pack = (set(re.findall(r"`(\w+)`", part)) for part in page.split("| of a ")[1:])
    assert of_a_text == text
    assert of_a_pack & (packs | text) == packs


@pytest.mark.requirement("M41")
def test_fields_is_the_page_of_the_docs(throng: Throng, tmp_path: Path) -> None:
    said = throng("policy", "fields")
    assert said.code == 0
    assert said.out == (ROOT / "docs/fields.md").read_text(), "make promises"
    out = tmp_path / "page.md"
    assert throng("policy", "fields", "--out", str(out)).code == 0
    assert out.read_text() == said.out


@pytest.mark.requirement("M41")
def test_every_column_names_how_it_comes_its_basis_its_time_and_who_gets_it(throng: Throng) -> None:
    said = json.loads(throng("policy", "fields", "--format", "json").out)
    by = {one["name"]: one for one in said}
    assert set(by) == {field.name for field in FIELDS}
    assert {one["mode"] for one in said} == set(MODES)
    for one in said:
        assert one["stored"] == (one["days"] is not None)
        if one["stored"]:
            assert one["purposes"]
            assert set(one["days"]) == {"workallies-2024", "worktasker-2014"}
            # Purposes that not every pack names.
            alone = one["name"] in ("gender", "cell", "place")
            assert alone or all(one["basis"][pack] for pack in one["days"])
            assert bool(one["reports"]) == bool(one["recipients"]["workallies-2024"])
    assert by["cell"]["basis"]["worktasker-2014"] == {
        "precise_geo": dict.fromkeys(("opt_in", "opt_out", "notice"), "consent")
    }
    assert by["cell"]["basis"]["workallies-2024"] == {}
    assert by["cell"]["reports"] == ["places"]
    assert by["device"]["basis"]["workallies-2024"]["measurement"]["opt_in"] == "consent, else exempt"
    assert by["region"]["basis"]["workallies-2024"]["measurement"]["opt_in"] == "consent"
    assert set(by["event_id"]["days"]["workallies-2024"].values()) == {2}
    assert by["region"]["days"]["workallies-2024"] == {"opt_in": 90, "opt_out": 180, "notice": 180}
    assert by["gender"]["days"]["workallies-2024"] == {}
