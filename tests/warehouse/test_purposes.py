"""A question is for a purpose, and nothing outside it takes part: compared with filtering first (S7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from consent_filter.errors import Misconfigured, Refused
from tests.warehouse.purposes import Asked, differ
from warehouse import askable
from warehouse.query import on, unlock
from warehouse.relations import Days
from warehouse.settings import Warehouse
from warehouse.snapshot import latest


@pytest.mark.requirement("S7", "M64", "M65")
def test_questions_drawn_at_random_are_answered_as_if_filtered_first() -> None:
    assert not differ(120, 1, each=60)


@pytest.mark.requirement("S7")
def test_a_forgotten_filter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(self: Days, bit: int) -> None:
        self._con.execute("CREATE OR REPLACE TEMP VIEW events AS FROM facts")

    monkeypatch.setattr(Days, "_offer", forgetful)
    assert differ(30, 1)


@pytest.mark.requirement("S7", "M44")
@pytest.mark.parametrize(
    ("own", "silent"),
    [
        ("ad_click", {"person": 3, "type": "ad_impression", "time": "2026-08-31 23:59"}),
        ("ad_impression", {"person": 1, "type": "ad_impression", "time": "2026-08-31 23:59"}),
        ("ad_impression", {"person": 3, "type": "ad_impression", "time": "2026-09-01 00:00"}),
    ],
    ids=["what a click needs", "the same on the eve", "the same of another person"],
)
def test_no_verdict_hangs_on_a_row_that_allows_no_adverts(own: str, silent: dict[str, Any]) -> None:
    view = {"site": "shop", "ad_view": 3, "ad_campaign": "one"}
    mine = view | {"person": 1, "type": own, "purposes": 8, "time": "2026-09-01 00:01"}
    report = askable.report("adverts", ())
    alone = Asked([mine]).contributions(report)
    said = [Asked([mine, view | silent | {"purposes": allows}]).contributions(report) for allows in (1, 8)]
    assert said[0] == alone
    assert not alone <= said[1], "where it allows them it has a say: else nothing was looked at"


@pytest.mark.requirement("S7", "M64")
def test_a_column_of_another_purpose_can_not_be_made_askable(monkeypatch: pytest.MonkeyPatch) -> None:
    events = askable.BY_NAME["events"]
    for column in ("gender", "cell", "place", "ad_goal"):
        planted = msgspec.structs.replace(events, dimensions={column: f"coalesce({column}, '')"})
        monkeypatch.setitem(askable.BY_NAME, "events", planted)
        with pytest.raises(Misconfigured, match=column):
            askable.report.__wrapped__("events", (column,))


@pytest.mark.requirement("S7", "M65")
def test_a_session_for_a_purpose_reads_its_tables_and_joins_no_other(market: Path) -> None:
    file = latest(market)
    assert file is not None
    con, how = unlock(file, Warehouse()), Warehouse()
    try:
        made = dict(con.execute("SELECT name, purpose FROM reports").fetchall())
        ads = next(name for name, of in sorted(made.items()) if of == "ad_measurement")
        joined = f"SELECT count(*) FROM traffic_day JOIN {ads} USING (site, day)"
        assert on(con, joined, how).num_rows == 1
        assert on(con, "SELECT count(*) FROM traffic_day", how, "measurement").num_rows == 1
        for sql in (f"FROM {ads}", joined, f"SELECT (SELECT count(*) FROM {ads}) FROM traffic_day"):
            with pytest.raises(Refused, match="neither read nor joined") as caught:
                on(con, sql, how, "measurement")
            assert caught.value.status == 403
        with pytest.raises(Refused, match="neither read nor joined"):
            on(con, "FROM traffic_day", how, "ad_measurement")
        with pytest.raises(Refused, match="tables are made for"):
            on(con, "FROM traffic_day", how, "remarketing")
    finally:
        con.close()
