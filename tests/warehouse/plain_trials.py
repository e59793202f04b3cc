"""Experiments and speed counted by hand: who saw which variant and did what since; how fast pages were."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

Fact = Mapping[str, Any]
_MONTH_MS = 30 * 86_400_000
_LIMITS = {
    "LCP": (2500, 4000), "INP": (200, 500), "CLS": (0.1, 0.25), "FCP": (1800, 3000), "TTFB": (800, 1800),
    "load": (3000, 6000),
}  # fmt: skip


def counted(facts: Sequence[Fact], least: int) -> Iterator[tuple[tuple[Any, ...], Any, int]]:
    """Rows of the report on experiments: keys, person, times. `facts`: of published days."""
    did: dict[Any, set[Any]] = defaultdict(set)
    saw: dict[Any, set[Any]] = defaultdict(set)
    labels: list[tuple[Fact, str, str]] = []
    for fact in facts:
        if fact["type"] != "event":
            continue
        did[fact["site"], fact["day"], fact.get("name")].add(fact["person"])
        if fact.get("name") == "experiment" and fact.get("props"):
            for word, variant in json.loads(fact["props"]).items():
                saw[fact["site"], fact["day"], word].add(fact["person"])
                labels.append((fact, word, variant))
    mine: dict[tuple[str, str, Any], list[tuple[Fact, str]]] = defaultdict(list)
    begins: dict[tuple[str, str], date] = {}
    for fact, word, variant in labels:
        if len(saw[fact["site"], fact["day"], word]) >= least:
            mine[fact["site"], word, fact["person"]].append((fact, variant))
            begins[fact["site"], word] = min(fact["day"], begins.get((fact["site"], word), date.max))
    for (site, word, person), seen in mine.items():
        variants = {variant for _, variant in seen}
        variant = variants.pop() if len(variants) == 1 else "(several)"
        kind = "known" if any(fact["treatment"] == "identified" for fact, _ in seen) else "unknown"
        at = site, begins[site, word], word, variant, kind
        yield (*at, 0, "(assigned)"), person, len(seen)
        since = min(fact["time"] for fact, _ in seen)
        for fact in facts if variant != "(several)" else ():
            name = fact.get("name")
            goes = fact["type"] == "event" and name not in (None, "experiment")
            if goes and (fact["site"], fact["person"]) == (site, person):
                group = len(did[site, fact["day"], name]) >= least
                if group and since <= fact["time"] < since + _MONTH_MS:
                    yield (*at, 1, name), person, 1


def speeds(facts: Sequence[Fact]) -> Iterator[tuple[tuple[Any, ...], Any, list[int]]]:
    """Rows of the report on speed: keys, person, the band of the middle of what they measured."""
    mine: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    for fact in facts:
        if fact["type"] == "vital" and fact.get("name") in _LIMITS and fact.get("value") is not None:
            parts = {"page": fact.get("path") or "(none)", "device": fact.get("device") or "other"}
            for cut, part in (parts | {"country": fact.get("country") or "ZZ"}).items():
                at = fact["site"], fact["day"], fact["name"], cut, part, fact["person"]
                mine[at].append(fact["value"])
    for (*keys, person), values in mine.items():
        middle = sorted(values)[(len(values) + 1) // 2 - 1]
        good, poor = _LIMITS[keys[2]]
        above = sum(middle >= edge for edge in (good / 2, good, (good + poor) / 2, poor, 2 * poor))
        yield tuple(keys), person, [int(band == above) for band in range(6)]
