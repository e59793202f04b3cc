"""Atoms: the finest regions that figures tell apart, over sites, hours and keys together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from warehouse.attack.figures import Figure

#: Cells of one cross of keys above which it is taken apart: by one figure's keys at a time, then not at all.
MOST = 2_000_000
Mask = NDArray[np.bool_]


class System(NamedTuple):
    """Figures that may share people and add up, and the atoms of each. Those of the fewest atoms first."""

    figures: list[Figure]
    atoms: list[NDArray[np.int64]]


def systems(figures: Sequence[Figure]) -> Iterator[System]:
    """Figures of one measure, unit and cross of keys together. Totals are in every cross they are a total of.

    Of two keys without a table that crosses them nothing follows together that does not follow from one of
    them: a sum of a function of either is an indicator only where one of the two is constant.
    """
    alike = defaultdict(list)
    for one in figures:
        if not one.distinct:
            alike[one.measure, one.unit].append(one)
    for group in alike.values():
        for keys in _crosses({one.keys for one in group}):
            chosen = [one for one in group if one.keys <= keys]
            parts = [chosen] if _cells(chosen) <= MOST else _apart(chosen)
            for part in parts:
                yield _system(part)


def _crosses(sets: set[frozenset[str]]) -> list[frozenset[str]]:
    """Sets of keys, those that share a key joined."""
    joined: list[frozenset[str]] = []
    for keys in sorted(sets, key=sorted):
        touching = [one for one in joined if one & keys]
        joined = [one for one in joined if not one & keys]
        joined.append(keys.union(*touching))
    return [one for one in joined if one or len(joined) == 1]


def _apart(figures: Sequence[Figure]) -> Iterator[list[Figure]]:
    """Each largest set of keys by itself, where all of them together are too many cells."""
    sets = {one.keys for one in figures}
    for keys in sorted((keys for keys in sets if not any(keys < other for other in sets)), key=sorted):
        part = [one for one in figures if one.keys <= keys]
        if _cells(part) <= MOST:
            yield part


def _cells(figures: Sequence[Figure]) -> int:
    size = 1
    for masks in axes(figures).values():
        size *= masks.shape[1]
    return size


def axes(figures: Sequence[Figure]) -> dict[str, Mask]:
    """For each axis (site, time, keys): which of its classes each figure covers, one row a figure."""
    sites = sorted({site for one in figures for site in one.sites})
    cuts = sorted({edge for one in figures for edge in (one.begins, one.ends)})
    found = {
        " site": np.array([[site in one.sites for site in sites] for one in figures], bool),
        " time": np.array([[one.begins <= at < one.ends for at in cuts[:-1]] for one in figures], bool),
    }
    for key in sorted(frozenset().union(*(one.keys for one in figures))):
        found[key] = _classes(figures, key)
    return found


def _classes(figures: Sequence[Figure], key: str) -> Mask:
    conditions = [next((c for c in one.where if c.key == key), None) for one in figures]
    words = sorted({word for c in conditions if c for word in c.words})
    place = {word: at for at, word in enumerate(words)}
    masks = np.ones((len(figures), len(words) + 1), bool)
    for n, c in enumerate(conditions):
        if c:
            masks[n] = c.other
            masks[n, [place[word] for word in c.words]] = not c.other
    return masks


def _system(figures: Sequence[Figure]) -> System:
    """Cells that the same figures cover are one atom: found by the sum of the figures' random marks."""
    along = list(axes(figures).values())
    shape = tuple(masks.shape[1] for masks in along)
    marks = np.random.default_rng(1).integers(1, 1 << 62, len(figures), dtype=np.uint64)
    mark, covered = np.zeros(shape, np.uint64), []
    for n in range(len(figures)):
        cells = np.ravel_multi_index(np.ix_(*(np.flatnonzero(masks[n]) for masks in along)), shape).ravel()
        covered.append(cells)
        mark.ravel()[cells] += marks[n]
    _, atom = np.unique(mark.ravel(), return_inverse=True)
    atoms = [np.unique(atom.ravel()[cells]) for cells in covered]
    order = sorted(range(len(figures)), key=lambda n: (len(atoms[n]), figures[n]))
    return System([figures[n] for n in order], [atoms[n] for n in order])


def inside(figures: Sequence[Figure]) -> Iterator[tuple[int, int]]:
    """(larger, smaller) of figures of which one covers all of the other, and more."""
    if not figures:
        return
    n = len(figures)
    within, same = np.ones((n, n), bool), np.ones((n, n), bool)
    for masks in axes(figures).values():
        numbers = masks.astype(np.float32)
        beyond = (1 - numbers) @ numbers.T  # [a, b]: classes that b covers and a does not
        within &= beyond == 0
        same &= (beyond == 0) & (beyond.T == 0)
    yield from map(tuple, np.argwhere(within & ~same).tolist())


def by_measure(figures: Sequence[Figure]) -> Mapping[str, list[Figure]]:
    """Figures of people, by measure: any two of which may be of each other's people."""
    found = defaultdict(list)
    for one in figures:
        if one.unit:
            found[one.measure].append(one)
    return found
