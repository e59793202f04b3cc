"""What is significant in a change of policy, and that nothing laxer is ever called minor."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consent_filter.decide import NO_WORD, Laws, Word, decide
from consent_filter.policy import Pack, Use, load
from consent_filter.policy_change import changes, reset
from consent_filter.purpose import names
from tests.consent_filter import strings
from tests.consent_filter.rows import batch
from tests.consent_filter.test_decide import everything_at_once, packs, spoken
from tests.consent_filter.test_policy import SHIPPED, change

OLD = load("workallies-2024")


def changed(path: str, value: Any) -> Pack:
    return msgspec.convert(change("workallies-2024", path, value), Pack)


EEA, OPT_OUT, NOTICE = "regimes.opt_in", "regimes.opt_out", "regimes.notice"
TARGETING = "ad_personalisation"
AGREED = {"basis": "consent"}
SIGNIFICANT = [
    (f"{EEA}.purposes.research", AGREED, "purpose_added", {"opt_in": ("research",)}),
    ("recipients", ["analysts", "investors", "advertisers", "brokers"], "recipient_added", None),
    (f"{NOTICE}.purposes.ad_personalisation", {**AGREED, "default": True}, "default_on", [TARGETING]),
    (f"{NOTICE}.purposes.marketing_sms", {"basis": "notice"}, "basis_not_consent", ["marketing_sms"]),
    (f"{EEA}.purposes.{TARGETING}", {**AGREED, "cookieless": "exempt"}, "exempt_now", [TARGETING]),
    (f"{OPT_OUT}.signals.gpc.denies", ["personalisation"], "signal_denies_less", [TARGETING]),
    (f"{OPT_OUT}.signals.usp.grants", ["marketing_sms"], "signal_grants_more", ["marketing_sms"]),
    (f"{OPT_OUT}.kind", "notice", "kind_laxer", None),
    ("regulated", "", "regulated", None),
    ("conflict", "specific", "conflict", None),
    ("tcf_vendor", 7, "tcf_vendor", None),
    (f"{NOTICE}.purposes.measurement.balancing", "", "balancing_removed", ["measurement"]),
    ("age", None, "age_laxer", None),
    ("age.minimum", 16, "age_laxer", None),
    ("age.unknown_denies", ["personalisation"], "age_laxer", None),
]  # fmt: skip
MINOR = [
    ("recipients", ["analysts", "investors"], "recipient_removed"),
    ("facts_days", 30, "kept_shorter"),
    ("identifier_days", 30, "known_shorter"),
    ("age.minimum", 21, "age_stricter"),
    ("version", "2", "version"),
    ("warnings", [], "warnings"),
    ("order", [*reversed(OLD.order)], "order"),
    (f"{NOTICE}.purposes.measurement", {"basis": "notice", "default": True}, "basis"),
    (f"{NOTICE}.purposes.measurement.default", False, "default_off"),
    (f"{NOTICE}.purposes.ad_measurement.basis", "consent", "basis"),
    (f"{NOTICE}.purposes.measurement.balancing", "It was weighed anew.", "balancing"),
    ("aliases", ["Market", "The Market"], "aliases"),
    (f"{EEA}.purposes.measurement", AGREED, "cookieless"),
    (f"{OPT_OUT}.signals.dnt.denies", ["measurement"], "signal_denies_more"),
    (f"{OPT_OUT}.signals.gpc.ends", True, "signal_ends_more"),
    (f"{OPT_OUT}.refusal", "drop", "refusal"),
]


def ids(cases: list[Any]) -> list[str]:
    return [f"{what} {path}" for path, _, what, *_ in cases]


@pytest.mark.requirement("M123")
@pytest.mark.parametrize(("path", "value", "what", "again"), SIGNIFICANT, ids=ids(SIGNIFICANT))
def test_what_may_do_more_is_significant(path: str, value: Any, what: str, again: Any) -> None:
    new = changed(path, value)
    found = changes(OLD, new)
    assert [(one.what, one.significant) for one in found] == [(what, True)]
    if isinstance(again, list):
        again = {path.split(".")[1]: tuple(again)}
    elif again is None:  # everything, where it is said of everybody; else of the one regime
        where = [path.split(".")[1]] if path.startswith("regimes.") else [*new.regimes]
        again = {name: (*new.regimes[name].purposes,) for name in where}
    assert reset(OLD, new) == again


@pytest.mark.requirement("M123")
@pytest.mark.parametrize(("path", "value", "what"), MINOR, ids=ids(MINOR))
def test_all_else_is_minor_and_resets_nothing(path: str, value: Any, what: str) -> None:
    new = changed(path, value)
    assert [(one.what, one.significant) for one in changes(OLD, new)] == [(what, False)]
    assert reset(OLD, new) == {}


def test_a_longer_time_is_significant() -> None:
    found = changes(changed("facts_days", 759), OLD)
    assert [(one.what, one.before, one.after) for one in found] == [("kept_longer", "759", "760")]
    assert found[0].significant


def test_an_order_is_significant_where_an_earlier_grant_stands() -> None:
    old = changed("conflict", "specific")
    new = msgspec.structs.replace(old, order=tuple(reversed(old.order)))
    assert [(one.what, one.significant) for one in changes(old, new)] == [("order", True)]


def test_a_country_that_moves_has_the_changes_of_its_regimes_and_others_none() -> None:
    new = changed("groups.SWISS", ["LI"])  # one that stays, so that only Switzerland goes
    found = changes(OLD, new)
    assert {(one.regime, one.countries) for one in found} == {("notice", ("CH",))}
    codes = {one.what for one in found if one.significant}
    assert {"kind_laxer", "default_on", "basis_not_consent"} <= codes
    assert {*reset(OLD, new)} == {"notice"}
    back = changes(new, OLD)
    assert {(one.regime, one.countries) for one in back} == {("opt_in", ("CH",))}
    assert "kind_laxer" not in {one.what for one in back}


@pytest.mark.requirement("M123")
def test_a_regime_that_signals_lead_to_is_compared_with_those_that_people_come_from() -> None:
    """Somebody who had no purpose at all, and whose signals agree, is measured under the new one."""
    agreement, replace = OLD.regimes["opt_in"], msgspec.structs.replace
    for purposes, significant in (({}, True), (agreement.purposes, False)):
        alike = {"kind": "opt_in", "signals": agreement.signals, "purposes": purposes}
        regimes = {name: replace(one, **alike) for name, one in OLD.regimes.items()}
        new = replace(OLD, regimes={**regimes, "opt_in": agreement})
        found = changes(replace(new, regulated=""), new)
        assert [(one.what, one.significant) for one in found] == [("regulated", significant)]


def test_a_regime_may_be_renamed() -> None:
    text = (files("consent_filter") / "packs" / "workallies-2024.toml").read_text()
    text = text.replace("regimes.notice", "regimes.elsewhere").replace(
        'otherwise = "notice"', 'otherwise = "elsewhere"'
    )
    new = msgspec.convert(tomllib.loads(text), Pack)
    assert {one.what for one in changes(OLD, new)} == {"moved", "rules"}
    assert reset(OLD, new) == {}


def test_the_two_that_ship() -> None:
    older, newer = load("worktasker-2014"), load("workallies-2024")
    codes = {one.what for one in changes(older, newer) if one.significant}
    assert codes == {"kept_longer", "purpose_added", "region_added", "signal_denies_less"}
    codes = {one.what for one in changes(newer, older) if one.significant}
    assert codes >= {"recipient_added", "purpose_added", "default_on", "basis_not_consent"}


# Of any packs.


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_does_not_differ_from_itself(name: str) -> None:
    assert changes(load(name), load(name)) == []


@given(packs())
def test_a_pack_does_not_differ_from_itself(pack: Pack) -> None:
    assert changes(pack, pack) == []
    assert reset(pack, pack) == {}


@settings(max_examples=60)
@given(packs(), packs())
def test_there_and_back_are_the_same_keys(one: Pack, other: Pack) -> None:
    there, back = changes(one, other), changes(other, one)
    keys, again = ({re.sub(r"^regimes\.\w+", "", change.where) for change in way} for way in (there, back))
    assert keys == again  # but for the regime, which is the one that holds then
    affected = {purpose for change in there if change.significant for purpose in change.purposes}
    asked = {purpose for purposes in reset(one, other).values() for purpose in purposes}
    assert affected <= asked
    assert not asked or any(change.significant for change in there)


@given(packs(), st.sampled_from(["here", "there"]), st.data())
def test_a_purpose_that_is_added_is_significant_there(pack: Pack, name: str, data: st.DataObject) -> None:
    regime = pack.regimes[name]
    if not regime.purposes:
        return
    purpose = data.draw(st.sampled_from(sorted(regime.purposes)))
    fewer = {key: use for key, use in regime.purposes.items() if key != purpose}
    less = msgspec.structs.replace(regime, purposes=fewer)
    old = msgspec.structs.replace(pack, regimes={**pack.regimes, name: less})
    assert reset(old, pack) == {name: (purpose,)}
    assert reset(pack, old) == {}


PLATFORMS = [{"gcs": "G111"}, {"gcs": "G100"}, {"usp": "1YNN"}, {"tcf": strings.EVERYTHING, "gdpr": 1}]
RANK = {"drop": 0, "count": 0, "cookieless": 1, "identified": 2}


@settings(max_examples=60)
@given(packs(), packs())
def test_what_is_stricter_is_not_called_significant(old: Pack, new: Pack) -> None:
    assert not any(change.significant for change in changes(old, without_the_significant(old, new)))


@pytest.mark.requirement("M123")
@settings(max_examples=150)
@given(packs(), packs(), st.sampled_from([NO_WORD, Word(9, 0), Word(8, 1), Word(0, 8)]), st.data())
def test_what_is_minor_allows_nothing_that_was_not_allowed(
    old: Pack, other: Pack, word: Word, data: st.DataObject
) -> None:
    """One thing is as another pack has it: either that is significant, or no event has more than it had."""
    new = with_one_thing_of(other, old, data)
    if any(change.significant for change in changes(old, new)):
        return
    rows = everything_at_once()
    rows += [row._replace(consent=json.dumps(said).encode()) for row in rows[::7] for said in PLATFORMS]
    said = spoken(rows, [word] * len(rows))
    was, now = (decide(batch(rows), said, Laws({"eu": p, "us": p})).verdict.rows() for p in (old, new))
    for before, after in zip(was, now, strict=True):
        assert RANK[after.treatment] <= RANK[before.treatment]
        if after.treatment == "identified":
            assert {*names(after.granted)} <= {*names(before.granted)}


def with_one_thing_of(other: Pack, pack: Pack, data: st.DataObject) -> Pack:
    """The pack with one purpose, one signal or one key of another."""
    name = data.draw(st.sampled_from(sorted(pack.regimes)))
    what = data.draw(st.sampled_from(["purposes", "purposes", "signals", "conflict", "regulated"]))
    if what not in ("purposes", "signals"):
        return msgspec.structs.replace(pack, **{what: getattr(other, what)})
    mine, others = (getattr(one.regimes[name], what) for one in (pack, other))
    if not others:
        return pack
    needed = sorted(others.keys() & {"measurement", "ad_measurement"})
    key = data.draw(st.sampled_from(needed or sorted(others)))
    taken = others[key]
    if what == "purposes" and pack.regimes[name].kind == "opt_in":
        taken = Use(basis="consent", cookieless=taken.cookieless)
    regime = msgspec.structs.replace(pack.regimes[name], **{what: {**mine, key: taken}})
    return msgspec.structs.replace(pack, regimes={**pack.regimes, name: regime})


def without_the_significant(old: Pack, new: Pack) -> Pack:
    """The new pack as far as it is stricter: written without looking at how changes are found."""
    regimes = {}
    for name, regime in new.regimes.items():
        was = old.regimes[name]
        uses = {}
        for purpose in regime.purposes.keys() & was.purposes.keys():
            here, there = regime.purposes[purpose], was.purposes[purpose]
            uses[purpose] = Use(
                basis=there.basis if there.basis == "consent" else here.basis,
                default=here.default and there.default,
                cookieless=here.cookieless if there.cookieless else "",
            )
        signals = {}
        for signal, meaning in regime.signals.items():
            other = was.signals[signal]
            signals[signal] = msgspec.structs.replace(
                meaning,
                denies=tuple(sorted({*meaning.denies, *other.denies})),
                grants=tuple(sorted({*meaning.grants} & {*other.grants})),
                ends=meaning.ends or other.ends,
            )
        kind = "opt_in" if "opt_in" in (regime.kind, was.kind) else was.kind
        if kind == "opt_in":
            uses = {key: Use(basis="consent", cookieless=use.cookieless) for key, use in uses.items()}
        regimes[name] = msgspec.structs.replace(regime, kind=kind, purposes=uses, signals=signals)
    return msgspec.structs.replace(
        new,
        regimes=regimes,
        conflict="restrictive",
        regulated=old.regulated,
        tcf_vendor=old.tcf_vendor,
        age=old.age,
    )
