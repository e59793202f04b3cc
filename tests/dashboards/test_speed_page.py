"""The page on speed and errors: three quarters from bands, and no mark where it could be another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from consent_filter.performance import VITALS, limits
from dashboards.quartiles import BANDS, said, speed
from tests.dashboards.asking import Asking, asking
from tests.warehouse.tables import LAST, fill, put
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish


def row(*bands: int, lost: int = 0) -> dict[str, int]:
    return dict(zip(BANDS, bands, strict=True)) | {"people": sum(bands) + lost}


@pytest.mark.requirement("M47")
def test_three_quarters_are_where_the_bands_say() -> None:
    one = speed("LCP", row(50, 25, 25, 0, 0, 0))
    assert (one.at, one.mark, one.parts) == (2500, "good", (75, 25, 0, 0))
    assert speed("LCP", row(50, 0, 50, 0, 0, 0)).at == 2500 + 750 / 2
    assert speed("CLS", row(0, 0, 0, 100, 0, 0)).mark == "to be improved"
    poor = speed("INP", row(10, 10, 0, 0, 0, 80))
    assert (poor.at, poor.mark, said("INP", poor.at)) == (None, "poor", "over 1.0 s")
    assert speed("LCP", row(49, 0, 0, 0, 0, 0)).mark == "", "under fifty nothing is said"


@pytest.mark.requirement("M47")
def test_no_mark_is_given_that_people_who_are_not_told_could_change() -> None:
    assert speed("LCP", row(0, 80, 0, 0, 0, 0, lost=20)).mark == "good"
    assert speed("LCP", row(0, 80, 0, 0, 0, 0, lost=30)).mark == "", "all of them may have waited long"
    assert speed("LCP", row(60, 0, 30, 0, 0, 0, lost=9)).mark == "to be improved"


def test_a_report_has_the_limits_that_the_filter_bands_by() -> None:
    sql = reports.load()["speed"].sql
    found = re.findall(r"\('(\w+)', ([\d.]+)(?:::DOUBLE)?, ([\d.]+)(?:::DOUBLE)?\)", sql)
    assert {name: (float(good), float(poor)) for name, good, poor in found} == VITALS
    assert all(list(limits(*both)) == sorted(set(limits(*both))) for both in VITALS.values())


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    data = tmp_path_factory.mktemp("speed")
    fill(data, days=8, sites=("market", "blog"))
    at: dict[str, Any] = {"site": "market", "day": LAST}
    parts = [
        ("LCP", "device", "mobile", row(100, 100, 100, 60, 40, 0)),
        ("LCP", "device", "desktop", row(300, 60, 40, 0, 0, 0)),
        ("LCP", "page", "/slow", row(0, 0, 0, 20, 40, 40)),
        ("LCP", "page", "/rare", row(30, 0, 0, 0, 0, 0)),
        ("CLS", "device", "mobile", row(0, 70, 0, 0, 0, 0, lost=40)),
    ]
    speeds = [at | {"vital": vital, "cut": cut, "part": part} | bands for vital, cut, part, bands in parts]
    errors = [at | {"error": "TypeError", "path": "/", "people": 30, "errors": 40}]
    store = Store.open(data)
    for name, rows in (("speed", speeds), ("page_errors", errors)):
        one = reports.load()[name]
        store.connection.execute(f"DELETE FROM {name}")
        table = pa.Table.from_pylist(rows).select([*one.keys, "people", *one.sums])
        put(store, one, table)
    publish(data, Warehouse(), store)
    store.close()
    with asking(data) as found:
        yield found


def text(found: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", re.sub("</?bdi>", "", found)).split())


@pytest.mark.requirement("M47")
def test_the_page_says_how_long_three_quarters_wait_and_what_went_wrong(market: Asking) -> None:
    page = market.get("/speed?period=7").text
    said_ = text(page)
    assert "LCP until the largest thing is painted 2.7 s" in said_
    assert "visitors /slow over 8.0 s poor 100 /rare – not enough" in said_
    assert "too near to say" in said_, "40 of 110 people are in no band that is told"
    assert 'aria-label="560 good, 200 to be improved, 40 poor, 0 not told"' in page
    assert "TypeError 40 30" in said_
    assert "CLS: Devices" in text(market.get("/speed?vital=CLS").text)
    assert market.get("/speed?vital=FID").status_code == 400
    assert "/p.js" in market.get("/speed?site=blog&first=2020-01-01&last=2020-01-02").text
