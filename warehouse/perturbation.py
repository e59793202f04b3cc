"""Cell key perturbation: numbers moved by a few, the same way whenever the same people are counted.

The method of statistics offices (Australia's; Eurostat's for the census of 2021). Each row's cell key, the
sum of its people's record keys modulo 256, picks a whole number u from a table: between -5 and 5, 0 in the
mean, of variance 3.8. People become people + u, though no fewer than a group. A sum becomes sum + u/5 of the
most that one person adds to it: so it moves by at most one person's part, and hides whether any one is in
it. As all numbers of a row move with one u, none becomes more than what it is a part of.

Zero stays zero, nothing becomes negative, and two rows of which one contains the other (they differ by nobody
or by a group) stay in order: 2 * 5 is no more than a group. Smaller groups have a smaller bound.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from warehouse.recordkeys import MANY
from warehouse.report import Report

#: The most that a number of people moves, with groups of ten or more.
BOUND = 5
#: Standard deviation of the normal distribution that the table is cut from, as a share of the bound.
_SPREAD = 0.4


def bound(min_group: int) -> int:
    """The most that a number of people moves: half a group, and no more than BOUND."""
    return min(BOUND, min_group // 2)


@cache
def ptable(most: int) -> NDArray[np.int64]:
    """The perturbation table: row n (0 to `most`; larger numbers use the last), column the cell key.

    Each row adds up to zero over the cell keys: no number is moved in the mean. A row n has nothing below -n.
    """
    rows = [_row(n, most) for n in range(most + 1)]
    return np.array(rows, np.int64).reshape(most + 1, MANY)


def _row(n: int, most: int) -> NDArray[np.int64]:
    """The MANY values of a number n, ascending: a normal distribution cut at -n and `most`, of mean 0."""
    values = np.arange(-min(n, most), most + 1)
    if n == 0 or most == 0:
        return np.zeros(MANY, np.int64)
    spread = 2 * (_SPREAD * most) ** 2
    low, high = -4.0, 4.0
    for _ in range(60):  # the tilt at which the mean is 0
        tilt = (low + high) / 2
        weights = np.exp(tilt * values - values**2 / spread)
        low, high = (tilt, high) if weights @ values < 0 else (low, tilt)
    exact = weights / weights.sum() * MANY
    counts = np.floor(exact).astype(np.int64)
    for place in np.argsort(counts - exact, kind="stable")[: MANY - counts.sum()]:
        counts[place] += 1
    while (off := int(counts @ values)) != 0:  # whole keys: a few values move by one, where most have it
        step = 1 if off < 0 else -1
        near = np.argmin(np.abs(values + (0.5 if step > 0 else -0.5)))
        counts[near] -= 1
        counts[near + step] += 1
    return np.repeat(values, counts)


def draw(people: NDArray[np.int64], keys: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """u of each row, from how many people it has and the sum of their record keys."""
    found: NDArray[np.int64] = ptable(most)[np.minimum(people, most), keys % MANY]
    return found


def variance(most: int) -> float:
    """The variance of u of a row that is not small."""
    return float((ptable(most)[-1] ** 2).mean())


def perturb(report: Report, table: pa.Table, most: int, least: int) -> pa.Table:
    """Rows to be shown, moved. `table` has `_people` (and `_others`), sums of record keys, and for each sum
    `_<sum>`, the most that one person adds. `most`: `bound`; `least`: the fewest people of a row."""
    if not most:
        return table
    moved = np.zeros(table.num_rows, np.int64)
    for side in reversed(report.groups):  # sums move with the people of the first side
        people = table[side].to_numpy()
        moved = draw(people, table[f"_{side}"].to_numpy(), most)
        table = _put(table, side, np.maximum(people + moved, least))
    for name in report.sums:
        part = table[f"_{name}"].to_numpy() * moved
        table = _put(table, name, table[name].to_numpy() + (2 * part + most) // (2 * most))
    return table


def _put(table: pa.Table, name: str, values: NDArray[np.int64]) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values, pa.int64()))
