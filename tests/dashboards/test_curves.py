"""Answers as charts: what is drawn of them, in which order, and what stays a gap."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from dashboards import curves
from dashboards.charts import nice
from dashboards.explore_page import _told
from warehouse.question import read
from warehouse.report import OTHER

DAYS = [date(2026, 11, 3), date(2026, 11, 1), date(2026, 11, 6)]


def _table(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


@pytest.mark.parametrize("most", [1, 4, 4.5, 9, 10.5, 41, 47, 99, 100, 101, 480, 999, 12_345])
def test_the_four_lines_of_a_curve_are_whole_numbers(most: float) -> None:
    """Of 50 they were 12, 25, 38 and 50. Planted: steps as before."""
    assert nice(most) >= most
    assert nice(most) % 4 == 0


def test_days_that_are_not_told_are_a_gap() -> None:
    """Planted: only days that are told, so that a line goes over the gap."""
    (one,) = curves.of_question(read("people by day"), _table(day=DAYS, people=[30, 20, 10]))
    assert one.says == "visitors by day"
    wide = one.chart.partition("</svg>")[0]
    assert re.findall(r'"t0"[^>]*>([^<]*)<', wide) == ["1 Nov", "3 Nov", "6 Nov"]
    assert "polyline" not in wide, "no two of them follow each other"
    assert wide.count("dot alone") == 3


def test_each_number_is_drawn_or_each_of_the_largest_values() -> None:
    both = curves.of_question(
        read("people, views by day"), _table(day=DAYS, people=[30, 20, 10], views=[3, 2, 1])
    )
    assert [one.says for one in both] == ["visitors by day", "views by day"]
    where = _table(
        hour=["09", "10", "09", "11", "09", OTHER],
        country=["DE", "DE", "US", "US", OTHER, "PH"],
        people=[10, 11, 30, 12, 99, 80],
    )
    found = curves.of_question(read("people by hour, country"), where)
    assert [one.says for one in found] == ["visitors by hour: United States", "visitors by hour: Germany"]
    assert ">10:00<" in found[0].chart
    assert curves.of_question(read("people by country"), _table(country=["DE"], people=[10])) == []
    assert curves.of_question(read("people by day, country, device"), where) == []


def test_an_answer_by_time_is_in_its_order_unless_another_was_asked_for() -> None:
    answer = _table(hour=["21", "09", "11"], people=[43, 15, 34], days=[1, 1, 1])
    assert _told(read("people by hour"), answer, 1).to_pydict() == {
        "hour": ["09", "11", "21"], "people": [15, 34, 43],
    }  # fmt: skip
    asked = _told(read("people by hour order by people desc"), answer, 2)
    assert asked.to_pydict() == answer.to_pydict()


def test_each_number_of_a_statement_is_drawn() -> None:
    answer = _table(day=DAYS, people=[30, 20, 10], views=[3, 2, 1], visits=[1, 1, 1], events=[9, 9, 9])
    drawn = curves.of_statement(answer, "line")["drawn"]
    assert [one.says for one in drawn] == ["people by day", "views by day", "visits by day"]
    assert curves.of_statement(_table(a=["x"]), "bars")["undrawn"]
