"""Faults of packs that load: each is found at its key; those that ship have only what they say."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.policy import Pack, Use, load
from consent_filter.policy_faults import faults
from tests.consent_filter.test_policy import SHIPPED, change

MAIL = "purposes.marketing_email"
PLACE = {"basis": "notice", "default": True}
WORSE = [
    ("recipients", [], "recipients_not_named", "recipients"),
    ("groups.UK", ["GG"], "agreement_not_asked", "regimes"),
    ("groups.SWISS", ["LI"], "agreement_not_asked", "regimes"),
    ("groups.UNKNOWN", ["BR"], "unknown_country", "regimes"),
    (f"regimes.notice.{MAIL}", {"basis": "consent", "default": True}, "marketing_by_default", None),
    (f"regimes.opt_out.{MAIL}", {"basis": "notice"}, "marketing_by_default", None),
    ("regimes.notice.purposes.precise_geo", PLACE, "precise_place_by_default", None),
    ("regimes.opt_in.purposes.ad_measurement.cookieless", "exempt", "not_exempt", None),
    ("regimes.notice.purposes.personalisation.basis", "exempt", "no_legal_basis", None),
    ("regimes.notice.purposes.personalisation.balancing", "", "no_balancing_note", None),
    ("regimes.notice.purposes.research", {"basis": "legitimate_interest"}, "no_balancing_note", None),
    ("regimes.opt_out.purposes.measurement.cookieless", "legitimate_interest", "no_balancing_note",
     "regimes.opt_out.purposes.measurement.balancing"),
    ("regimes.opt_in.signals.dnt.denies", ["measurement"], "dnt_ignored", None),
    ("regimes.opt_in.signals.gpc.denies", [], "gpc_ignored", None),
    ("regimes.opt_out.signals.gpc.denies", ["measurement"], "gpc_ignored", None),
]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_has_no_fault_but_its_texts(name: str) -> None:
    found = faults(load(name))
    texts = [one for one in found if one.code != "transfer_lapsed"]
    assert [(one.severity, one.says) for one in texts] == [("warning", says) for says in load(name).warnings]


@pytest.mark.requirement("M66")
def test_every_interest_of_a_shipped_pack_has_its_note() -> None:
    uses = [
        (name, use)
        for name in SHIPPED
        for one in load(name).regimes.values()
        for use in one.purposes.values()
    ]
    weighed = [name for name, use in uses if "legitimate_interest" in (use.basis, use.cookieless)]
    assert weighed == ["workallies-2024"] * 3
    assert all(len(use.balancing) > 100 for _, use in uses if use.basis == "legitimate_interest")
    for note in ("x" * 1001, " "):
        with pytest.raises(Misconfigured, match="balancing"):
            Use(basis="legitimate_interest", balancing=note)


@pytest.mark.requirement("M101")
def test_a_mechanism_of_transfer_that_is_over_is_said_and_a_country_without_any_is_an_error() -> None:
    pack = load("workallies-2024")
    (lapsed,) = [one for one in faults(pack) if one.code == "transfer_lapsed"]
    assert (lapsed.severity, "Privacy Shield" in lapsed.says) == ("warning", True)
    assert pack.unlawful(date(2026, 11, 23)) == ()
    (shield,) = [one for one in pack.transfers if "Shield" in one.mechanism]
    alone = msgspec.structs.replace(pack, transfers=(shield,))
    assert [one.severity for one in faults(alone) if one.code == "transfer_unlawful"] == ["error"]
    assert alone.unlawful(date(2020, 7, 15)) == ()
    assert alone.unlawful(date(2020, 7, 16)) == ("US",), "the day of the judgment"
    assert alone.unlawful(date(2016, 7, 31)) == ("US",), "not yet"
    with pytest.raises(Misconfigured, match="until"):
        msgspec.structs.replace(shield, until=shield.since)


@pytest.mark.requirement("M66", "M107")
@pytest.mark.parametrize(("path", "value", "code", "where"), WORSE, ids=[f"{c} {p}" for p, _, c, _ in WORSE])
def test_a_fault_is_found_at_its_key(path: str, value: Any, code: str, where: str | None) -> None:
    pack = msgspec.convert(change("workallies-2024", path, value) | {"warnings": []}, Pack)
    ((found, severity, at, says, why),) = [one for one in faults(pack) if one.code != "transfer_lapsed"]
    assert (found, at.startswith(where or path)) == (code, True)
    assert severity == ("warning" if code in ("recipients_not_named", "unknown_country") else "error")
    assert says
    assert why


def test_a_notice_where_the_law_lets_it_need_not_hear_dnt() -> None:
    pack = load("workallies-2024")
    assert pack.regimes["notice"].signals["dnt"].denies == ()
    assert "dnt_ignored" not in {one.code for one in faults(pack)}
