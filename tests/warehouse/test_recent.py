"""Ids that a retry could repeat: the same answers as a plain set gives."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from warehouse.recent import Recent, repeated

IDS = st.integers(0, 2**64 - 1) | st.integers(0, 20)


def ids(values: set[int]) -> np.ndarray:
    return np.array(sorted(values), np.uint64)


@given(st.lists(st.sets(IDS, max_size=30), max_size=12), st.sets(IDS, max_size=30))
def test_it_knows_what_was_added_and_nothing_else(added: list[set[int]], asked: set[int]) -> None:
    recent, known = Recent(), set[int]()
    for new in added:
        recent.add(ids(new - known)[::-1])
        known |= new
    assert recent.among(ids(asked)).tolist() == [one in known for one in sorted(asked)]


def test_runs_stay_few() -> None:
    recent = Recent()
    for k in range(1000):
        recent.add(np.arange(k * 10, k * 10 + 10, dtype=np.uint64))
    assert len(recent.runs) <= 11
    assert sum(map(len, recent.runs)) == 10_000


def test_workers_elsewhere_read_the_same(tmp_path: Path) -> None:
    recent = Recent(ids({5, 3}))
    recent.add(ids({2**64 - 1}))
    recent.save(tmp_path / "seen.npy")
    assert Recent.load(tmp_path / "seen.npy").among(ids({3, 4, 2**64 - 1})).tolist() == [True, False, True]


@given(st.lists(st.sets(st.integers(0, 30), max_size=10), max_size=6))
def test_an_id_belongs_to_the_first_stretch_that_has_it(stretches: list[set[int]]) -> None:
    again, seen = {}, set[int]()
    for k, one in enumerate(stretches):
        if one & seen:
            again[k] = one & seen
        seen |= one
    got = repeated([ids(one) for one in stretches])
    assert {k: set(some.tolist()) for k, some in got.items()} == again
