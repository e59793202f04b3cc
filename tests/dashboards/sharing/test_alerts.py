"""An alert is of what is unusual for its weekday, or over a line; never of noise, nor of a day left out."""

from __future__ import annotations

import random
from datetime import date, timedelta
from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dashboards.sharing.alerts import Alert, Alerts, moved
from dashboards.sharing.unusual import LEAST, WEEKS, judged, usual
from dashboards.who import Role
from tests.dashboards.browsing import House
from tests.dashboards.sharing.conftest import LAST
from tests.dashboards.sharing.test_views import someone
from warehouse.reader import Reader
from warehouse.report import load
from warehouse.settings import Warehouse

MONDAY = date(2026, 11, 23)


def weeks(*values: float | None, day: float | None = None) -> dict[date, float]:
    """The Mondays before, the newest first, and the day itself."""
    found = {MONDAY - timedelta(weeks=n): v for n, v in enumerate(values, 1) if v is not None}
    return found | ({MONDAY: day} if day is not None else {})


@pytest.mark.parametrize(
    ("values", "day", "warns"),
    [
        ([700, 720, 690, 705, 710, 695, 700, 715], 705, False),
        ([700, 720, 690, 705, 710, 695, 700, 715], 320, True),
        ([700, 720, 690, 705, 710, 695, 700, 715], 1200, True),
        # A feast and a broken day among the weeks move neither the middle nor the spread.
        ([700, 20, 690, 705, 3000, 695, 700, 715], 320, True),
        ([700, 20, 690, 705, 3000, 695, 700, 715], 705, False),
        # Weeks that differ by themselves.
        ([300, 900, 500, 1100, 400, 800, 600, 1000], 320, False),
        # Too few weeks; weeks of too few people, which are not there; a small crowd.
        ([700, 720, 690], 20, False),
        ([None, None, 700, 720, 690, 705], 20, True),
        ([12, 14, 10, 13, 11, 12, 12, 12], 24, False),
    ],
)
def test_a_day_is_compared_with_its_weekday(values: list[float | None], day: float, warns: bool) -> None:
    assert judged("unusual", 0, weeks(*values, day=day), MONDAY, 5)[0] is warns


def test_a_day_that_is_left_out_is_no_zero() -> None:
    for kind in ("unusual", "below", "above"):
        assert judged(kind, 10, weeks(*[700.0] * 8), MONDAY, 5) == (False, None)


def test_a_line_is_crossed_when_the_exact_number_has_crossed_it() -> None:
    """What was moved by five at most may stand on the other side of a line by itself."""
    found = [judged("below", 500, weeks(day=n), MONDAY, 5)[0] for n in (494, 495, 500)]
    assert found == [True, False, False]
    assert [judged("above", 500, weeks(day=n), MONDAY, 5)[0] for n in (505, 506)] == [False, True]


@settings(max_examples=100)
@given(st.integers(10, 100_000), st.integers(0, 2**32))
def test_noise_alone_is_never_an_alert(people: int, seed: int) -> None:
    draw = random.Random(seed)
    values = [people + draw.randint(-5, 5) for _ in range(WEEKS)]
    assert not judged("unusual", 0, weeks(*values, day=people + draw.randint(-5, 5)), MONDAY, 5)[0]


@settings(max_examples=60)
@given(st.lists(st.integers(10, 5000), min_size=LEAST, max_size=WEEKS))
def test_the_usual_is_the_plain_reckoning(values: list[int]) -> None:
    found = usual(weeks(*values), MONDAY, 5)
    middle = median(values)
    spread = sorted(abs(v - middle) for v in values)
    half = len(spread) // 2
    mad = spread[half] if len(spread) % 2 else (spread[half - 1] + spread[half]) / 2
    assert found is not None
    assert found.middle == middle
    assert found.high == pytest.approx(middle + 3.5 * max(1.4826 * mad, middle**0.5) + 5)


def test_what_release_moves_a_number_by_is_bounded() -> None:
    day = load()["traffic_day"]
    assert moved(day, "people", 700, Warehouse()) == 5
    assert moved(day, "views", 700, Warehouse()) == 70, "a tenth, the most that one person is"
    assert moved(day, "views", 700_000, Warehouse()) == 1000, "and no more than the cap"
    assert moved(day, "people", 700, Warehouse(perturb=False)) == 0


def test_alerts_are_kept_judged_once_and_shown_to_their_owner(market: House) -> None:
    ann, carl = someone(market, "ann@shop.example"), someone(market, "carl")
    new = {"act": "add", "site": "market", "what": "visitors", "kind": "above", "line": "100", "only": ""}
    assert ann.send("/alerts", **new).status_code == 303
    assert ann.send("/alerts", **new | {"kind": "below", "only": "device:mobile"}).status_code == 303
    assert ann.send("/alerts", **new | {"kind": "unusual", "line": ""}).status_code == 303
    assert carl.send("/alerts", **new).status_code == 404
    for wrong in ({"line": "x"}, {"line": "-1"}, {"what": "x"}, {"only": "gender:f"}, {"kind": "x"}):
        assert ann.send("/alerts", **new | wrong).status_code == 400, wrong
    assert ann.send("/alerts", **new | {"what": "visits", "only": "device:x"}).status_code == 400
    alerts, reader = Alerts(market.people), Reader(market.data, Warehouse())
    with reader.reading() as reading:
        first = alerts.judge(reading, Warehouse())
        assert first > 0
        assert alerts.judge(reading, Warehouse()) == 0, "a day is found once"
    page = ann.text("/alerts")
    assert "market: more than 100 visitors a day" in page
    assert f'datetime="{LAST}"' in page
    assert "visitors a day by Mobile" in page
    assert "Nothing yet." in carl.text("/alerts")
    # What somebody may not see any more they are not told of.
    id = next(one.who.account for one in market.people.list() if one.login == "ann@shop.example")
    market.people.change(id, [Role.ANALYST], ["blog"], id)
    assert "more than 100" not in ann.text("/alerts")
    market.store.rows("SELECT 1")
    with market.store.transaction() as database:
        database.execute("DELETE FROM finding")
    with reader.reading() as reading:
        assert alerts.judge(reading, Warehouse()) == 0
    reader.close()
    market.people.change(id, [Role.ANALYST], None, id)
    (one, *others) = [row["id"] for row in market.store.rows("SELECT id FROM alert ORDER BY made")]
    assert carl.send("/alerts", act="remove", alert=one).status_code == 404
    assert ann.send("/alerts", act="remove", alert=one).status_code == 303
    assert len(others) == 2


def test_what_an_alert_waits_for_is_said_in_words() -> None:
    one = Alert("W", "A", "shop", "visitors", "country", "DE", "below", 500, False, 0)
    assert one.says == "shop: fewer than 500 visitors a day from Germany"
    assert one._replace(kind="unusual").says == "shop: visitors from Germany, unusual for its weekday"
    assert one._replace(key="", value="").says == "shop: fewer than 500 visitors a day"
