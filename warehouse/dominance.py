"""Dominance: nobody is more than a tenth of a number of a row.

Whoever adds most is cut to a threshold t, the largest for which the row's number is at least `equals` (10)
times t: as if that many people, all alike, had made it. Where fewer people than that added anything there is
no such t, and the number is 0.

No more than `equals` - 1 people can be above t, so the sum and that many of the largest parts say what t is,
and both add up over buckets. Of two numbers of which one is a part of the other for everyone (bounces of
visits) the part stays no larger.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from warehouse.report import Report

Whole = NDArray[np.int64]


class Limited(NamedTuple):
    """Each row's number after the cut, the largest part that is left in it, and how many people were cut."""

    total: Whole
    largest: Whole
    people: Whole


def limit(total: Whole, top: Whole, equals: int) -> Limited:
    """Cut whoever dominates. `top`: a row for each number with the `equals` - 1 largest parts, descending,
    filled up with 0."""
    before = np.concatenate([np.zeros((len(total), 1), np.int64), np.cumsum(top, axis=1)], axis=1)
    threshold = (total[:, None] - before) // (equals - np.arange(equals))
    settled = np.concatenate([top <= threshold[:, :-1], np.ones((len(total), 1), np.bool_)], axis=1)
    cut = threshold[np.arange(len(total)), np.argmax(settled, axis=1)]
    kept = np.minimum(top, cut[:, None]).sum(axis=1) + total - before[:, -1]
    return Limited(kept, np.minimum(top.max(axis=1, initial=0), cut), (top > cut[:, None]).sum(axis=1))


def failing(report: Report, whole: pa.Table, least: int, equals: int) -> pa.Table:
    """The keys of rows that may be shown and in which someone is too much of some number, and of each sum
    whether it is that (`_<sum>`); `whole` as `cells.partial` has it."""
    rows = whole.filter(pc.equal(whole["level"], len(report.levels) - 1))
    found = rows.select(report.keys)
    if not report.people or equals == 1:
        return found.slice(0, 0)
    over, shown = pa.array(np.zeros(rows.num_rows, np.bool_)), pa.array(np.ones(rows.num_rows, np.bool_))
    for name in report.sums:
        mine = pc.greater(pc.multiply(rows[f"_{name}"], equals), rows[name])
        found, over = found.append_column(f"_{name}", mine), pc.or_(over, mine)
    for side in report.groups:
        shown = pc.and_(shown, pc.greater_equal(rows[side], least))
    return found.filter(pc.and_(over, shown))


def cut(
    report: Report, table: pa.Table, equals: int
) -> tuple[pa.Table, list[tuple[NDArray[np.bool_], str, Whole, Whole]]]:
    """Rows to be shown with nobody too much of any number. `table` has for each sum `_<sum>`, the largest
    part, and `top_<sum>`, the largest ones as a list where the row was found failing.

    Returns the table without the lists, and for each sum which rows were cut, by how much, of how many.
    """
    took = []
    for name in report.sums:
        total, largest = _numbers(table, name), _numbers(table, f"_{name}")
        over = largest * equals > total
        if equals > 1 and over.any():
            rows = np.flatnonzero(over)
            lists = table[f"top_{name}"].take(pa.array(rows)).combine_chunks()
            found = limit(total[rows], _matrix(lists, equals - 1), equals)
            lost, people = np.zeros_like(total), np.zeros_like(total)
            lost[rows], people[rows] = total[rows] - found.total, found.people
            total, largest = total.copy(), largest.copy()
            total[rows], largest[rows] = found.total, found.largest
            for column, values in ((name, total), (f"_{name}", largest)):
                table = table.set_column(table.column_names.index(column), column, pa.array(values))
            took.append((over, name, lost, people))
    return table.drop_columns([f"top_{name}" for name in report.sums]), took


def _numbers(table: pa.Table, name: str) -> Whole:
    return np.asarray(table[name].to_numpy(), np.int64)


def _matrix(lists: pa.ListArray, width: int) -> Whole:
    """Lists of at most `width` numbers as rows, filled up with 0."""
    found = np.zeros((len(lists), width), np.int64)
    lengths = np.asarray(pc.list_value_length(lists).to_numpy(zero_copy_only=False), np.int64)
    place = np.repeat(np.arange(len(lists)), lengths)
    inside = np.arange(len(place)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    found[place, inside] = lists.flatten().to_numpy()
    return found
