"""Packs: what is shipped, what is refused, and which requirement stands where."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack, Packs, Use, load
from consent_filter.promises import requirements
from consent_filter.purpose import BY_NAME
from consent_filter.site import Site

#: What is sent to people, and not shown on pages.
WRITTEN = ("marketing_", "affiliate_", "referral")
SHIPPED = ["workallies-2024", "worktasker-2014"]
#: Requirements that a pack can fulfil by what it says, and the packs whose text asks for them.
REQUIRED = {id: list(one.packs) for id, one in requirements().items() if one.packs}


def table(name: str) -> dict[str, Any]:
    return tomllib.loads((files("consent_filter") / "packs" / f"{name}.toml").read_text())


def look_up(pack: Pack, key: str) -> Any:
    """The value of a dotted key, defaults included."""
    value: Any = pack
    for part in key.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    return value


@pytest.mark.parametrize("name", SHIPPED)
def test_each_rule_of_a_pack_names_a_key_that_is_there(name: str) -> None:
    pack = load(name)
    for rule in pack.rules:
        look_up(pack, rule.by)
        assert re.fullmatch(r"M\d+", rule.requirement)
        assert rule.says
    assert len({rule.requirement for rule in pack.rules}) == len(pack.rules)


def test_each_requirement_is_bound_to_a_rule_of_each_pack_that_it_is_asked_of() -> None:
    found: dict[str, list[str]] = {}
    for name in SHIPPED:
        for rule in load(name).rules:
            found.setdefault(rule.requirement, []).append(name)
    assert found == REQUIRED


@pytest.mark.requirement("M4")
def test_all_packs_that_ship_are_here() -> None:
    packs = files("consent_filter") / "packs"
    assert sorted(p.name.removesuffix(".toml") for p in packs.iterdir()) == SHIPPED
    assert [load(name).name for name in SHIPPED] == SHIPPED
    assert Site(id="any").pack in SHIPPED


@pytest.mark.requirement("M1", "M31", "M67", "M75", "M107")
@pytest.mark.parametrize("name", SHIPPED)
def test_what_a_shipped_pack_must_say(name: str) -> None:
    """The promises that no edit of a pack may break unnoticed."""
    pack = load(name)
    for country in [*pack.groups["EEA"], "GB", "CH", "NO", "IS", "LI", "RE", "ZZ"]:
        assert pack.regime(country) == "opt_in", country
    assert len(pack.groups["EEA"]) == 30
    assert pack.regime("US") == "opt_out"
    assert pack.regime("NG") == pack.regime("XX") == "notice"
    strict = pack.regimes["opt_in"]
    # M1: use of the site grants nothing; CNIL: only measurement is exempt, and adverts are outside.
    assert not any(use.default for use in strict.purposes.values())
    assert [purpose for purpose, use in strict.purposes.items() if use.cookieless] == ["measurement"]
    # standards 1.9: a hard opt-out takes back everything that needs an identifier; counting goes on.
    for signal in ("gpc", "dnt"):
        gone = {purpose for purpose in strict.purposes if not purpose.startswith(WRITTEN)}
        assert set(strict.signals[signal].denies) == gone
        assert not strict.signals[signal].ends
    for regime in pack.regimes.values():
        # M107: targeting and sharing end; the first party's own counting does not, outside opt-in.
        for purpose in ("ad_personalisation", "remarketing", "third_party"):
            assert purpose in regime.signals["gpc"].denies or purpose not in regime.purposes
        # M67, M73: marketing is never a default, and no row is for security (M44: a store of its own).
        assert not any(regime.purposes[p].default for p in regime.purposes if p.startswith(WRITTEN[:2]))
        assert "security" not in regime.purposes
    assert pack.order[0] == "ledger"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_tc_string_means_the_same_in_whatever_it_comes(name: str) -> None:
    for regime in load(name).regimes.values():
        assert regime.signals["gpp"] == regime.signals["tcf"]
        assert set(regime.signals["usp"].denies) <= set(regime.signals["gpp"].denies)


@pytest.mark.requirement("M51", "M106")
def test_the_packs_differ_where_the_texts_do() -> None:
    new, old = (load(name) for name in SHIPPED)
    # "We do not honor" Do Not Track, says one; the other leaves it to the browser.
    assert new.regimes["notice"].signals["dnt"].denies == ()
    assert old.regimes["notice"].signals["dnt"].denies != ()
    # Remarketing, research, third parties and GPS are in the older text only; SMS in the newer.
    for purpose in ("remarketing", "research", "third_party", "precise_geo", "marketing_account"):
        assert purpose in old.regimes["notice"].purposes
        assert purpose not in new.regimes["notice"].purposes
    assert "marketing_sms" in new.regimes["notice"].purposes
    assert "marketing_sms" not in old.regimes["notice"].purposes


def change(name: str, path: str, value: Any) -> dict[str, Any]:
    """A shipped pack with one key set."""
    whole = table(name)
    *parents, last = path.split(".")
    place = whole
    for parent in parents:
        place = place[parent]
    place[last] = value
    return whole


WRONG = [
    ("otherwise", "elsewhere", "otherwise"),
    ("order", ["ledger", "choice", "gpc"], "order"),
    ("order", ["ledger", "choice", "gpc", "gpc"], "order"),
    ("facts_days", 761, "facts_days"),
    ("facts_days", 0, "facts_days"),
    ("unheard_of", 1, "unheard_of"),
    ("regimes.opt_in.kind", "opt-in", "regime.kind"),
    ("regimes.opt_in.refusal", "keep", "regime.refusal"),
    ("regimes.opt_in.countries", ["EEA", "US"], "countries"),
    ("regimes.opt_in.countries", ["EUROPE"], "countries"),
    ("regimes.opt_in.countries", ["de"], "countries"),
    ("regimes.opt_in.purposes.measurement", {"basis": "consent", "default": True}, "measurement"),
    ("regimes.opt_in.purposes.measurement", {"basis": "notice"}, "measurement"),
    ("regimes.notice.purposes.measurement", {"basis": "habit"}, "basis"),
    ("regimes.notice.purposes.measurement", {"basis": "notice", "cookieless": "why not"}, "cookieless"),
    ("regimes.notice.purposes.measurement", {"basis": "notice", "defualt": True}, "defualt"),
    ("regimes.notice.purposes.profiling", {"basis": "notice"}, "purposes"),
    ("regimes.notice.signals.gpc", {"denies": ["everything"]}, "denies"),
    ("regimes.notice.signals.choice", {"denies": []}, "signals"),
    ("regimes.notice.signals", {}, "signals"),
]


@pytest.mark.requirement("M66")
@pytest.mark.parametrize(
    ("path", "value", "says"), WRONG, ids=[f"{path} {value}" for path, value, _ in WRONG]
)
def test_a_pack_that_is_wrong_is_refused_by_the_key_that_is(path: str, value: Any, says: str) -> None:
    changed = change("workallies-2024", path, value)
    with pytest.raises((Misconfigured, msgspec.ValidationError), match=says):
        msgspec.convert(changed, Pack)


def test_a_refused_pack_says_where_it_was_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"site\.pack = 'nowhere'"):
        load("nowhere")
    with pytest.raises(Misconfigured, match=r"site\.pack"):
        load(str(tmp_path / "nowhere.toml"))
    own = tmp_path / "own.toml"
    for text in (b"name = ", b"\xff", b'name = "own"\n'):
        own.write_bytes(text)
        with pytest.raises(Misconfigured, match=r"site\.pack"):
            load(str(own))


def test_an_operators_own_pack_is_loaded_by_path(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    own.write_text(text.replace('name = "workallies-2024"', 'name = "own"'))
    assert load(str(own)).name == "own"


def test_packs_are_found_by_site_and_loaded_once() -> None:
    sites = {id: Site(id=id, pack=pack) for id, pack in zip("abc", [*SHIPPED, SHIPPED[0]], strict=True)}
    packs = Packs(sites)
    assert packs["a"] is packs["c"]
    assert packs["b"].name == "worktasker-2014"
    assert list(packs) == ["a", "b", "c"]
    assert len(packs) == 3
    with pytest.raises(KeyError):
        packs["d"]
    with pytest.raises(Misconfigured):
        Packs({"a": Site(id="a", pack="nowhere")})


def test_a_purpose_is_spoken_of_by_its_name_only() -> None:
    with pytest.raises(Misconfigured, match="basis"):
        Use(basis="")
    assert {p for name in SHIPPED for r in load(name).regimes.values() for p in r.purposes} < set(BY_NAME)
