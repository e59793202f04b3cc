"""A list added up in memory is the list that its statement gives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pyarrow as pa
import pytest

from dashboards import numbers
from dashboards.numbers import Numbers
from dashboards.panels import BY_NAME, DEALS, SOURCES, Panel
from dashboards.period import Period
from tests.warehouse.tables import LAST, fill, published
from warehouse.reader import Reading
from warehouse.released import Store


def back(first: int, last: int) -> Period:
    """From so many days before the newest to so many."""
    return Period(LAST - timedelta(days=first), LAST - timedelta(days=last), "custom")


SPANS = (
    (back(6, 0), None),
    (back(6, 0), (back(6, 0), back(13, 7))),
    (back(6, 0), (back(6, 1), back(13, 8))),
    (back(0, 0), (back(0, 0), back(400, 380))),
    (back(30, 20), None),
)


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    """With many rows of one size, rows that are not there on each day, numbers that are not known, and (of
    twenty days) a name that stands in one of two keys."""
    data = tmp_path_factory.mktemp("tallied")
    fill(data, days=20, sites=("market", "blog"))
    store = Store.open(data)
    for panel in BY_NAME.values():
        first, key = panel.sums[0], ", ".join(panel.keys)
        change = store.connection.execute
        change(f"UPDATE {panel.report} SET {first} = 10 + 10 * (hash({key}) % 2)")
        change(f"DELETE FROM {panel.report} WHERE hash(day, {key}) % 4 = 0")
    change("UPDATE sources SET referrer_host = '(other)' WHERE hash(referrer_host) % 5 = 0")
    change("UPDATE marketplace SET others = NULL WHERE deal = 'bid_accepted'")
    with published(data, store) as one:
        yield one


@pytest.mark.parametrize("panel", BY_NAME.values(), ids=list(BY_NAME))
def test_what_is_added_up_in_memory_is_what_the_statement_says(
    reading: Reading, panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: a day too many, ties by another order, the period for its whole days, no end of a list."""
    for site in ("market", "blog"):
        for now, fair in SPANS:
            for most, rates in ((3, False), (50, True)):
                ask = Numbers(reading, site, now)
                said = ask.panel(panel, most, fair, rates=rates)
                with monkeypatch.context() as without:
                    without.setattr(numbers, "SHORT", -1)
                    asked = ask.panel(panel, most, fair, rates=rates)
                for n in range(len(panel.rates)):
                    mine, theirs = ([row.pop(f"rate{n}", 0) for row in one["rows"]] for one in (said, asked))
                    assert mine == pytest.approx(theirs, rel=1e-12)
                assert said == asked


def test_a_report_is_read_once_for_all_lists_of_it(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    table = Reading.table

    def noted(self: Reading, sql: str, values: Sequence[object] = ()) -> pa.Table:
        said.append(sql)
        return table(self, sql, values)

    monkeypatch.setattr(Reading, "table", noted)
    for days in (3, 9):
        Numbers(reading, "market", back(days, 0)).panel(SOURCES)
    assert len(said) <= 1


def test_what_is_not_known_is_asked_of_the_statement(reading: Reading) -> None:
    held = Numbers(reading, "market", back(19, 0))._held(DEALS)
    assert held is not None
    assert held["others"].null_count
