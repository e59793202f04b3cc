"""Answers as charts: of a statement and of a question, one for each number, one below the other."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from dashboards import charts, words
from dashboards.language import say
from warehouse.answer import shown
from warehouse.question import TIMES, Question
from warehouse.report import OTHER

#: The most rows of a statement that are drawn; numbers of an answer, and values of a dimension.
_DRAWN, _NUMBERS, _VALUES = 400, 3, 4
#: Of the column that they stand in, so that their words are of one size with those around them.
_WIDE, _TALL = 760, 210


class Figure(NamedTuple):
    """A chart and what it is of."""

    says: str
    chart: Markup


def number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def of_statement(answer: pa.Table | None, chart: str) -> dict[str, Any]:
    """The answer as `drawn` charts: its first column that is no number names the points, the first three
    after that which are numbers are their heights; or a word why there is none."""
    if answer is None or not chart:
        return {"drawn": [], "undrawn": ""}
    kinds = list(zip(answer.column_names, answer.schema.types, strict=True))
    label = next((name for name, kind in kinds if not number(kind)), kinds[0][0])
    heights = [name for name, kind in kinds if number(kind) and name != label][:_NUMBERS]
    if not heights or not answer.num_rows:
        return {"drawn": [], "undrawn": "A chart needs a column of names and one of numbers."}
    rows = answer.slice(0, _DRAWN)
    if pa.types.is_temporal(rows[label].type):
        rows = rows.sort_by(label)
    labels = [_label(value) for value in rows[label].to_pylist()]
    more = say(", the first {n} rows", n=_DRAWN) if answer.num_rows > _DRAWN else ""
    found = []
    for height in heights:
        title, values = say("{what} by {key}", what=height, key=label), rows[height].to_pylist()
        made = (
            charts.curve(labels, values, [None] * len(values), title, wide=_WIDE, tall=_TALL)
            if chart == "line"
            else charts.columns(labels, values, title, wide=_WIDE)
        )
        found.append(Figure(title + more, made))
    return {"drawn": found, "undrawn": ""}


def clock(question: Question) -> str:
    """What orders a question's answer by itself: the stretch of time, or the hour, that it is by."""
    return next((one for one in question.shown if one in TIMES or one == "hour"), "")


def of_question(question: Question | None, answer: pa.Table | None) -> list[Figure]:
    """The answer over time, where at most one word more tells its rows apart: each number; or, where there is
    such a word, the first number of its largest values. What is not told is a gap."""
    at = clock(question) if question else ""
    if question is None or answer is None or not at or len(question.shown) > 2:
        return []
    moments = _moments(at, answer[at].to_pylist())
    if len(moments) < 2:
        return []
    labels = [words.day(one, "day") if isinstance(one, date) else words.value(at, one) for one in moments]
    key = next((one for one in question.shown if one != at), "")

    def figure(rows: pa.Table, measure: str, of: str = "") -> Figure:
        told = dict(zip(rows[at].to_pylist(), rows[measure].to_pylist(), strict=True))
        title = say("{what} by {key}", what=words.column(measure), key=words.column(at))
        says = f"{title}: {of}" if of else title
        values, unit = [told.get(one) or None for one in moments], ""
        if measure.endswith("_ms"):
            values, unit = [one and one / 1000 for one in values], "s"
        return Figure(
            says, charts.curve(labels, values, [None] * len(values), says, unit, wide=_WIDE, tall=_TALL)
        )

    if not key:
        return [figure(answer, one) for one in question.measures[:_NUMBERS]]
    measure = question.measures[0]
    answer = answer.filter(pc.is_in(answer[at], pa.array(moments, answer[at].type)))
    sums = answer.group_by(key).aggregate([(measure, "sum")]).sort_by([(f"{measure}_sum", "descending")])
    largest = [one for one in sums[key].to_pylist() if one not in (None, OTHER)][:_VALUES]
    return [
        figure(answer.filter(pc.equal(answer[key], one)), measure, words.value(key, one)) for one in largest
    ]


def _moments(at: str, told: list[Any]) -> list[Any]:
    """All days, weeks, months or hours from the first to the last that is told."""
    known = sorted({one for one in told if one not in (None, OTHER)})
    if not known:
        return []
    first, last = known[0], known[-1]
    if at == "hour":
        return [f"{hour:02d}" for hour in range(int(first), int(last) + 1)]
    if at == "month":
        months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
        return [date(one // 12, one % 12 + 1, 1) for one in months]
    step = 7 if at == "week" else 1
    return [first + timedelta(days=n) for n in range(0, (last - first).days + 1, step)]


def _label(value: object) -> str:
    return words.day(value, "day") if isinstance(value, date) else shown(value)[:14]
