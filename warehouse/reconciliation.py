"""Why two parties' totals differ, by reason, from hourly sums alone: no event and no id is exchanged (S18).

Of each campaign we have sums by hour of what we counted and, by reason, of what we did not. The other
party's sum of each hour is taken to be what we counted, on a clock that may be some hours off, and of each
reason all, nothing, or else a part: which of them it is shows in the hours, as each reason has its own.
What no reason explains is said to be unexplained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Sums = NDArray[np.float64]
COUNTED = "counted"
#: Hours that a clock may be off: every time zone there is.
SHIFTS = sorted(range(-14, 15), key=abs)
#: As good as explained: this share of what is counted is noise of release on both sides.
GOOD = 0.005
_HOUR = timedelta(hours=1)


class Total(NamedTuple):
    """One line of a file of totals. `hour`: UTC, "2026-09-01T12"; `counted_as`: counted, or a reason."""

    campaign: str
    deed: str
    hour: str
    counted_as: str
    n: int


class Finding(NamedTuple):
    """What explains a campaign. `reasons`: what they count beyond what we counted, by reason (whole numbers,
    also of reasons of which they count nothing: 0). `clock`: hours that theirs is ahead. `edges`: what that
    moves over the ends of the time that both told of. `unexplained`: what is left."""

    campaign: str
    deed: str
    ours: int
    theirs: int
    clock: int
    reasons: dict[str, int]
    edges: int
    unexplained: int

    @property
    def explained(self) -> float:
        """The share of what differs, hour by hour, that has a reason."""
        named = sum(map(abs, self.reasons.values())) + abs(self.edges)
        return named / (named + abs(self.unexplained)) if named + self.unexplained else 1.0


def reconcile(ours: Iterable[Total], theirs: Iterable[Total]) -> list[Finding]:
    """Each campaign and deed that either has told of. Of theirs all lines are summed up but those of reasons
    that they name for not counting."""
    mine: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    other: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for one in ours:
        at = mine[one.campaign, one.deed][one.counted_as]
        at[one.hour] = at.get(one.hour, 0) + one.n
    for one in theirs:
        if one.counted_as == COUNTED:
            hours = other[one.campaign, one.deed]
            hours[one.hour] = hours.get(one.hour, 0) + one.n
    return [_explain(*at, mine[at], other[at]) for at in sorted(mine.keys() | other.keys())]


def _explain(
    campaign: str, deed: str, mine: Mapping[str, Mapping[str, int]], other: Mapping[str, int]
) -> Finding:
    hours = _span([*other, *(hour for by in mine.values() for hour in by)])
    reasons = sorted(mine.keys() - {COUNTED})
    parts = [_laid(mine.get(name, {}), hours) for name in (COUNTED, *reasons)]
    sums = _laid(other, hours)
    best: tuple[float, int, Sums, Sums] | None = None
    for shift in SHIFTS:
        moved = [_moved(part, shift) for part in parts]
        share, missed = _fit(moved, sums)
        if best is None or missed < best[0] * (1 - GOOD):
            best = missed, shift, share, np.array([part.sum() for part in moved])
    assert best is not None
    _, shift, share, left = best
    counted = int(parts[0].sum())
    named = {name: round(float(share[n] * left[n + 1])) for n, name in enumerate(reasons)}
    edges = round(float(left[0])) - counted
    total = int(sums.sum())
    return Finding(
        campaign, deed, counted, total, shift, named, edges, total - counted - edges - sum(named.values())
    )


def _fit(parts: list[Sums], sums: Sums) -> tuple[Sums, float]:
    """Which share of each reason fits best beside all that was counted, and what is missed."""
    base, others = sums - parts[0], np.array(parts[1:]).reshape(len(parts) - 1, len(sums))
    chosen = np.array(list(product((0.0, 1.0), repeat=len(others)))).reshape(2 ** len(others), -1)
    missed = np.abs(base - chosen @ others).sum(axis=1)
    best = int(missed.argmin())
    if missed[best] <= GOOD * max(float(sums.sum()), 1.0):
        return chosen[best], float(missed[best])
    share, alike, met = chosen[best].copy(), others @ others.T, others @ base
    for _ in range(100):  # one share after the other, each as good as the others let it be
        for n, size in enumerate(np.diag(alike)):
            if size > 0:
                share[n] = min(max(share[n] + (met[n] - alike[n] @ share) / size, 0.0), 1.0)
    finer = float(np.abs(base - share @ others).sum())
    return (share, finer) if finer < missed[best] * 0.9 else (chosen[best], float(missed[best]))


def _span(hours: Iterable[str]) -> list[str]:
    """Every hour from the first to the last."""
    known = [datetime.fromisoformat(hour) for hour in hours]
    first, last = min(known), max(known)
    many = int((last - first) / _HOUR) + 1
    return [f"{first + n * _HOUR:%Y-%m-%dT%H}" for n in range(many)]


def _laid(by: Mapping[str, int], hours: list[str]) -> Sums:
    return np.array([by.get(hour, 0) for hour in hours], np.float64)


def _moved(part: Sums, shift: int) -> Sums:
    """The same on a clock that many hours ahead; what leaves the span is gone."""
    out = np.zeros_like(part)
    many = len(part)
    if abs(shift) < many:
        out[max(shift, 0) : many + min(shift, 0)] = part[max(-shift, 0) : many - max(shift, 0)]
    return out
