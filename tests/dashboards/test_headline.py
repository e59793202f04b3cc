"""The head of a page in each grain, beside other days: against the tables, added up by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from starlette.datastructures import QueryParams

from dashboards import headline, missing, numbers
from dashboards.numbers import METRICS, Numbers
from dashboards.panels import COUNTRIES
from dashboards.view import View, read
from tests.warehouse.tables import LAST, published, put, table
from warehouse import report as reports
from warehouse.reader import Reading
from warehouse.released import Store

_READ = ("balance", "traffic_day", "traffic_hour", "sessions", "countries")


@pytest.fixture(scope="module")
def reading(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reading]:
    data = tmp_path_factory.mktemp("grains")
    store = Store.open(data)
    for one in reports.load().values():
        rows = table(one, 75, ("market",), LAST)
        put(store, one, rows if one.name in _READ else rows.slice(0, 0))
    for name in ("traffic_day", "sessions"):  # one day of each is of too few people
        store.connection.execute(f"DELETE FROM {name} WHERE day = ?", [LAST - timedelta(days=3)])
    with published(data, store) as one:
        yield one


def seen(reading: Reading, text: str) -> tuple[Numbers, View]:
    view = read(QueryParams(text), numbers.published_sites(reading))
    return Numbers(reading, view.site, view.period), view


def day_rows(reading: Reading, report: str, column: str) -> dict[date, int]:
    rows = reading.rows(f"SELECT day, sum({column})::BIGINT AS v FROM {report} GROUP BY day")
    return {row["day"]: row["v"] for row in rows}


def test_weeks_are_added_up_and_people_of_a_week_are_not(reading: Reading) -> None:
    """Planted: people of a week added up, and a mean over days that were not released."""
    ask, view = seen(reading, "first=2026-11-04&last=2026-11-22&grain=week")
    weeks = [(date(2026, 11, 4), 5), (date(2026, 11, 9), 7), (date(2026, 11, 16), 7)]
    views, people = day_rows(reading, "traffic_day", "views"), day_rows(reading, "traffic_day", "people")
    spans = [[first + timedelta(days=n) for n in range(days)] for first, days in weeks]
    line = headline.curve(ask.daily, ask.hourly, view, METRICS["views"])
    assert line.labels == ["2 Nov", "9 Nov", "16 Nov"]
    assert line.now == [sum(views.get(day, 0) for day in span) for span in spans]
    assert line.parts == {0}, "the first begins on Monday, the period on Wednesday"
    assert line.note == ""
    line = headline.curve(ask.daily, ask.hourly, view, METRICS["people"])
    means = [[people[day] for day in span if day in people] for span in spans]
    assert line.now == [sum(one) / len(one) for one in means]
    assert len(means[2]) == 6
    assert "mean of its days" in line.note
    bounces, visits = day_rows(reading, "sessions", "bounces"), day_rows(reading, "sessions", "visits")
    rate = headline.curve(ask.daily, ask.hourly, view, METRICS["bounce"]).now[1]
    assert rate == pytest.approx(100 * sum(bounces[d] for d in spans[1]) / sum(visits[d] for d in spans[1]))


def test_a_day_without_a_number_is_a_gap_and_hours_are_hours(reading: Reading) -> None:
    ask, view = seen(reading, "period=7&show=views")
    line = headline.curve(ask.daily, ask.hourly, view, METRICS["views"])
    assert [value is None for value in line.now] == [n == 3 for n in range(7)]
    assert None not in line.before
    ask, view = seen(reading, "period=7&grain=hour")
    line = headline.curve(ask.daily, ask.hourly, view, METRICS["views"])
    assert (len(line.now), line.labels[25]) == (168, "Tue 17 Nov 1:00")
    assert sum(v or 0 for v in line.now) == sum(
        row["v"]
        for row in reading.rows("SELECT views::BIGINT AS v FROM traffic_hour WHERE day > '2026-11-15'")
    )
    line = headline.curve(ask.daily, ask.hourly, view, METRICS["bounce"])
    assert (line.grain, line.note) == ("day", "There is none by the hour, so days are shown.")


def test_only_what_is_alike_is_compared(reading: Reading) -> None:
    """Whole days, of times that were counted; a list by its rows."""
    ask, view = seen(reading, "period=28")
    spans, why = headline.fair(view, ask.oldest())
    assert (spans, why) == ((view.period, view.against), "")
    views = day_rows(reading, "traffic_day", "views")
    new, old = (sum(views.get(day, 0) for day in one.all()) for one in spans or ())
    (found,) = [one for one in headline.headline(ask.daily, view, spans) if one["name"] == "views"]
    assert found["change"] == pytest.approx(100 * (new - old) / old)
    rows = ask.panel(COUNTRIES, fair=spans)["rows"]
    for row in rows:
        sql = "SELECT sum(people)::BIGINT AS v FROM countries WHERE country = ? AND day BETWEEN ? AND ?"
        lately, before = (
            reading.rows(sql, [row["country"], one.first, one.last])[0]["v"] for one in spans or ()
        )
        assert row["change"] == pytest.approx(100 * (lately - before) / before)
        assert row["people"] == lately
    ask, view = seen(reading, "period=90")
    assert headline.fair(view, ask.oldest())[0] is None
    assert "nothing was counted before 9 Sep 2026" in headline.fair(view, ask.oldest())[1]
    ask, view = seen(reading, "period=7")
    running = type(view)(
        **{f: getattr(view, f) for f in view.__struct_fields__} | {"whole": date(2026, 11, 19)}
    )
    spans, why = headline.fair(running, ask.oldest())
    assert spans is not None
    assert [(one.first.day, one.last.day) for one in spans] == [(16, 19), (9, 12)]
    assert "whole days, up to 19 Nov" in why
    assert headline.curve(ask.daily, ask.hourly, running, METRICS["views"]).parts == {6}


def test_a_page_without_numbers_says_why(reading: Reading) -> None:
    for text, kind in (
        ("first=2026-01-01&last=2026-01-02", "outside"), ("first=2027-01-01", "outside"),
        ("first=2026-11-19", "suppressed"),
    ):  # fmt: skip
        ask, view = seen(reading, text)
        assert missing.of_period(ask, view, 10).kind == kind
    old = {"time": 0.0}
    assert missing.stale(old, seen(reading, "period=7")[1])
    assert missing.stale(old, seen(reading, "first=2026-11-01&last=2026-11-02")[1]) is None
