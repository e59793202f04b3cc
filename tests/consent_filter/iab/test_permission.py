"""What a string permits, rule by rule: whom, on which basis, and what makes the whole of it void."""

from __future__ import annotations

from typing import Any

import pytest

from consent_filter.iab.permission import CONSENT_ONLY, Basis, invalid, permits, permits_vendor
from consent_filter.iab.tcf import Tcf, decode
from tests.consent_filter.iab.encode import PLAIN, PUBLISHER, string

EVERY = list(range(1, 25))
#: Everybody may do everything on every basis.
YES: dict[str, Any] = {
    **PLAIN,
    **PUBLISHER,
    "purposeConsents": EVERY,
    "purposeLegitimateInterests": EVERY,
    "vendorConsents": [[1, 100]],
    "vendorLegitimateInterests": [[1, 100]],
    "publisherConsents": EVERY,
    "publisherLegitimateInterests": EVERY,
}


def sent(said: dict[str, Any], **but: Any) -> Tcf:
    return decode(string({**said, **but}))


def restricted(purpose: int, *kinds: int, vendors: list[list[int]] | None = None) -> Tcf:
    return sent(
        YES,
        publisherRestrictions=[
            {"purposeId": purpose, "restrictionType": kind, "vendors": vendors or [[1, 100]]}
            for kind in kinds
        ],
    )


@pytest.mark.parametrize(
    ("but", "reason"),
    [
        ({}, None),
        ({"policyVersion": 4}, None),
        ({"policyVersion": 3}, "old_policy"),
        ({"policyVersion": 0}, "old_policy"),
        ({"policyVersion": 6}, "new_policy"),
        ({"isServiceSpecific": False}, "not_service_specific"),
        ({"vendorsDisclosed": None}, "not_disclosed"),
    ],
)
def test_a_void_string_permits_nothing(but: dict[str, Any], reason: str | None) -> None:
    tcf = sent(YES, **but)
    assert invalid(tcf) == reason
    for purpose in EVERY:
        assert permits(tcf, purpose) is (reason is None)
        assert permits_vendor(tcf, 5, purpose) is (reason is None)
    assert permits(tcf, 8, "interest") is (reason is None)
    assert permits_vendor(tcf, 5, 8, "interest", flexible=True) is (reason is None)


def test_disclosing_to_nobody_is_disclosing() -> None:
    tcf = sent(YES, vendorsDisclosed=[])
    assert invalid(tcf) is None
    assert permits(tcf, 8)
    assert not permits_vendor(tcf, 5, 8)


def test_the_publishers_word_is_in_its_own_segment_only() -> None:
    absent = sent({**YES, **dict.fromkeys(PUBLISHER)})
    empty = sent(YES, **PUBLISHER)
    for purpose in EVERY:
        for tcf in (absent, empty):
            assert not permits(tcf, purpose)
            assert not permits(tcf, purpose, "interest")
            assert permits_vendor(tcf, 5, purpose)


@pytest.mark.parametrize("basis", ["consent", "interest"])
def test_one_basis_is_not_the_other(basis: Basis) -> None:
    other = {"consent": "LegitimateInterests", "interest": "Consents"}[basis]
    tcf = sent(YES, **{f"publisher{other}": [], f"purpose{other}": [], f"vendor{other}": []})
    crossed: Basis = "interest" if basis == "consent" else "consent"
    assert permits(tcf, 8, basis)
    assert not permits(tcf, 8, crossed)
    assert permits_vendor(tcf, 5, 8, basis)
    assert not permits_vendor(tcf, 5, 8, crossed)


def test_interest_is_no_basis_for_storage_and_profiles() -> None:
    tcf = sent(YES)
    assert set(CONSENT_ONLY) == {1, 3, 4, 5, 6}
    for purpose in EVERY:
        allowed = purpose not in (1, 3, 4, 5, 6)
        assert permits(tcf, purpose, "interest") is allowed
        assert permits_vendor(tcf, 5, purpose, "interest") is allowed
        assert permits_vendor(restricted(purpose, 2), 5, purpose, flexible=True) is allowed


@pytest.mark.parametrize("name", ["vendorsDisclosed", "vendorConsents"])
def test_a_vendor_needs_its_own_bit_and_to_have_been_shown(name: str) -> None:
    tcf = sent(YES, **{name: [[1, 4], [6, 100]]})
    assert permits_vendor(tcf, 4, 8)
    assert not permits_vendor(tcf, 5, 8)
    assert permits_vendor(tcf, 6, 8)
    assert not permits_vendor(tcf, 101, 8)
    assert not permits_vendor(tcf, 0, 8)
    assert not permits_vendor(tcf, -1, 8)


def test_a_purpose_that_cannot_be_asked_about_is_not_permitted() -> None:
    for purpose in (-1, 0, 25, 99):
        assert not permits(sent(YES), purpose)
        assert not permits_vendor(sent(YES), 5, purpose)


def test_the_publishers_no_binds_every_vendor_and_only_them() -> None:
    tcf = restricted(8, 0, vendors=[[5, 5]])
    for flexible in (False, True):
        assert not permits_vendor(tcf, 5, 8, flexible=flexible)
        assert not permits_vendor(tcf, 5, 8, "interest", flexible=flexible)
        assert permits_vendor(tcf, 6, 8, flexible=flexible)
        assert permits_vendor(tcf, 5, 9, flexible=flexible)
    assert permits(tcf, 8)


@pytest.mark.parametrize(
    ("kind", "declared", "needed"), [(1, "interest", "Consents"), (2, "consent", "LegitimateInterests")]
)
def test_another_basis_binds_the_flexible(kind: int, declared: Basis, needed: str) -> None:
    one = {"purposeId": 8, "restrictionType": kind, "vendors": [[5, 5]]}
    without = sent(YES, publisherRestrictions=[one], **{f"vendor{needed}": []})
    assert not permits_vendor(without, 5, 8, declared, flexible=True)
    assert permits_vendor(without, 5, 8, declared), "who declared one basis has that one"
    assert permits_vendor(without, 6, 8, declared, flexible=True), "not the restricted one"
    assert permits_vendor(sent(YES, publisherRestrictions=[one]), 5, 8, declared, flexible=True)


def test_of_several_restrictions_the_lowest_wins() -> None:
    assert not permits_vendor(restricted(8, 2, 1, 0), 5, 8, flexible=True)
    both = {
        "publisherRestrictions": [{"purposeId": 8, "restrictionType": k, "vendors": [[5, 5]]} for k in (2, 1)]
    }
    assert permits_vendor(sent(YES, **both, vendorLegitimateInterests=[]), 5, 8, flexible=True)
    assert not permits_vendor(sent(YES, **both, vendorConsents=[]), 5, 8, flexible=True)
