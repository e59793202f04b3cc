"""Exact linear algebra over figures: which sets of people have a number that follows from what is published.

Atoms are the finest regions that figures tell apart; a figure is the sum of its atoms. A region (a set of
atoms) is isolated if its indicator is a combination of the figures'. In reduced echelon form the coefficients
of such a combination are the region's own entries at the pivots, so they are 0 or 1: a small search, exact in
fractions, where over the figures themselves any rational might be needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

Row = dict[int, Fraction]
#: Atoms in one block above which no combinations are searched: single atoms still are.
MOST = 400
#: More than HiGHS takes for nothing (1e-6): otherwise nobody would be somebody.
EDGE = 1e-3
#: Seconds that one search may take; what it has not found by then is not looked for.
SECONDS = 5.0


class Basis(NamedTuple):
    """One row of the reduced form: its pivot; entries at atoms; its number; which figures make it."""

    pivot: int
    entries: Row
    value: Fraction
    made_of: Row


class Isolated(NamedTuple):
    """A region whose number follows: its atoms, the number, at most how far off, figures → coefficients."""

    atoms: frozenset[int]
    value: Fraction
    off: Fraction
    made_of: Mapping[int, Fraction]


def reduced(rows: Sequence[Iterable[int]], values: Sequence[float]) -> list[Basis]:
    """The reduced echelon form of figures given as sets of atoms. Figures that follow from earlier ones are
    left out, also where their number does not agree: give those of the fewest atoms first."""
    basis: dict[int, tuple[Row, Fraction, Row]] = {}
    uses: dict[int, set[int]] = {}
    for number, atoms in enumerate(rows):
        row: Row = dict.fromkeys(atoms, Fraction(1))
        value, made = Fraction(values[number]), {number: Fraction(1)}
        for pivot in [atom for atom in row if atom in basis]:
            factor = row[pivot]
            other, at, of = basis[pivot]
            _add(row, other, -factor)
            _add(made, of, -factor)
            value -= factor * at
        if not row:
            continue
        pivot = min(row)
        by = row[pivot]
        row = {atom: entry / by for atom, entry in row.items()}
        made = {figure: entry / by for figure, entry in made.items()}
        value /= by
        for earlier in list(uses.get(pivot, ())):
            other, at, of = basis[earlier]
            factor = other[pivot]
            before = set(other)
            _add(other, row, -factor)
            _add(of, made, -factor)
            basis[earlier] = other, at - factor * value, of
            for atom in before - set(other):
                uses[atom].discard(earlier)
            for atom in set(other) - before:
                uses.setdefault(atom, set()).add(earlier)
        basis[pivot] = row, value, made
        for atom in row:
            uses.setdefault(atom, set()).add(pivot)
    return [Basis(pivot, *kept) for pivot, kept in sorted(basis.items())]


def _add(row: Row, other: Mapping[int, Fraction], factor: Fraction) -> None:
    for atom, entry in other.items():
        now = row.get(atom, Fraction(0)) + factor * entry
        if now:
            row[atom] = now
        else:
            row.pop(atom, None)


def isolated(
    rows: Sequence[Iterable[int]], values: Sequence[float], off: Sequence[float], k: int
) -> Iterator[Isolated]:
    """Regions of fewer than k that follow from figures: every atom by itself, and of atoms that can't be told
    apart one region a block, if there is any."""
    basis = reduced(rows, values)
    several = []
    for one in basis:
        if len(one.entries) > 1:
            several.append(one)
        elif _few(found := _region([one], off), k):
            yield found
    for block in _blocks(several):
        chosen = _search(block, off, k)
        if chosen and _few(found := _region(chosen, off), k):
            yield found


def loose(rows: Sequence[Iterable[int]]) -> bool:
    """Whether any atom has no number of its own."""
    return any(len(one.entries) > 1 for one in reduced(rows, [0.0] * len(rows)))


def _few(found: Isolated, k: int) -> bool:
    return found.value - found.off > 0 and found.value + found.off < k


def _region(chosen: Sequence[Basis], off: Sequence[float]) -> Isolated:
    atoms: Row = {}
    made: Row = {}
    for one in chosen:
        _add(atoms, one.entries, Fraction(1))
        _add(made, one.made_of, Fraction(1))
    value = sum((one.value for one in chosen), Fraction(0))
    about = sum((abs(entry) * Fraction(off[figure]) for figure, entry in made.items()), Fraction(0))
    return Isolated(frozenset(atoms), value, about, made)


def _blocks(several: Sequence[Basis]) -> Iterator[list[Basis]]:
    """Rows that share atoms, together."""
    if not several:
        return
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    at: dict[int, int] = {}
    pairs = [(n, at.setdefault(atom, len(at))) for n, one in enumerate(several) for atom in one.entries]
    left, right = zip(*pairs, strict=True)
    size = len(several) + len(at)
    graph = csr_array((np.ones(len(pairs)), (left, np.array(right) + len(several))), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    for label in dict.fromkeys(labels[: len(several)].tolist()):
        block = [
            one for one, mine in zip(several, labels[: len(several)].tolist(), strict=True) if mine == label
        ]
        if len({atom for one in block for atom in one.entries}) <= MOST:
            yield block


def _search(block: Sequence[Basis], off: Sequence[float], k: int) -> list[Basis]:
    """Rows of which each is taken or not, so that every atom is, too, and the number is of a few."""
    free = sorted({atom for one in block for atom in one.entries} - {one.pivot for one in block})
    n, m = len(block), len(free)
    place = {atom: at for at, atom in enumerate(free)}
    from scipy.optimize import Bounds, LinearConstraint, milp  # 0.5 s, and most publications need none

    # z: rows taken; x: free atoms in the region. z·R - x = 0, and the number between nobody and k.
    matrix = np.zeros((m + 2, n + m))
    for at, one in enumerate(block):
        for atom, entry in one.entries.items():
            if atom in place:
                matrix[place[atom], at] = float(entry)
        about = float(sum(abs(entry) * Fraction(off[of]) for of, entry in one.made_of.items()))
        matrix[m, at], matrix[m + 1, at] = float(one.value) - about, float(one.value) + about
    for at in range(m):
        matrix[at, n + at] = -1
    low = np.concatenate([np.zeros(m), [EDGE, -np.inf]])
    high = np.concatenate([np.zeros(m), [np.inf, k - EDGE]])
    found = milp(
        np.concatenate([np.ones(n), np.zeros(m)]),
        integrality=np.ones(n + m),
        bounds=Bounds(0, 1),
        constraints=LinearConstraint(matrix, low, high),
        options={"time_limit": SECONDS},
    )
    if found.x is None:
        return []
    chosen = [one for one, taken in zip(block, found.x[:n], strict=True) if taken > 0.5]
    # HiGHS works in floating point: what it found is a region in fractions, or nothing.
    sums: Row = {}
    for one in chosen:
        _add(sums, one.entries, Fraction(1))
    return chosen if all(entry == 1 for entry in sums.values()) else []
