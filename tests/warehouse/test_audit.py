"""The audit's intervals are those that trying every table finds."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import audit, report
from warehouse.audit import width

#: A small table with its totals by row and by column, and which of its cells are hidden.
TABLES = st.tuples(
    st.lists(st.integers(0, 4), min_size=6, max_size=6),
    st.lists(st.booleans(), min_size=6, max_size=6).filter(any),
)


def by_trying(values: list[int], hidden: list[bool], place: int) -> int:
    """How far apart a hidden cell's ends are over all tables of two rows and three columns that have the
    same totals and the same cells that are not hidden."""
    true = np.array(values).reshape(2, 3)
    found = []
    for row in product(*(range(true[:, column].sum() + 1) for column in range(3))):
        one = np.array([row, true.sum(axis=0) - np.array(row)])
        same = (one == true) | np.array(hidden).reshape(2, 3)
        if (one.sum(axis=1) == true.sum(axis=1)).all() and same.all():
            found.append(int(one.reshape(-1)[place]))
    return max(found) - min(found)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_the_interval_of_a_hidden_cell_is_what_all_tables_leave(table: tuple[list[int], list[bool]]) -> None:
    values, hidden = table
    unknown = [place for place in range(6) if hidden[place]]
    equations: list[list[float]] = []
    for among in ([0, 1, 2], [3, 4, 5], [0, 3], [1, 4], [2, 5]):
        equations.append([float(place in among) for place in unknown])
    matrix: Any = np.array([one for one in equations if any(one)])
    mine = np.array([float(values[place]) for place in unknown])
    for n, place in enumerate(unknown):
        assert round(width(matrix, mine, n), 6) == by_trying(values, hidden, place)


def test_a_cell_in_no_equation_has_no_end() -> None:
    assert width(np.zeros((0, 2)), np.array([3.0, 4.0]), 0) == np.inf
    assert width(np.array([[1.0, 0.0]]), np.array([3.0, 4.0]), 1) == np.inf


#: Classes of hidden rows: of which "(other)" and of which row of a total each is, how many, and its numbers.
_CLASSES = st.lists(
    st.tuples(
        st.sampled_from([None, "a", "b"]),
        st.sampled_from([None, "x", "y", "z"]),
        st.integers(1, 2),
        st.booleans(),
        st.integers(0, 20),
    ),
    max_size=9,
)


@settings(max_examples=60, deadline=None)
@given(_CLASSES)
def test_rows_that_no_equation_binds_together_say_nothing_of_each_other(classes: list[Any]) -> None:
    of = next(one for one in report.load().values() if len(one.total) == 1 and one.people)
    rows = [
        {"other": other, "margin0": margin, "n": n, "named": named, "people": people}
        | dict.fromkeys(of.sums, people * 2)
        for other, margin, n, named, people in classes
    ]
    found = audit._told(of, rows, {}, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(audit, "_bound", lambda stands: [[*range(len(stands))]] * len(stands))
        assert found == audit._told(of, rows, {}, 5)
