"""Each signal against its file of cases; and what all of them promise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter.iab.bits import LONGEST
from consent_filter.iab.sections import SECTIONS, SENSITIVE
from consent_filter.purpose import BY_NAME, names
from consent_filter.signals import OWN, SIGNALS, members
from consent_filter.signals.choice import understand
from consent_filter.signals.gpp import read as gpp_read
from consent_filter.signals.gpp import understand as gpp_understand
from consent_filter.signals.said import CHILD, SILENCE, UNREADABLE, Said
from consent_filter.signals.tcf import hear, to_vendor
from consent_filter.signals.tcf import understand as understand_tcf
from consent_filter.signals.usp import OPTED_OUT
from tests.consent_filter import rows as make
from tests.consent_filter import strings
from tests.consent_filter.rows import Row, batch

_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
CASES = Path(__file__).parent / "cases"


def cases() -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}: {case['why']}")
        for name in SIGNALS
        for case in json.loads((CASES / f"{name}.json").read_text())["cases"]
    ]


def sent(name: str, value: str | None) -> Row:
    field = SIGNALS[name].field
    return Row(**{field: value.encode() if field == "consent" and value is not None else value})


@pytest.mark.parametrize(("name", "case"), cases())
def test_a_signal_says_what_its_case_says(name: str, case: dict[str, Any]) -> None:
    (said,) = SIGNALS[name](batch([sent(name, case["sent"])])).rows()
    assert names(said.grant) == case["grant"]
    assert names(said.deny) == (sorted_all() if case["deny"] == "all" else case["deny"])
    assert said.unreadable is case["unreadable"]
    assert said.regulated is case.get("regulated", False)
    assert said.child is case.get("child", False)


def sorted_all() -> list[str]:
    return list(BY_NAME)


def test_every_signal_has_cases_and_each_says_why() -> None:
    assert {path.stem for path in CASES.glob("*.json")} == set(SIGNALS)
    for path in CASES.glob("*.json"):
        found = json.loads(path.read_text())
        assert found["why"]
        whys = [case["why"] for case in found["cases"]]
        assert all(whys)
        assert len(set(whys)) == len(whys)


def test_own_words_are_signals() -> None:
    assert set(SIGNALS) > OWN


@given(st.lists(make.rows, min_size=1, max_size=8))
def test_a_batch_says_what_its_rows_say(rows: list[Row]) -> None:
    for signal in SIGNALS.values():
        assert signal(batch(rows)).rows() == [signal(batch([row])).rows()[0] for row in rows]


@given(st.binary(max_size=40))
def test_no_bytes_make_a_choice_raise_or_grant_by_accident(text: bytes) -> None:
    (said,) = SIGNALS["choice"](batch([Row(consent=text)])).rows()
    assert not said.grant & said.deny
    if said.grant:
        assert b"true" in text or b"granted" in text


@given(st.dictionaries(st.sampled_from(sorted(members.STRINGS)), _ANYTHING), st.binary(max_size=30))
def test_no_signal_raises_whatever_a_platform_sends(sent: dict[str, object], bytes_: bytes) -> None:
    for signal in SIGNALS.values():
        if signal.field == "consent":
            for text in (json.dumps(sent).encode(), bytes_):
                said = signal.read(text)
                assert not said.grant & said.deny


@pytest.mark.parametrize(("kind", "agreed"), [(1, "LegitimateInterests"), (2, "Consents")])
def test_a_restriction_to_one_basis_takes_the_other_from_a_vendor(kind: int, agreed: str) -> None:
    """Nobody here knows which one it declared."""
    only = {"purposeId": 7, "restrictionType": kind, "vendors": [[7, 7]]}
    said: dict[str, Any] = {"purposeConsents": [1], "vendorConsents": [[7, 7]]}
    said["vendorLegitimateInterests"] = [[7, 7]]
    said[f"purpose{agreed}"] = [1, 7]
    adverts = BY_NAME["ad_measurement"]
    assert to_vendor(Said(0, 0, tcf=strings.tc(**said)), 7).grant & adverts
    restricted = strings.tc(**said, publisherRestrictions=[only])
    assert not to_vendor(Said(0, 0, tcf=restricted), 7).grant & adverts


def alone(id: int, name: str, value: int | list[int]) -> Said:
    """What a section says of which one field is set."""
    return gpp_understand(strings.gpp({id: strings.us(id, **{name: value})}))


@pytest.mark.parametrize("id", sorted(SECTIONS))
def test_each_section_denies_what_it_says_and_nothing_more(id: int) -> None:
    """One field after another, and each kind of sensitive data."""
    counts = dict(SECTIONS[id].fields)
    for name, count in counts.items():
        for value in (1, 2):
            said = alone(id, name, [value] * count if count else value)
            if name == "KnownChildSensitiveDataConsents":
                assert said == CHILD
            elif name in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut") and value == 1:
                assert said == OPTED_OUT
            elif name != "SensitiveDataProcessing":
                assert said == SILENCE
    name = "SensitiveDataProcessing"
    kinds = 8 if SECTIONS[id].later == SENSITIVE else counts.get(name, 0)
    withheld = [alone(id, name, [int(i == at) for i in range(kinds)]) for at in range(kinds)]
    assert {said.deny for said in withheld} <= {0, int(BY_NAME["precise_geo"])}
    places = {at for at, said in enumerate(withheld, 1) if said.deny}
    # Read off the IAB's specifications: seven kinds in Colorado, none in Maryland.
    assert places == {8: {3}, 10: set(), 15: {11}, 17: {9}, 24: set()}.get(id, {8})


def test_what_a_vendor_may_is_not_what_a_state_has_taken_back() -> None:
    said = gpp_read(json.dumps({"gpp": strings.BOTH, "gpp_sid": "2,7"}).encode())
    alone = to_vendor(Said(0, 0, tcf=strings.EVERYTHING), 7)
    assert said.tcf == strings.EVERYTHING
    assert said.besides == OPTED_OUT.deny
    heard = to_vendor(said, 7)
    assert heard.grant == alone.grant & ~OPTED_OUT.deny
    assert heard.deny == alone.deny | OPTED_OUT.deny
    assert heard.regulated
    assert to_vendor(said, 8).grant == 0


#: What may stand in `gpp_sid`, and what not.
_SIDS = st.one_of(_ANYTHING, st.text("0123456789,_- "), st.lists(st.integers(-2, 60), max_size=60))


@given(_SIDS, st.sampled_from([strings.FREE, strings.OPTED_OUT, strings.CHILD]))
def test_nothing_that_is_said_to_apply_makes_a_state_permit(named: object, text: str) -> None:
    said = gpp_read(json.dumps({"gpp": text, "gpp_sid": named}).encode())
    assert said.grant == 0
    if not said.unreadable:
        assert said.deny in (0, gpp_understand(text).deny)
    assert not said.regulated or "2" in str(named)


def test_what_is_remembered_of_a_string_has_a_length() -> None:
    before, before_gpp = understand_tcf.cache_info().misses, gpp_understand.cache_info().misses
    assert gpp_read(json.dumps({"gpp": "D" * (LONGEST + 1)}).encode()) == UNREADABLE
    assert gpp_understand.cache_info().misses == before_gpp
    for text in (strings.EVERYTHING + "A" * LONGEST, "C" * (LONGEST + 1)):
        assert hear(text) == UNREADABLE
    assert understand_tcf.cache_info().misses == before
    assert hear("C" * LONGEST) == UNREADABLE
    assert understand_tcf.cache_info().misses == before + 1


@given(st.dictionaries(st.sampled_from(sorted(BY_NAME)), st.booleans()))
def test_a_choice_is_understood_as_it_was_meant(choice: dict[str, bool]) -> None:
    said = understand(choice)
    assert set(names(said.grant)) == {name for name, yes in choice.items() if yes}
    assert set(names(said.deny)) == {name for name, yes in choice.items() if not yes}
