"""Too many adverts for too many people in a week are said, and stop nothing (M74)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from consent_filter.errors import Misconfigured
from tests.warehouse.tables import LAST, fill
from warehouse.advert_settings import Adverts
from warehouse.checks import pressure, runs
from warehouse.checks.expectations import validate
from warehouse.released import Store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    data = tmp_path_factory.mktemp("pressure")
    fill(data, days=15)
    return Store.open(data)


def share(store: Store, ceiling: int, week: object, kind: str = "all") -> float:
    """Counted anew, of bands that say where they begin."""
    rows = store.connection.execute(
        "SELECT band, people FROM pressure WHERE week = ? AND kind = ?", [week, kind]
    ).fetchall()
    over = sum(n for band, n in rows if band[0] != "(" and int(band.rstrip("+").split("-")[0]) > ceiling)
    return float(100 * over / sum(n for _, n in rows))


@pytest.mark.requirement("M74")
@pytest.mark.parametrize("ceiling", [2, 20, 80])
def test_it_is_said_where_a_larger_share_than_the_setting_has_more_than_the_ceiling(
    ceiling: int, store: Store
) -> None:
    week = LAST - timedelta(days=LAST.weekday() + 7)
    exact = share(store, ceiling, week)
    assert 0 < exact < 100
    for allowed, wrong in ((exact - 0.01, 1), (exact + 0.01, 0)):
        rows = pressure.control(store, Adverts(ceiling=ceiling, ceiling_share=allowed), LAST)
        assert [(row["site"], row["people_over_ceiling"]) for row in rows] == [("market", wrong)]
    exact = share(store, ceiling, week, "messages")
    for allowed, wrong in ((exact - 0.01, 1), (exact + 0.01, 0)):
        (row,) = pressure.control(store, Adverts(message_ceiling=ceiling, ceiling_share=allowed), LAST)
        assert row["people_over_message_ceiling"] == wrong


def test_bands_whose_place_nobody_knows_and_weeks_that_are_not_over_are_not_counted(store: Store) -> None:
    store.connection.execute("BEGIN")
    store.connection.execute("UPDATE pressure SET band = '(other)' WHERE band NOT IN ('1-2', '3-5')")
    rows = pressure.control(store, Adverts(ceiling=2, ceiling_share=0), LAST)
    assert [row["people_over_ceiling"] for row in rows] == [1]
    assert pressure.control(store, Adverts(ceiling=5, ceiling_share=0), LAST)[0]["people_over_ceiling"] == 0
    assert pressure.control(store, Adverts(), LAST - timedelta(days=60)) == []
    store.connection.execute("ROLLBACK")


@pytest.mark.requirement("M74")
def test_what_is_said_is_what_status_shows_and_it_stops_nothing(store: Store, tmp_path: Path) -> None:
    how = Adverts(ceiling=2, message_ceiling=80, ceiling_share=10)
    found = validate(pressure.SUITE, pressure.control(store, how, LAST), tmp_path, where=pressure.where(how))
    runs.note(tmp_path, found, 1e9)
    assert found.ok
    assert len(found.failures) == 1
    assert "more than 10 % of people with more than 2" in found.failures[0]
    (noted,) = runs.latest(tmp_path)
    assert (noted["suite"], noted["stop"], noted["failures"]) == ("contact pressure", 0, found.failures)


@pytest.mark.parametrize("said", [{"ceiling": 7}, {"message_ceiling": 7}, {"ceiling_share": 101.0}])
def test_a_ceiling_that_no_band_ends_at_is_refused(said: dict[str, float]) -> None:
    with pytest.raises(Misconfigured, match=r"2, 5, 10, 20, 40, 80|0 to 100 percent"):
        Adverts(**said)  # type: ignore[arg-type]
