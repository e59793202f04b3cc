"""What is unusual about yesterday is said, and stops nothing."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tests.warehouse.tables import LAST, fill
from warehouse.checks import runs, weekdays
from warehouse.checks.expectations import Outcome, validate
from warehouse.released import Store

#: What happens to the last day → what is unusual.
PLANTED = {
    "DELETE FROM traffic_day WHERE day = ?": ["day_missing"],
    "UPDATE traffic_day SET people = people * 3 WHERE day = ?": ["people_unusual"],
    "UPDATE traffic_day SET views = views // 10 WHERE day = ?": ["views_unusual"],
    "UPDATE balance SET refused = received // 2, stored = received - received // 2 WHERE day = ?": [
        "refused_unusual"
    ],
    "UPDATE devices SET device = CASE device WHEN 'desktop' THEN 'mobile' WHEN 'mobile' THEN 'desktop' ELSE"
    " device END WHERE day = ?": ["devices_moved"],
    "UPDATE countries SET country = 'SE' WHERE country = 'DE' AND day = ?": ["countries_moved"],
    "UPDATE sources SET views = 0 WHERE referrer_group = 'search' AND day = ?": ["sources_moved"],
}


def unusual(data: Path, *statements: str) -> list[str]:
    store = Store.open(data)
    for statement in statements:
        store.connection.execute(statement, [LAST])
    rows = weekdays.control(store, LAST)
    store.close()
    return [name for row in rows for name in weekdays.EXPECTED if row[name]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill(tmp_path, days=50, scale=20.0)
    return tmp_path


def test_a_usual_day_is_usual(data: Path) -> None:
    assert unusual(data) == []


@pytest.mark.parametrize("statement", PLANTED)
def test_what_is_unusual_is_named(statement: str, data: Path) -> None:
    assert unusual(data, statement) == PLANTED[statement]


def test_a_site_without_a_history_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    fill(tmp_path, days=14)
    store = Store.open(tmp_path)
    assert weekdays.control(store, LAST) == []
    assert weekdays.control(store, LAST - timedelta(days=400)) == []
    store.close()


def test_it_warns_and_does_not_stop(tmp_path: Path) -> None:
    row = dict.fromkeys(weekdays.EXPECTED, 0) | {"site": "market", "people_unusual": 1}
    outcome = validate(weekdays.SUITE, [row], tmp_path)
    assert outcome.ok
    assert outcome.failures == [f"{weekdays.EXPECTED['people_unusual']}: not so in market"]


def test_the_same_finding_is_noted_once_an_hour(tmp_path: Path) -> None:
    for at, failures in ((0.0, []), (10.0, []), (20.0, ["x"]), (30.0, ["x"]), (4000.0, ["x"]), (4010.0, [])):
        runs.note(tmp_path, Outcome("weekdays", False, failures, 1), 1e9 + at)
    assert [round(one["at"] - 1e9) for one in runs.past(tmp_path)] == [4010, 4000, 20, 0]
    assert runs.last(tmp_path, "weekdays") == 1e9 + 4010
    assert runs.last(tmp_path, "facts") == 0
    assert [one["failures"] for one in runs.latest(tmp_path)] == [[]]
