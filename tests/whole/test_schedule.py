"""`[[schedule]]` as its user lives with it: packs of months that are over lie there and wait for a person;
what was missed while nothing ran is made up, once."""

from __future__ import annotations

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.days import within_one
from tests.warehouse.crowd import lay
from tests.whole.running import until, up
from throng import packs
from warehouse import budget, deliveries, period
from warehouse.deliveries import Release

SETTINGS = """
[folder]
region = "EU"
[[site]]
id = "market"
region = "EU"
[release.shares]
adverts = 0.0
countries = 0.0
devices = 0.0
liquidity = 0.0
referrers = 0.0
research = 0.0
retention = 0.0
sources = 0.0
weeks = 0.0
[[schedule]]
audience = "investors"
every = "month"
"""


def months(today: date, many: int = 3) -> list[period.Period]:
    """The newest months that are over, late events too; the oldest first."""
    found: list[period.Period] = []
    at = today - timedelta(days=7)
    while len(found) < many:
        at = at.replace(day=1) - timedelta(days=1)
        found.append(period.read(f"{at:%Y-%m}"))
    assert all(one.closed(today, 7) for one in found)
    return found[::-1]


@pytest.mark.timeout(600)
@pytest.mark.requirement("M54")
def test_months_that_are_over_are_drafted_by_themselves_and_wait_for_a_person(tmp_path: Path) -> None:
    """Planted: looking at the last month alone, one that went by unseen is never drafted."""
    data, today = tmp_path / "data", datetime.now(UTC).date()
    if months(today) != months(today + timedelta(days=1)):
        within_one(300)  # or one more is over in the middle of it, and drafted
        today = datetime.now(UTC).date()
    first, *missed = months(today)
    rows = [
        {"person": 1000 * at + n, "time": f"{one.name}-0{1 + n % 2} 12:00"}
        for at, one in enumerate((first, *missed))
        for n in range(300)
    ]
    lay(data, rows)
    (data / "throng.toml").write_text(SETTINGS)
    # The first was prepared when it was over. Then nothing ran for two months.
    with deliveries.ledger(data) as book, book.changing():
        book.add(Release("earlier", "investors", first.name, ("market",), 1, "", "0" * 64, 0, ""), [], {})

    def there() -> dict[str, tuple[str, str]]:
        with deliveries.ledger(data) as book:
            return {one.period: (one.id, book.state(one.id)) for one in book.releases()}

    with up(data):
        until(lambda: _well(data) and len(there()) == 3, 120)
        found = there()
        assert [found[at.name][1] for at in missed] == [deliveries.AWAITS] * 2
        spent = budget.states(data)
        last = found[missed[-1].name][0]
        packs.approve(data, last, "Ada Officer")
        with deliveries.ledger(data) as book:
            assert book.deliveries() == [], "nobody has said so"
        # An hour later it looks again: nothing new, nothing spent.
        looked = data / "releases" / "looked"
        os.utime(looked, (0, 0))
        until(lambda: looked.stat().st_mtime > 0 and _passed(data, looked.stat().st_mtime), 120)
    assert there() == found | {missed[-1].name: (last, deliveries.APPROVED)}
    assert budget.states(data) == spent


def _well(data: Path) -> bool:
    """No pass has failed. AssertionError where one has: nothing is to be waited for then."""
    if (data / "status.json").exists():
        said = json.loads((data / "status.json").read_text())
        assert said["failure"] is None, said
    return True


def _passed(data: Path, since: float) -> bool:
    """Whether a whole pass was made since."""
    return _well(data) and float(json.loads((data / "status.json").read_text())["at"]) > since
