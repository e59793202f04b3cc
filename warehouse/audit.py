"""The audit: what is hidden does not follow from what is shown, looked at by linear programming.

Whoever reads a report and its totals in other reports has a system of equations: what is folded into one
row adds up to it, and what is hidden of a total is the total less the rows that are shown. Of every hidden
row the least and the most that it can be are found (HiGHS, as in SciPy), given these and that no number is
negative; they must be at least a group apart. The audit is stricter than a reader: it takes totals for exact,
as if nothing were moved, and as if nobody were in two rows.

Hidden rows that stand in the same equations are alike, and two of them can share what is theirs in any way:
so only a row that is alone in its equations is asked for. Rows that contain each other (`nested`) have no
such equations; they are shown by whole groups of difference.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from warehouse import report as reports
from warehouse.report import OTHER, Report

#: What an audit found: the report, the group, how many of its rows are hidden, how many of them can be told.
AUDITED = pa.schema(
    [("report", pa.string()), ("node", pa.string()), ("hidden", pa.int64()), ("told", pa.int64())]
)


class Hidden(NamedTuple):
    """The hidden rows of a report, alike ones counted together: node, `at` (the equations that they stand
    in), n, `named` (called "(other)" by whoever sent them: nothing is hidden of them), numbers."""

    report: Report
    rows: pa.Table


def gather(connection: duckdb.DuckDBPyConnection, report: Report) -> Hidden | None:
    """The hidden rows of `leaves`, given those of `shown` (`release.py`); None where there are none."""
    last = len(report.levels) - 1
    cases = " ".join(
        f"WHEN depth = {level} THEN {report.node(level - 1)} || repeat(chr(31) || '{OTHER}',"
        f" {last - level + 1})"
        for level in range(1, last + 1)
    )
    folded = f"CASE {cases} END" if report.fold and cases else "NULL::VARCHAR"
    margins = "".join(f", {_margin(report, total)} AS margin{n}" for n, total in enumerate(report.total))
    numbers = ["people", *(name for name in report.sums if name != "people")]
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in numbers)
    found = connection.sql(
        f"WITH rows AS (SELECT {report.node(0)} AS node, {report.node(last)} AS leaf, {folded} AS other,"
        f" cells, named{margins}, depth, {', '.join(numbers)} FROM leaves),"
        f" seen AS (SELECT {report.node(last)} AS leaf FROM shown)"
        " SELECT node, CASE WHEN other IN (SELECT leaf FROM seen) THEN other END AS other"
        f"{''.join(f', margin{n}' for n in range(len(report.total)))}, sum(cells)::BIGINT AS n,"
        f" bool_and(named) AS named, {sums} FROM rows"
        " WHERE depth > 0 OR leaf NOT IN (SELECT leaf FROM seen) GROUP BY ALL"
    ).to_arrow_table()
    return Hidden(report, found) if found.num_rows else None


def names(report: Report, table: pa.Table) -> set[str]:
    """The rows of a table, each as a text of its keys."""
    columns = [table[key].cast(pa.string()).to_pylist() for key in report.keys]
    return {"\x1f".join(words) for words in zip(*columns, strict=True)}


def _margin(report: Report, total: str) -> str:
    """The row of a total that a row is part of, as text; both name them by their keys."""
    keys = [key for key in reports.load()[total].keys if key in report.keys]
    named = " OR ".join(f"{key} = '{OTHER}'" for key in keys if key in report.fold) or "false"
    return (
        f"CASE WHEN NOT ({named}) THEN concat_ws(chr(31), {', '.join(f'{key}::VARCHAR' for key in keys)}) END"
    )


def audit(found: Iterable[Hidden], shown: Mapping[str, set[str]], least: int) -> pa.Table:
    """Look at hidden rows (AUDITED). `shown`: of the reports made in this run, the rows that are there; a
    total that is not among them is taken to be there."""
    rows = []
    for report, hidden in found:
        k = report.least(least)
        groups = defaultdict(list)
        for row in hidden.to_pylist():
            groups[row["node"]].append(row)
        for node, classes in groups.items():
            told = _told(report, classes, shown, k)
            rows.append(
                {"report": report.name, "node": node, "hidden": sum(c["n"] for c in classes), "told": told}
            )
    return pa.Table.from_pylist(rows, AUDITED)


def _told(report: Report, classes: list[dict[str, Any]], shown: Mapping[str, set[str]], k: int) -> int:
    """How many hidden rows of a group follow too closely from what is shown."""
    at: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in classes:
        known = [row["other"]]
        for n, total in enumerate(report.total):
            margin = row[f"margin{n}"]
            known.append(margin if total not in shown or margin in shown[total] else None)
        mine = at.setdefault(tuple(known), {"n": 0, "named": True} | dict.fromkeys(_numbers(report), 0))
        mine["n"] += row["n"]
        mine["named"] &= row["named"]
        for name in _numbers(report):
            mine[name] += row[name]
    alone = [i for i, mine in enumerate(at.values()) if mine["n"] == 1 and not mine["named"]]
    if not alone:
        return 0
    rows = list(at.values())
    stands = [[(place, value) for place, value in enumerate(known) if value is not None] for known in at]
    bound, told = _bound(stands), set()
    for i in alone:
        some = bound[i]
        equations = sorted({one for j in some for one in stands[j]})
        matrix = np.array([[float(one in stands[j]) for j in some] for one in equations])
        for name in _numbers(report):
            values = np.array([float(rows[j][name]) for j in some])
            wide = k if name == "people" else min(k, rows[i][name])
            if width(matrix, values, some.index(i)) < wide:
                told.add(i)
    return len(told)


def _bound(stands: Sequence[Sequence[Hashable]]) -> list[list[int]]:
    """Of each unknown those that equations bind to it, and itself: the others say nothing of it. `stands`: in
    which equations each stands."""
    within = defaultdict(list)
    for i, equations in enumerate(stands):
        for one in equations:
            within[one].append(i)
    found: list[list[int]] = [[] for _ in stands]
    for i in range(len(stands)):
        if found[i]:
            continue
        some, follow = {i}, [i]
        while follow:
            for one in stands[follow.pop()]:
                more = within.pop(one, [])  # once is enough
                follow += [j for j in more if j not in some]
                some.update(more)
        for j in some:
            found[j] = sorted(some)
    return found


def _numbers(report: Report) -> tuple[str, ...]:
    return ("people", *report.sums) if report.people else report.sums


def width(matrix: Any, values: Any, place: int) -> float:
    """How far apart the least and the most are that one of the unknowns can be, given that each equation (a
    row of `matrix`) has the value that the true `values` give it, and none is negative."""
    from scipy.optimize import linprog  # costs 0.3 s, and is seldom needed

    if not len(matrix):
        return np.inf
    if any(row[place] and row.sum() == 1 for row in matrix):
        return 0.0
    aim = np.zeros(len(values))
    aim[place] = 1.0
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(sign * aim, A_eq=matrix, b_eq=matrix @ values, bounds=(0, None), method="highs")
        if found.status == 3:  # without bound
            return np.inf
        ends.append(float(sign * found.fun))
    return ends[1] - ends[0]
