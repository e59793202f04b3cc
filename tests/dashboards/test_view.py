"""What somebody looks at, in the address and back; days that are compared, and stretches that add up."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from consent_filter.errors import Refused
from dashboards.period import COMPARED, GRAINS, PRESETS, Period, compared, stretches
from dashboards.view import Filter, View, read
from warehouse.askable import DIMENSIONS

SITES: list[dict[str, Any]] = [
    {"site": "market", "oldest": date(2024, 1, 1), "newest": date(2026, 11, 22)},
    {"site": "blog", "oldest": date(2026, 11, 1), "newest": date(2026, 11, 20)},
]
DAYS = st.dates(date(2024, 1, 1), date(2027, 12, 31))
PERIODS = st.tuples(DAYS, st.integers(0, 799)).map(
    lambda one: Period(one[0], one[0] + timedelta(days=one[1]), "custom")
)


def at(text: str) -> View:
    return read(QueryParams(text), SITES)


@given(
    site=st.sampled_from(["market", "blog"]),
    span=st.one_of(PERIODS.map(lambda one: one.query), st.sampled_from([{"period": p} for p in PRESETS])),
    grain=st.sampled_from(GRAINS),
    compare=st.sampled_from(COMPARED),
    where=st.dictionaries(st.sampled_from(DIMENSIONS), st.text(min_size=1, max_size=9), max_size=2),
    live=st.booleans(),
)
def test_an_address_that_a_view_writes_is_that_view(
    site: str, span: dict[str, str], grain: str, compare: str, where: dict[str, str], live: bool
) -> None:
    parts = [("site", site), *span.items(), ("grain", grain), ("compare", compare)]
    parts += [("where", f"{key}:{value}") for key, value in where.items()] + [("live", "")] * live
    view = read(QueryParams(parts), SITES)
    assert at(urlsplit(view.at("/csv/pages.csv")).query).where == (), "a file is of everybody"
    written = urlsplit(view.at("/pages")).query
    assert at(written) == view
    assert parse_qsl(written, keep_blank_values=True) == view.query()
    assert at(urlsplit(view.at("/", site="blog")).query).where == (view.where if site == "blog" else ())


def test_what_is_not_said_is_not_written_and_a_new_period_ends_the_dates() -> None:
    assert at("").at("/") == "/?site=market&period=28"
    view = at("site=blog&first=2026-11-02&last=2026-11-09&grain=week&show=views&where=country:DE&utm=x")
    assert view.at("/") == (
        "/?site=blog&first=2026-11-02&last=2026-11-09&grain=week&show=views&where=country%3ADE"
    )
    assert "first" not in view.at("/", period="7")
    narrowed = view.with_filter("path", "/a:b|c")
    assert narrowed is not None
    assert narrowed.where == (Filter("country", "DE"), Filter("path", "/a:b|c"))
    assert narrowed.with_filter("device", "mobile") is None, "two at once"
    assert view.with_filter("path", "(other)") is None
    assert view.with_filter("week", "x") is None


@pytest.mark.parametrize(
    "text",
    ["grain=minute", "compare=x", "where=country", "where=person:1", "period=3", "site=none",
     "where=country:DE&where=device:a&where=os:b"],
)  # fmt: skip
def test_what_can_not_be_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        at(text)


@given(PERIODS, st.sampled_from(["day", "week", "month"]))
def test_what_is_compared_has_the_same_weekdays_or_the_same_dates(span: Period, grain: str) -> None:
    before, year = compared({}, span, grain), compared({"compare": "year"}, span, grain)
    assert before is not None
    assert year is not None
    assert before.last == span.first - timedelta(days=1)
    if span.whole_months:
        assert before.whole_months == span.whole_months
    else:
        assert before.days == span.days
    if grain == "month" or span.whole_months:
        assert (year.first.month, year.first.year) == (span.first.month, span.first.year - 1)
        assert year.whole_months == span.whole_months or not span.whole_months
    else:
        assert [day.weekday() for day in year.all()] == [day.weekday() for day in span.all()]
        assert 363 < (span.first - year.first).days < 365


@given(PERIODS, st.sampled_from(["day", "week", "month"]))
def test_stretches_are_the_period_and_say_where_it_cuts_them(span: Period, grain: str) -> None:
    found = stretches(span, grain)
    assert found[0].begins <= span.first <= span.last
    assert [one.begins for one in found] == sorted({one.begins for one in found})
    assert [n for n, one in enumerate(found) if one.cut and 0 < n < len(found) - 1] == []
    assert not found[0].cut or grain != "day"
    if grain == "month" and span.whole_months:
        assert len(found) == span.whole_months
        assert not any(one.cut for one in found)
