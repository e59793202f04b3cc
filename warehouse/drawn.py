"""From how far people came to what is told of a funnel: noise on each class, and steps of too few not shown.

All that is done after the noise is made of noisy numbers alone, and so costs nothing more.
"""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa

from warehouse import mechanism
from warehouse.funnel import Funnel

#: Of the intervals beside the numbers; and the chance that a step of fewer than a group is shown.
CONFIDENCE, DOUBT = 0.95, 1e-3
#: What one person changes: one class, by one.
_ONE = 1.0
SCHEMA = pa.schema(
    [("step", pa.int64()), ("kind", pa.string()), ("value", pa.string()),
     ("people", pa.int64()), ("people_low", pa.int64()), ("people_high", pa.int64())]
)  # fmt: skip


def price(rho: float) -> float:
    """What one answer costs (zCDP), by the library's own map of the noise that is drawn for `rho`."""
    return mechanism.cost(_ONE, mechanism.scale(_ONE, rho))


def draw(funnel: Funnel, classes: list[int], rho: float, least: int) -> pa.Table:
    """SCHEMA, a row a step: `people` who came at least so far; none where they may be fewer than `least`."""
    sigma, many = mechanism.scale(_ONE, rho), len(classes)
    noisy = mechanism.add(classes, sigma)
    people, lows, highs = list[int | None](), list[int | None](), list[int | None]()
    later, shown = 0, False
    for at in reversed(range(many)):
        # From a step on: the sum of as many noises. It is never less than the step after it.
        wide = sigma * math.sqrt(many - at)
        n, low, high = (int(one[0]) for one in mechanism.interval(
            np.array([noisy[at:].sum()]), wide, CONFIDENCE))  # fmt: skip
        shown = shown or n >= mechanism.threshold(least, wide, DOUBT)
        later = max(n, later)
        people.append(later if shown else None)
        lows.append(low if shown else None)
        highs.append(max(high, later) if shown else None)
    columns = [
        [*range(1, many + 1)], [one.kind for one in funnel.steps], [one.value for one in funnel.steps],
        people[::-1], lows[::-1], highs[::-1],
    ]  # fmt: skip
    return pa.table([pa.array(one, field.type) for one, field in zip(columns, SCHEMA, strict=True)], SCHEMA)
