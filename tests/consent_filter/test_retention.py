"""Terms of keeping: what a pack may say, and that the page says what the packs do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pytest

from consent_filter.errors import Misconfigured
from consent_filter.fields import BY_NAME as FIELDS
from consent_filter.holds import Holds, always, held
from consent_filter.policy import Pack, load
from consent_filter.policy_change import changes
from consent_filter.purpose import Purpose
from consent_filter.retention import CLASSES, KEEPING, Retention, age, ends, lasting, running
from consent_filter.retention_page import SHIPPED, written

PAGE = Path(__file__).resolve().parents[2] / "docs" / "retention.md"


@pytest.mark.requirement("M79")
def test_the_page_says_what_the_packs_do() -> None:
    """Made anew by `python -m consent_filter.retention_page docs/retention.md`."""
    assert written(PAGE.read_text()) == PAGE.read_text()


@pytest.mark.requirement("M82")
@pytest.mark.parametrize("name", SHIPPED)
def test_each_pack_has_eight_classes_with_their_own_time_and_columns(name: str) -> None:
    closed = load(name).retention.closed
    assert tuple(closed) == CLASSES
    assert len({one.fields for one in closed.values()}) == len(closed)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"purposes": {"selling": {"days": 9}}}, "retention: purposes"),
        ({"purposes": {"measurement": {"days": 2}}}, "retention: days"),
        ({"purposes": {"measurement": {"days": 9, "fields": {"person": 5}}}}, "retention: fields"),
        ({"purposes": {"measurement": {"days": 9, "degrees": {"value": {"day": 5}}}}}, "retention: degrees"),
        ({"purposes": {"research": {"days": 9, "degrees": {"time": {"x": 5}}}}}, "retention: degrees.time"),
        ({"closed": {"curiosity": {"days": 9, "fields": []}}}, "retention.closed"),
        ({"closed": {"law": {"days": 9, "fields": ["person"]}}}, "retention.closed: fields"),
        ({"regimes": {"atlantis": {}}}, "retention.regimes"),
    ],
)  # fmt: skip
def test_what_no_pack_may_say(said: dict[str, object], key: str) -> None:
    plain = msgspec.to_builtins(load("workallies-2024"))
    with pytest.raises(Misconfigured) as error:
        msgspec.convert(plain | {"retention": said}, Pack)
    assert error.value.key == key


def test_a_pack_without_it_keeps_everything_for_its_days() -> None:
    rule = ends(Retention(), 99, "opt_in", int(Purpose.MEASUREMENT))
    assert (rule.row, rule.fields, rule.degrees, rule.purposes) == (99, {}, {}, {})
    assert ends(Retention(), 99, "opt_in", int(Purpose.MARKETING_EMAIL)).row == 0
    assert KEEPING & Purpose.MEASUREMENT
    assert FIELDS["ad_slot"].purposes & KEEPING


def test_keeping_for_longer_is_significant() -> None:
    """So that what was agreed to is asked for again (M123)."""
    old = load("workallies-2024")
    term = msgspec.structs.replace(old.retention.purposes["ad_measurement"], days=500)
    longer = msgspec.structs.replace(
        old.retention, purposes=old.retention.purposes | {"ad_measurement": term}
    )
    found = changes(old, msgspec.structs.replace(old, retention=longer))
    assert {(one.what, one.significant, one.purposes) for one in found} == {
        ("kept_longer", True, ("ad_measurement",))
    }
    back = changes(msgspec.structs.replace(old, retention=longer), old)
    assert {(one.what, one.significant) for one in back} == {("kept_shorter", False)}


def test_classes_end_one_by_one() -> None:
    closed, since = load("workallies-2024").retention.closed, date(2026, 1, 1)
    for days, left in ((88, ["troubleshooting", "other"]), (89, ["other"]), (179, [])):
        today = date.fromordinal(since.toordinal() + days)
        still = running(closed, ("troubleshooting", "other"), since, today)
        assert still == [closed[name] for name in left]
        assert (lasting(still) is None) == (not left)
        assert age(since, today) == days + 1


def test_what_was_kept_back_by_any_work_is_known_when_it_may_go(tmp_path: Path) -> None:
    """Files may have been written anew, as done, between a hold and the next look at everything."""
    whom = np.array([7, 1 << 63], np.uint64)
    with Holds.open(tmp_path) as holds:
        kept = always(whom)
        holds.note(kept)
        holds.note(kept)
        assert holds.waiting(kept).tolist() == []
        assert holds.waiting(always(whom[1:])).tolist() == [7]
        holds.settle(always(whom[1:]), 1)
        assert holds.waiting(always(whom[:0])).tolist() == [1 << 63]
    assert held(tmp_path, whom).tolist() == [False, False], "what was noted is no hold"
