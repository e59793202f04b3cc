"""Below what three quarters of people are, from how many were in which band of a vital; its mark (M47)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from consent_filter.performance import VITALS, limits
from dashboards.language import later, say
from dashboards.words import decimal

BANDS = tuple(f"band_{n}" for n in range(1, 7))
MARKS = (later("good"), later("to be improved"), later("poor"))
#: The fewest people that a mark is given to.
LEAST = 50
_SHARE = 0.75


class Speed(NamedTuple):
    """`at`: below it are three quarters of the people, None where it is in the last band, which has no end,
    or of nobody. `mark`: one of MARKS; "" where bands of too few people could change it. `parts`: people in
    good, middling and poor bands, and in those that are not told."""

    people: int
    at: float | None
    mark: str
    parts: tuple[int, int, int, int]


def speed(vital: str, row: Mapping[str, Any]) -> Speed:
    """From a row with `people` and BANDS."""
    edges, bands = limits(*VITALS[vital]), [row[name] for name in BANDS]
    told = sum(bands)
    lost = max(row["people"] - told, 0)
    parts = (bands[0] + bands[1], bands[2] + bands[3], bands[4] + bands[5], lost)
    if row["people"] < LEAST or not told:
        return Speed(row["people"], None, "", parts)
    # Whoever is in no band that is told may be in any: a mark stands if the best and worst give it.
    best, worst = [bands[0] + lost, *bands[1:]], [*bands[:-1], bands[-1] + lost]
    marks = {MARKS[_band(one) // 2] for one in (best, worst)}
    band = _band(bands)
    before = sum(bands[:band])
    at = None
    if band < len(bands) - 1:
        part = (_SHARE * told - before) / bands[band]
        at = edges[band] + part * (edges[band + 1] - edges[band])
    return Speed(row["people"], at, marks.pop() if len(marks) == 1 else "", parts)


def _band(bands: list[int]) -> int:
    """The band that the third quarter ends in."""
    need = _SHARE * sum(bands)
    return next(n for n, so_far in enumerate(accumulate(bands)) if so_far >= need)


def said(vital: str, at: float | None) -> str:
    """A number of a vital with its unit, as exactly as bands can tell it."""
    if at is None:
        return say("over {n}", n=said(vital, limits(*VITALS[vital])[-1]))
    if vital == "CLS":
        return decimal(at, 2)
    if at >= 1000:
        return say("{n} s", n=decimal(at / 1000))
    return say("{n} ms", n=decimal(round(at, -1), 0))
