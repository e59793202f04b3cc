"""What follows from figures together: held against every subset of small cubes, tried one by one (S8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.attack.algebra import isolated, loose
from warehouse.attack.bounds import Interval, bounds
from warehouse.attack.figures import Condition, Figure, Meaning, figures
from warehouse.attack.subtract import subtract

K = 5
DAY = date(2026, 9, 1)


@st.composite
def cubes(draw: st.DrawFn) -> tuple[list[int], list[list[int]]]:
    """How many people are in each of a few atoms, and which atoms each figure is the sum of."""
    people = draw(st.lists(st.integers(0, 12), min_size=2, max_size=6))
    atoms = st.sets(st.integers(0, len(people) - 1), min_size=1)
    rows = draw(st.lists(atoms, min_size=1, max_size=6))
    return people, sorted((sorted(row) for row in rows), key=len)


def follows(rows: Sequence[Sequence[int]], region: Sequence[int], atoms: int) -> bool:
    """Whether a region is a combination of figures: by the rank of a matrix, and so in another way."""
    matrix = np.zeros((len(rows) + 1, atoms))
    for n, row in enumerate(rows):
        matrix[n, list(row)] = 1
    matrix[-1, list(region)] = 1
    return bool(np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(matrix[:-1]))


def oracle(people: Sequence[int], rows: Sequence[Sequence[int]]) -> bool:
    """Whether any set of atoms that follows is of somebody and of too few: all subsets."""
    return any(
        0 < sum(people[atom] for atom in region) < K and follows(rows, region, len(people))
        for size in range(1, len(people) + 1)
        for region in combinations(range(len(people)), size)
    )


@pytest.mark.requirement("S8")
@given(cubes())
@settings(max_examples=150, deadline=None)
def test_a_group_too_small_is_found_if_and_only_if_there_is_one(
    cube: tuple[list[int], list[list[int]]],
) -> None:
    people, rows = cube
    values = [float(sum(people[atom] for atom in row)) for row in rows]
    found = list(isolated(rows, values, [0.0] * len(rows), K))
    for one in found:
        assert one.value == sum(people[atom] for atom in one.atoms)
        assert follows(rows, sorted(one.atoms), len(people))
        made = [Fraction(0)] * len(people)
        for figure, by in one.made_of.items():
            for atom in rows[figure]:
                made[atom] += by
        assert {atom for atom, by in enumerate(made) if by} == one.atoms
        assert set(made) <= {0, 1}
    assert bool(found) == oracle(people, rows)


@pytest.mark.requirement("S8")
@given(cubes())
@settings(max_examples=60, deadline=None)
def test_least_and_most_are_those_of_every_way_to_fill_a_cube(
    cube: tuple[list[int], list[list[int]]],
) -> None:
    people = [n % 4 for n in cube[0][:4]]
    rows = [row for row in ([atom for atom in row if atom < len(people)] for row in cube[1]) if row]
    rows.append(list(range(len(people))))
    values = [float(sum(people[atom] for atom in row)) for row in rows]
    ways = [
        way
        for way in product(range(int(values[-1]) + 1), repeat=len(people))
        if all(sum(way[atom] for atom in row) == value for row, value in zip(rows, values, strict=True))
    ]
    found = bounds(rows, values, [0.0] * len(rows), [[atom] for atom in range(len(people))])
    for atom, interval in enumerate(found):
        assert interval == Interval(min(way[atom] for way in ways), max(way[atom] for way in ways))


def test_noise_covers_a_difference_that_is_less_than_it() -> None:
    rows, values = [[0], [0, 1]], [50.0, 53.0]
    assert [one.value for one in isolated(rows, values, [0.0, 0.0], K)] == [3]
    assert list(isolated(rows, values, [0.9, 0.9], K))
    assert not list(isolated(rows, values, [1.5, 1.5], K))
    assert loose([[0, 1], [0, 2], [1, 2, 3]])
    assert not loose(rows)


def figure(
    value: float, begins: int = 0, ends: int = 24, *, unit: str = "day", off: float = 0, **where: str
) -> Figure:
    conditions = tuple(
        Condition(key, (word.removeprefix("not "),), word.startswith("not ")) for key, word in where.items()
    )
    measure = "measurement:people" if unit else "measurement:events"
    return Figure(measure, unit, ("s",), begins, ends, conditions, value, off, "t")


@pytest.mark.requirement("S8")
@pytest.mark.parametrize(
    ("first", "second", "isolates"),
    [
        # A complement beside the whole and the part: all three, or two of them.
        (figure(100), figure(97, country="DE"), True),
        (figure(100), figure(97, country="not DE"), True),
        (figure(100), figure(80, country="DE"), False),
        # A page is seen by many who see others too: the difference still is who did not see it.
        (figure(100), figure(97, path="/"), True),
        # Another time zone: a day of 24 hours, and one that begins two hours later and ends with it.
        (figure(400, unit=""), figure(398, 2, unit=""), True),
        (figure(400, unit=""), figure(300, 2, unit=""), False),
        # Shifted: neither contains the other, and nothing follows.
        (figure(100), figure(97, 2, 26), False),
        # Months of the same people do not add up: who is in the whole and not in the part is a group.
        (figure(100, 0, 2160, unit="3 months"), figure(97, 0, 720, unit="month"), True),
        # Noise covers it.
        (figure(100, off=6), figure(97, country="DE"), False),
    ],
)  # fmt: skip
def test_overlaps_of_two_deliveries(first: Figure, second: Figure, isolates: bool) -> None:
    assert subtract([first], 10) == []
    assert subtract([second], 10) == []
    assert bool(subtract([first, second], 10)) is isolates


@pytest.mark.requirement("S8")
def test_a_finding_needs_more_than_two_figures_and_says_which() -> None:
    parts = [figure(40, country="DE"), figure(30, country="US"), figure(28, country="FR")]
    assert subtract(parts, 10) == []
    (found,) = subtract([figure(101), *parts], 10)
    assert "country FR" in found.says
    assert "101" not in found.says
    assert " 3" not in found.says


def test_two_keys_without_a_table_that_crosses_them_give_nothing_together() -> None:
    assert subtract(
        [figure(100), figure(60, country="DE"), figure(40, country="not DE"), figure(55, device="mobile"),
         figure(45, device="not mobile")], 10,
    ) == []  # fmt: skip


def test_tables_become_figures_in_hours_of_utc_and_the_folded_row_is_the_rest() -> None:
    rows = [
        {"site": "s", "day": DAY, "country": word, "people": n} for word, n in (("DE", 60), ("(other)", 20))
    ]
    meaning = Meaning("countries", ("site", "day", "country"), {"people": 0}, zones={"s": "Europe/Berlin"})
    named, rest = figures(pa.Table.from_pylist(rows), meaning)
    assert named.ends - named.begins == 24
    assert named.begins % 24 == 22  # midnight in Berlin, in summer
    assert rest.where[0].other
    assert rest.where[0].words == ("DE",)
    month = figures(
        pa.Table.from_pylist([{"site": "s", "month": "2026-10", "people": 50}]),
        Meaning("growth", ("site", "month"), {"people": 0}, zones={"s": "Europe/Berlin"}),
    )[0]
    assert month.ends - month.begins == 31 * 24 + 1  # the clock goes back in October
    assert month.unit == "month"
