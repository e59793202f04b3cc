"""Faults of packs that load: each is found at its key; those that ship have only what they say."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from consent_filter.policy import Pack, load
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
    ("regimes.opt_in.signals.dnt.denies", ["measurement"], "dnt_ignored", None),
    ("regimes.opt_in.signals.gpc.denies", [], "gpc_ignored", None),
    ("regimes.opt_out.signals.gpc.denies", ["measurement"], "gpc_ignored", None),
]  # fmt: skip


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_pack_has_no_fault_but_its_texts(name: str) -> None:
    found = faults(load(name))
    assert [(one.severity, one.says) for one in found] == [("warning", says) for says in load(name).warnings]


@pytest.mark.requirement("M107")
@pytest.mark.parametrize(("path", "value", "code", "where"), WORSE, ids=[f"{c} {p}" for p, _, c, _ in WORSE])
def test_a_fault_is_found_at_its_key(path: str, value: Any, code: str, where: str | None) -> None:
    pack = msgspec.convert(change("workallies-2024", path, value) | {"warnings": []}, Pack)
    ((found, severity, at, says, why),) = faults(pack)
    assert (found, at.startswith(where or path)) == (code, True)
    assert severity == ("warning" if code in ("recipients_not_named", "unknown_country") else "error")
    assert says
    assert why


def test_a_notice_where_the_law_lets_it_need_not_hear_dnt() -> None:
    pack = load("workallies-2024")
    assert pack.regimes["notice"].signals["dnt"].denies == ()
    assert "dnt_ignored" not in {one.code for one in faults(pack)}
