"""Columns of codes: whatever is done to them, the rows stay what they were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent_filter import advert
from consent_filter.fields import EVENT, FIELDS, RAW
from consent_filter.raw import Raw, column, combine, pair
from tests.consent_filter.rows import Row, batch

some = st.lists(st.sampled_from("abc"), min_size=1, max_size=8)


@given(some)
def test_a_column_is_its_rows(values: list[str]) -> None:
    found = column(values)
    assert found.rows() == values
    assert found.codes.dtype == np.int32
    assert len(found.values) == len(set(values))
    assert found.map(str.upper).rows() == found.few(str.upper).rows() == [v.upper() for v in values]
    some_rows = np.arange(0, len(values), 2)
    assert found.take(some_rows).rows() == values[::2]


@given(some)
def test_few_leaves_each_result_once(values: list[str]) -> None:
    for work in (lambda v: v == "a", lambda v: None, lambda v: v):
        found = column(values).few(work)
        assert found.rows() == [work(v) for v in values]
        assert len(found.values) == len(set(found.rows()))


@given(st.lists(st.tuples(*[st.sampled_from("abc")] * 3), min_size=1, max_size=8))
def test_pairs_and_combinations_are_those_of_the_rows(rows: list[tuple[str, str, str]]) -> None:
    left, middle, right = (column([row[i] for row in rows]) for i in range(3))
    assert pair(left, right).rows() == [(row[0], row[2]) for row in rows]
    assert combine([left, middle, right]).rows() == rows


@pytest.mark.requirement("M41")
def test_raw_has_every_column_of_its_catalogue() -> None:
    held = set(Raw.__struct_fields__)
    assert {field.name for field in FIELDS if field.raw} - held == {"ad_slot", "ad_creative", "ad_campaign"}
    assert set(advert.COLUMNS) <= set(EVENT.names)
    assert set(RAW.names) & set(EVENT.names) == {f.name for f in FIELDS if f.raw and f.keep is not None}
    assert batch([Row()]).n == 1
