"""How far what is stored about visitors without an identifier tells them apart: measured, and capped (M30).

A pseudonym of the day ends with the day only if nothing else on its rows says who it was. So all that is
known of the sender is taken together, as a fingerprint would be, and counted: in bits (the joint entropy, as
Eckersley measured it: "How Unique Is Your Web Browser?", PETS 2010, found 18.1 bits), and in how many people
share what is known of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from consent_filter.decide import COOKIELESS
from consent_filter.sender import WHO

#: Bits that all columns of a sender together may have, over the crowd of `benchmarks/visitors.py` (one in a
#: thousand on average), and the share of its people who may be alone with theirs. What needs more is not
#: stored.
MOST_BITS, MOST_ALONE = 10.0, 0.01
#: A group that is too small to be released (`warehouse.min_group`).
FEW = 10


class Told(NamedTuple):
    """`people`: pseudonyms of a day, without an identifier. `bits`: joint entropy of what is known of them.
    `sets`: how many combinations there are. `alone`, `few`: shares of people whose combination nobody else
    has, or fewer than `FEW` have. `by`: bits of each column for itself."""

    people: int
    bits: float
    sets: int
    alone: float
    few: float
    by: dict[str, float]


def measure(events: pa.Table, columns: Sequence[str] = WHO) -> Told:
    """Of EVENT rows, those without an identifier; a person of a day counts once, by their first row."""
    rows = np.array(events["treatment"].to_numpy(zero_copy_only=False) == COOKIELESS)
    who = np.stack([events["day"].cast(pa.int32()).to_numpy()[rows], events["person"].to_numpy()[rows]])
    first = np.unique(who, axis=1, return_index=True)[1]
    codes = [_codes(events[name])[rows][first] for name in columns]
    by = {name: _bits(np.bincount(code)) for name, code in zip(columns, codes, strict=True) if len(code)}
    if not len(first):
        return Told(0, 0.0, 0, 0.0, 0.0, by)
    sizes = np.unique(np.stack(codes), axis=1, return_counts=True)[1]
    n = int(sizes.sum())
    alone, few = int(sizes[sizes == 1].sum()) / n, int(sizes[sizes < FEW].sum()) / n
    return Told(n, _bits(sizes), len(sizes), alone, few, by)


def _codes(column: pa.ChunkedArray) -> NDArray[np.int64]:
    whole = column.combine_chunks().dictionary_encode()
    found: NDArray[np.int64] = whole.indices.fill_null(-1).to_numpy().astype(np.int64) + 1
    return found


def _bits(sizes: NDArray[np.int64]) -> float:
    shares = sizes[sizes > 0] / sizes.sum()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
