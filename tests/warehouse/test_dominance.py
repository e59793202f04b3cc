"""The cut that the sum and a few parts say is the one that trying finds; parts stay under their wholes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse import plain
from warehouse.dominance import Limited, limit

PARTS = st.lists(st.one_of(st.integers(0, 4), st.integers(0, 100_000)), min_size=1, max_size=40)


def limited(parts: list[int], equals: int) -> Limited:
    top = np.zeros((1, equals - 1), np.int64)
    largest = sorted(parts, reverse=True)[: equals - 1]
    top[0, : len(largest)] = largest
    return limit(np.array([sum(parts)]), top, equals)


@pytest.mark.requirement("M54")
@given(PARTS, st.integers(1, 12))
def test_nobody_is_more_than_one_of_so_many(parts: list[int], equals: int) -> None:
    found = limited(parts, equals)
    assert found.total[0] == plain.undominated(parts, equals)
    assert found.largest[0] * equals <= found.total[0] or equals == 1
    if equals > 1:
        assert found.people[0] == sum(part > found.largest[0] for part in parts)


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=40), st.integers(1, 12)
)
def test_a_part_stays_no_larger_than_its_whole(both: list[tuple[int, int]], equals: int) -> None:
    part, whole = [min(pair) for pair in both], [max(pair) for pair in both]
    assert limited(part, equals).total[0] <= limited(whole, equals).total[0]
