"""What is said in public of a policy is what it decides."""

from __future__ import annotations

from datetime import date

import pytest

from consent_filter.decide import NO_WORD, Law, judge
from consent_filter.in_force import History, history
from consent_filter.policy import load
from consent_filter.policy_status import status
from consent_filter.purpose import BY_NAME
from consent_filter.signals import SIGNALS
from consent_filter.signals.said import OBJECTION, SILENCE
from consent_filter.site import Site
from tests.consent_filter.rows import NOON

OLD, NEW = load("worktasker-2014"), load("workallies-2024")


def past() -> History:
    return history(Site(id="shop"), [(date(2026, 12, 1), NEW), (None, OLD)])


@pytest.mark.requirement("M106")
def test_which_policy_is_in_force_and_which_is_announced() -> None:
    said = status("shop", past(), NOON)
    assert (said["policy"], said["in_force"]) == ("worktasker-2014/1", None)
    assert said["announced"] == [{"policy": "workallies-2024/1", "in_force": "2026-12-01"}]
    later = status("shop", past(), NOON + 20 * 86_400_000)
    assert (later["policy"], later["in_force"]) == ("workallies-2024/1", "2026-12-01")
    assert later["announced"] == []


@pytest.mark.requirement("M106")
def test_do_not_track_is_said_to_be_what_each_text_makes_of_it() -> None:
    regimes = status("shop", past(), NOON + 20 * 86_400_000)["regimes"]
    assert regimes["notice"]["signals"]["dnt"] == {"does": "ignored", "takes_back": [], "permits": []}
    assert regimes["opt_in"]["signals"]["dnt"]["does"] == "limits"
    assert status("shop", past(), NOON)["regimes"]["notice"]["signals"]["dnt"]["does"] == "limits"
    assert "DE" in regimes["opt_in"]["countries"]


@pytest.mark.requirement("M106")
@pytest.mark.parametrize("pack", [OLD, NEW], ids=["older", "newer"])
def test_what_is_said_of_an_objection_is_what_is_done(pack) -> None:  # type: ignore[no-untyped-def]
    for name, regime in status("shop", History(past().eras[:1] if pack is OLD else past().eras[1:]), NOON)[
        "regimes"
    ].items():
        law = Law.of(pack, name)
        for signal, does in regime["signals"].items():
            heard = tuple(OBJECTION if one == signal else SILENCE for one in SIGNALS)
            silent = judge(law, NO_WORD, 1, True, *(SILENCE for _ in SIGNALS))
            verdict = judge(law, NO_WORD, 1, True, *heard)
            for purpose in does["takes_back"]:
                if does["does"] == "limits" and verdict.treatment == "identified":
                    assert not verdict.granted & BY_NAME[purpose]
            if does["does"] == "ignored":
                assert verdict == silent
