"""What a signal says: for each row, which purposes it grants and which it denies; silence is neither."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from consent_filter.raw import Raw


class Said(NamedTuple):
    """Two uint32 bitmasks a row."""

    grant: NDArray[np.uint32]
    deny: NDArray[np.uint32]


Signal = Callable[[Raw], Said]


def spread(codes: NDArray[np.int32], words: Sequence[tuple[int, int]]) -> Said:
    """(grant, deny) of each distinct value, out to the rows."""
    table = np.array(words, np.uint32).reshape(-1, 2)
    return Said(table[:, 0][codes], table[:, 1][codes])
