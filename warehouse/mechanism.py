"""Noise with a proof: discrete Gaussian by OpenDP, what it costs in zCDP, and groups chosen in private (S9).

Nothing here draws a number by itself. The library samples exactly, on whole numbers, from the system's own
randomness; it cannot be seeded, so that what was drawn once is never drawn again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import opendp.prelude as dp
from numpy.typing import NDArray

from consent_filter.errors import Broken

dp.enable_features("contrib")
#: A normal law in place of the discrete one, and rounding of scales up, are the only approximations here.
_NORMAL = NormalDist()
_MORE = 1 + 1e-9


class Chosen(NamedTuple):
    """Groups that may be shown with their noisy counts; what choosing them cost: rho and delta."""

    counts: dict[str, int]
    rho: float
    delta: float


def scale(l2: float, rho: float) -> float:
    """The noise's standard deviation for a vector that one person changes by at most `l2`, at that cost."""
    return l2 / math.sqrt(2 * rho) * _MORE


def add(values: Sequence[int] | NDArray[np.int64], sigma: float) -> NDArray[np.int64]:
    """The values with discrete Gaussian noise; each gets its own."""
    exact = [int(value) for value in values]
    return np.array(_gaussian(sigma)(exact) if exact else [], np.int64)


def cost(l2: float, sigma: float) -> float:
    """What `add` costs (zCDP) where one person changes the vector by at most `l2`: the library's own map."""
    return float(_gaussian(sigma).map(float(l2)))


def threshold(least: int, sigma: float, doubt: float) -> int:
    """The noisy count from which on a row is about `least` people, but for that chance."""
    return least + math.ceil(sigma * -_NORMAL.inv_cdf(doubt))


def choose(counts: Mapping[str, int], cells: int, sigma: float, least: int) -> Chosen:
    """Of groups that nobody knows beforehand those whose noisy count is `least` or more.

    counts: of people; one person is counted in at most `cells` of them. A group of nobody is not among them:
    that it is missing is what `delta` is for.
    """
    space = dp.map_domain(dp.atom_domain(T=str), dp.atom_domain(T="i64"))
    metric = dp.l02inf_distance(dp.absolute_distance(T="f64"))
    made: Any = dp.m.make_gaussian_threshold(space, metric, scale=sigma, threshold=least)
    rho, delta = made.map((cells, math.sqrt(cells), 1.0))
    found: dict[str, int] = made({name: int(n) for name, n in counts.items()}) if counts else {}
    # In the order of names: that of the answer is the dictionary's, which could tell of others.
    return Chosen({name: found[name] for name in sorted(found)}, float(rho), float(delta))


def interval(
    noisy: NDArray[np.int64], sigma: float, confidence: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """n, low, high: never negative, whole, low ≤ n ≤ high; the exact count is in between with that chance."""
    half = sigma * _NORMAL.inv_cdf((1 + confidence) / 2)
    n = np.maximum(noisy, 0)
    low = np.maximum(np.floor(noisy - half), 0).astype(np.int64)
    high = np.maximum(np.ceil(noisy + half), n).astype(np.int64)
    return n, low, high


def epsilon(rho: float, delta: float) -> float:
    """The ε of (ε, δ) that a cost of `rho` amounts to: the library's conversion, tight for what is known of
    zCDP alone."""
    if rho <= 0:
        return 0.0
    # A Gaussian of that very cost stands for all of it: zCDP adds up.
    alike: Any = dp.c.make_zCDP_to_approxDP(_gaussian(1 / math.sqrt(2 * rho)))
    found = float(alike.map(1.0).epsilon(delta=delta))
    if not math.isfinite(found):
        raise Broken("no finite ε for what was spent")
    return found


def _gaussian(sigma: float) -> Any:
    space = dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64")
    return dp.m.make_gaussian(*space, scale=sigma)
