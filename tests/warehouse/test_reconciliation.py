"""Discrepancies that were planted are told by their reasons, and what is exchanged tells no id (S18)."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest

from warehouse.reconciliation import COUNTED, Finding, Total, reconcile

Sums = dict[str, list[tuple[str, int]]]
START = datetime(2026, 9, 1, tzinfo=UTC)
#: Reason → what it is beside what is counted, and at which hours of the day there is more of it.
REASONS = {
    "robot": (0.2, 3),
    "not viewable": (0.4, 20),
    "consent": (0.15, 9),
    "duplicate": (0.05, 13),
    "late": (0.03, 6),
}


def made(seed: int, days: int = 7, scale: int = 4000) -> Sums:
    """Sums by hour of what is counted, and of each reason, as a campaign has them."""
    chance, found = random.Random(seed), Sums()
    for name, (share, peak) in {COUNTED: (1.0, 18), **REASONS}.items():
        found[name] = []
        for n in range(days * 24):
            far = abs((n % 24 - peak + 12) % 24 - 12)
            size = round(scale * share * (0.2 + max(0, 6 - far) / 6) * chance.uniform(0.7, 1.3))
            found[name].append((f"{START + timedelta(hours=n):%Y-%m-%dT%H}", size))
    return found


def totals(by: Sums, campaign: str = "autumn") -> list[Total]:
    return [Total(campaign, "impression", hour, name, n) for name, of in by.items() for hour, n in of]


def counted_by(by: Sums, reasons: dict[str, float], clock: int = 0) -> list[Total]:
    """What another party counts that leaves out less than we do, on a clock that is off."""
    sums: dict[str, int] = {}
    for name, share in {COUNTED: 1.0, **reasons}.items():
        for hour, n in by[name]:
            at = f"{datetime.fromisoformat(hour) + timedelta(hours=clock):%Y-%m-%dT%H}"
            sums[at] = sums.get(at, 0) + round(n * share)
    return [Total("autumn", "impression", hour, COUNTED, n) for hour, n in sums.items()]


def right(found: Finding, by: Sums, reasons: dict[str, float]) -> float:
    """The share of what was planted that has its right reason."""
    planted = {name: sum(n for _, n in by[name]) * reasons.get(name, 0.0) for name in REASONS}
    wrong = sum(abs(found.reasons[name] - n) for name, n in planted.items())
    return 1 - wrong / (2 * max(sum(planted.values()), 1))


@pytest.mark.requirement("S18")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    "reasons",
    [{name: 1.0} for name in REASONS]
    + [{"robot": 1.0, "duplicate": 1.0}, dict.fromkeys(REASONS, 1.0), {}, {"robot": 0.5, "late": 1.0}],
    ids=lambda of: " and ".join(of) or "nothing",
)
def test_what_was_planted_is_found_by_its_reason(seed: int, reasons: dict[str, float]) -> None:
    by = made(seed)
    (found,) = reconcile(totals(by), counted_by(by, reasons))
    assert right(found, by, reasons) >= 0.99
    assert found.clock == 0
    assert found.explained >= 0.99


@pytest.mark.requirement("S18")
@pytest.mark.parametrize("clock", [-9, -5, -1, 1, 2, 12])
def test_a_clock_that_is_off_is_found_beside_a_reason(clock: int) -> None:
    by = made(clock)
    (found,) = reconcile(totals(by), counted_by(by, {"robot": 1.0}, clock))
    assert found.clock == clock
    assert right(found, by, {"robot": 1.0}) >= 0.99


def test_what_has_no_reason_is_said_to_have_none() -> None:
    by = made(1)
    theirs = counted_by(by, {})
    theirs += [Total("autumn", "impression", "2026-09-03T05", COUNTED, 50_000)]
    (found,) = reconcile(totals(by), theirs)
    assert found.unexplained > 40_000
    assert found.explained < 0.5
    alone = reconcile(totals(by, "spring"), counted_by(by, {}))
    assert [(one.campaign, one.ours > 0, one.theirs > 0) for one in alone] == [
        ("autumn", False, True), ("spring", True, False),
    ]  # fmt: skip
