"""Released rows as the answer to a question: chosen, put together, and what is to be said of them.

Numbers of several days are added up, as everywhere on the pages: somebody who comes on two days is two. Never
are people of rows added that the question does not tell apart, since somebody may be in two of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
from msgspec import Struct

from warehouse.extensions import OFFLINE
from warehouse.question import TIMES, Question, quoted
from warehouse.report import OTHER, Report

#: Rows that an answer has at most.
MOST = 10_000


class Answer(Struct):
    """`table`: the shown columns, the measures, and `days`: of how many days a row's numbers are. question:
    in its one form. told: how many days are in it. left: why → days that are not. hidden: measure → how much
    more is in rows that were too small to be told apart, where the filter lets some of them through."""

    table: pa.Table
    question: str
    told: int
    left: dict[str, list[date]]
    hidden: dict[str, int]
    cut: bool = False

    def said(self) -> dict[str, Any]:
        """All but the table, as JSON has it."""
        left = {why: [day.isoformat() for day in days] for why, days in self.left.items()}
        return {
            "question": self.question, "days": self.told, "left_out": left, "hidden": self.hidden,
            "cut": self.cut,
        }  # fmt: skip


def shape(
    question: Question, report: Report, tables: Sequence[pa.Table], left: Mapping[str, list[date]]
) -> Answer:
    """The answer from the released rows of each day: a table for each."""
    kinds = {**dict.fromkeys(report.keys, pa.string()), "day": pa.date32()}
    names = (*report.keys, *report.groups, *report.sums)
    empty = pa.table({name: pa.array([], kinds.get(name, pa.int64())) for name in names})
    whole = pa.concat_tables([empty, *(table.cast(empty.schema) for table in tables)])
    con = _engine().cursor()
    try:
        con.register("released", whole)
        shown = question.shown
        by = [
            f"date_trunc('{one}', day)::DATE AS {one}" if one in ("week", "month") else one for one in shown
        ]
        sums = [f"sum({one})::BIGINT AS {one}" for one in question.measures]
        order = f"{question.order} {question.way}, " if question.order in (*shown, *question.measures) else ""
        if not order:
            time = next((one for one in shown if one in TIMES), None)
            order = f"{time}, " if time else f"{question.measures[0]} DESC, "
        most = min(question.limit or MOST, MOST)
        table = con.sql(
            f"SELECT {', '.join([*by, *sums])}, count(DISTINCT day)::BIGINT AS days FROM released"
            f" WHERE {_where(question)} GROUP BY ALL {'HAVING count(*) > 0' if not by else ''}"
            f" ORDER BY {', '.join([order.rstrip(', '), *shown])} LIMIT {most + 1}"
        ).to_arrow_table()
        hidden = _hidden(con, question)
    finally:
        con.close()
    told = sum(one.num_rows > 0 for one in tables)
    cut = table.num_rows > MOST and not question.limit
    return Answer(table.slice(0, most), str(question), told, dict(left), hidden, cut)


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Begun once: that takes as long as a question."""
    return duckdb.connect(":memory:", config={**OFFLINE, "enable_external_access": "false", "threads": "1"})


def _where(question: Question) -> str:
    said = [_lets(one.key, one.values, one.out) for one in question.where]
    return " AND ".join(said) or "true"


def _lets(key: str, values: Sequence[str], out: bool) -> str:
    return f"{key} {'NOT IN' if out else 'IN'} ({', '.join(map(quoted, values))})"


def _hidden(con: duckdb.DuckDBPyConnection, question: Question) -> dict[str, int]:
    """How much of each measure but people stands in folded rows that the filter may reach into, and that are
    not in the answer."""
    if not question.where:
        return {}
    may = " AND ".join(
        f"({one.key} = '{OTHER}' OR {_lets(one.key, one.values, one.out)})" for one in question.where
    )
    names = [one for one in question.measures if one != "people"]
    if not names:
        return {}
    sums = ", ".join(f"coalesce(sum({one}), 0)::BIGINT" for one in names)
    row = con.execute(f"SELECT {sums} FROM released WHERE {may} AND NOT ({_where(question)})").fetchone()
    assert row is not None
    return {name: n for name, n in zip(names, row, strict=True) if n}
