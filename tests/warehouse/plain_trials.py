"""Experiments counted by hand: who saw which variant, and what they did in the thirty days since."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

Fact = Mapping[str, Any]
_MONTH_MS = 30 * 86_400_000


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
