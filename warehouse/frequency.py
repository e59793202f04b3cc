"""Reach and frequency from what devices say of themselves, with no identifier (S11).

At each impression a device says only which of the campaign it was: 1, 2, 3, 4-6 or 7+. Summed up, that
tells how many devices there were, and how many had one, two or more impressions; the last two bands tell
impressions only. It is exact while devices keep their count. One that keeps nothing says "1" each time, and
one that may not say anything is not in it: `bias` measures that on people who are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Devices(NamedTuple):
    """Devices that a whole flight reached, and of them those with one, with two, with three or more
    impressions; `impressions` are those that devices said something of."""

    reached: int
    once: int
    twice: int
    more: int
    impressions: int

    @property
    def average(self) -> float:
        """Impressions of a device."""
        return self.impressions / self.reached


def devices(said: Mapping[str, int]) -> Devices | None:
    """From impressions by band, of a whole flight: of a part of it the second impression may be there without
    the first. None where no device said that it was its first. Bands that are hidden count as 0."""
    first, second, third = (said.get(band, 0) for band in ("1", "2", "3"))
    if not first:
        return None
    second, third = min(second, first), min(third, second, first)
    return Devices(first, first - second, second - third, third, sum(said.values()))


def bias(said: Mapping[str, int], people: int) -> float | None:
    """By how many percent the devices' own word is off the people it is of: above 0 where they forget or have
    several devices, below where some may not say anything. None where nothing can be compared."""
    return 100 * (said["1"] / people - 1) if people and said.get("1") else None
