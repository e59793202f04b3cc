"""How far what is hidden can be told: each region's least and most, by linear or by integer programming.

Equations alone do not know that nobody is less than nobody, nor that people are whole: of three hidden cells
that are 5 together, each is of 5 at most. τ-ARGUS audits suppression in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

#: Seconds that one programme may take; without an answer a region may be of anything.
SECONDS = 2.0


class Interval(NamedTuple):
    """The fewest and the most that can be in a region, whatever the rest is."""

    low: float
    high: float


def bounds(
    rows: Sequence[Iterable[int]],
    values: Sequence[float],
    off: Sequence[float],
    regions: Sequence[Iterable[int]],
    *,
    whole: bool = True,
) -> list[Interval]:
    """Of each region, given figures as sets of atoms. `whole`: people are whole numbers (integer programming;
    dearer, and never wider). (0, ∞) where figures contradict each other, or time runs out."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # 0.5 s, and most publications need none
    from scipy.sparse import csr_array

    atoms = 1 + max((atom for row in (*rows, *regions) for atom in row), default=0)
    pairs = [(n, atom) for n, row in enumerate(rows) for atom in row]
    left, right = zip(*pairs, strict=True) if pairs else ((), ())
    matrix = csr_array((np.ones(len(pairs)), (left, right)), shape=(len(rows), atoms))
    about, numbers = np.array(off, float), np.array(values, float)
    fits = LinearConstraint(matrix, numbers - about, numbers + about)
    kinds = np.full(atoms, int(whole))
    found = []
    for region in regions:
        cost = np.zeros(atoms)
        cost[list(region)] = 1
        ends = []
        for sign in (1, -1):
            made = milp(
                sign * cost, integrality=kinds, bounds=Bounds(0, np.inf), constraints=fits,
                options={"time_limit": SECONDS},
            )  # fmt: skip
            ends.append(sign * made.fun if made.status == 0 else (0.0 if sign > 0 else np.inf))
        found.append(Interval(round(ends[0], 6), round(ends[1], 6)))
    return found
