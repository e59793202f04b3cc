"""Overlapping bins: ages or hours that are cut in two ways give the pieces between the cuts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from warehouse.attack.evidence import Evidence, Finding, Sheet, Sure

_BIN = re.compile(r"(\d+)\s*(?:-|–|to)\s*(\d+)|(\d+)\s*\+")
Bin = tuple[int, float]


def read(word: object) -> Bin | None:
    """`18-24` as (18, 24), `65+` as (65, ∞), both ends included; None for what is no bin."""
    found = _BIN.fullmatch(str(word).strip())
    if not found:
        return None
    if found[3]:
        return int(found[3]), float("inf")
    return int(found[1]), float(found[2])


def bins(evidence: Evidence) -> Iterator[Finding]:
    """Unions of neighbouring bins of one table less those of another, or of the same, that are of a few."""
    cut: dict[tuple[str, str], list[tuple[Sheet, tuple[Any, ...], dict[Bin, int]]]] = defaultdict(list)
    for one in evidence.sheets.values():
        if not one.people:
            continue
        for key in one.keys:
            groups: dict[tuple[Any, ...], dict[Bin, int]] = defaultdict(dict)
            rest = [name for name in one.keys if name != key]
            if key in ("site", "day"):
                continue
            for row in evidence.rows(f"SELECT {', '.join([*rest, key])}, people FROM now_{one.name}"):
                if (piece := read(row[key])) is not None:
                    groups[tuple(row[name] for name in rest)][piece] = row["people"]
            cut[key, ",".join(rest)] += [(one, group, found) for group, found in groups.items()]
    for (key, _), tables in cut.items():
        by_group: dict[tuple[Any, ...], list[tuple[Sheet, dict[Bin, int]]]] = defaultdict(list)
        for one, group, found in tables:
            by_group[group].append((one, found))
        for cuts in by_group.values():
            if len({piece for _, found in cuts for piece in found}) and _few(cuts, evidence.k):
                says = f"bins of {key} that are cut differently leave a group too small between them"
                yield Finding("bins", cuts[0][0].name, f"the key {key}", says, Sure.CERTAIN)


def _few(cuts: list[tuple[Sheet, dict[Bin, int]]], k: int) -> bool:
    """Whether runs of bins, one inside the other, differ by a few: people are in one bin of each cutting."""
    runs = [run for one, found in cuts for run in _runs(found, one.off("people"))]
    for begin, end, people, off in runs:
        for other, last, more, about in runs:
            inside = other <= begin and end <= last and (begin, end) != (other, last)
            if inside and off + about < more - people < k - off - about:
                return True
    return False


def _runs(found: dict[Bin, int], off: float) -> Iterator[tuple[int, float, int, float]]:
    """Neighbouring bins together: from, to, people, at most how far off."""
    for begin, end in sorted(found):
        people, about, last = found[begin, end], off, end
        yield begin, last, people, about
        while follow := next((piece for piece in sorted(found) if piece[0] == last + 1), None):
            people, about, last = people + found[follow], about + off, follow[1]
            yield begin, last, people, about
