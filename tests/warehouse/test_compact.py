"""Which files are written anew, and what may be lost by it: nothing but what is over."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.sample import DAY, NOON
from warehouse.compact import CLOSED, QUARTER, File, Group, Rule, plan, smallest
from warehouse.decay import Due

NOW = NOON + 30 * 86_400
RULE = Rule(NOW, Due(date(2026, 10, 1)), open_files=8, file_rows=1000)


def iso(day: int) -> str:
    return f"2026-09-{day + 1:02d}"


def file(name: str, rows: int, day: int, received: float, ids: bool = True) -> File:
    return File(name, rows, (iso(day), iso(day)), (received, received), ids)


FILES = st.lists(
    st.builds(
        lambda rows, day, age, ids: (rows, day, age, ids),
        st.integers(1, 2000),
        st.integers(0, 3),
        st.integers(0, 100 * 3600),
        st.booleans(),
    ),
    max_size=60,
).map(lambda rows: [file(str(k), n, day, NOW - age, ids) for k, (n, day, age, ids) in enumerate(rows)])


@given(FILES, st.booleans())
def test_a_file_is_in_one_group_and_no_row_is_lost(files: list[File], tidy: bool) -> None:
    groups = plan(files, RULE, frozenset({"3"}), tidy=tidy)
    chosen = [path for group in groups for path in group.paths]
    assert len(chosen) == len(set(chosen))
    rows = {one.path: one.rows for one in files}
    assert all(group.rows == sum(rows[path] for path in group.paths) for group in groups)


@given(FILES)
def test_planning_again_finds_less_until_there_is_nothing(files: list[File]) -> None:
    """Merging ends: no file is written anew for ever. And few files are left."""
    for _ in range(20):
        groups = plan(files, RULE, tidy=True)
        if not groups:
            break
        chosen = {path: k for k, group in enumerate(groups) for path in group.paths}
        merged: list[list[File]] = [[] for _ in groups]
        for one in files:
            if one.path in chosen:
                merged[chosen[one.path]].append(one)
        files = [one for one in files if one.path not in chosen] + [_merge(some) for some in merged]
    assert not plan(files, RULE, tidy=True)
    over = NOW - 49 * 3600
    assert not [one for one in files if one.ids and one.received[1] < over]
    small = [one for one in files if one.received[1] < over and one.rows < RULE.file_rows]
    assert len(small) <= CLOSED


def _merge(some: list[File]) -> File:
    first = min(one.days[0] for one in some), max(one.days[1] for one in some)
    received = min(one.received[0] for one in some), max(one.received[1] for one in some)
    ids = any(one.ids for one in some) and received[1] >= NOW - 49 * 3600
    return File(f"+{some[0].path}", sum(one.rows for one in some), first, received, ids)


def test_files_whose_time_is_over_go_first() -> None:
    files = [file(str(k), 10, 0, NOW - 100) for k in range(20)]
    groups = plan(files, RULE, frozenset({"7"}))
    assert Group(("7",), 10) in groups
    assert sum("7" in group.paths for group in groups) == 1


def test_a_day_of_refreshes_stays_bounded_and_rewrites_little() -> None:
    """A refresh every 2.5 seconds: 34,560 files a day, as many as are open at once, and merges an event."""
    files, written, most, day = list[File](), 0, 0, DAY * 86_400.0
    rule = RULE._replace(open_files=32, file_rows=10**6)
    for k in range(34_560):
        now = day + k * 2.5
        files.append(file(str(k), 10, 0, now))
        tidy = k % 1440 == 0
        for group in plan(files, rule._replace(now=now), tidy=tidy):
            some = [one for one in files if one.path in group.paths]
            files = [one for one in files if one.path not in group.paths]
            files.append(_merge(some)._replace(path=f"{k}+", ids=True))
            written += group.rows
        most = max(most, len(files))
    assert most <= 64
    assert written / (34_560 * 10) < 8


def test_files_of_different_quarters_stay_apart_while_ids_are_needed() -> None:
    quarter = NOW // QUARTER * QUARTER
    files = [file("a", 1, 0, quarter - 1), file("b", 1, 0, quarter), file("c", 1, 0, quarter + 1)]
    for tidy in (True, False):
        for group in plan(files, RULE._replace(now=quarter + QUARTER + 1, open_files=4), tidy=tidy):
            assert group.paths == ("b", "c")


@given(st.lists(st.integers(1, 10**6), min_size=4, max_size=40))
def test_large_files_wait_for_others_of_their_size(rows: list[int]) -> None:
    files = [file(f"{k:02d}", n, 0, NOW) for k, n in enumerate(rows)]
    chosen = smallest(files, 2)
    assert [one.rows for one in chosen] == sorted(rows)[: len(chosen)]
    sizes = [one.rows for one in chosen]
    for k, (_, size) in enumerate(pairwise(sizes)):
        assert k + 1 < 2 or size <= sum(sizes[: k + 1])
