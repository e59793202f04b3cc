"""A list added up from a report's rows in memory: the same rows as the statement of `numbers.Numbers.panel`.

A statement of a list takes 2 ms of processor, nearly all of it planning, whatever its rows are; adding up a
few thousand of them that are there already takes 0.2. So a short report is read once for all lists and
periods that are made of it.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dashboards.panels import Panel
from dashboards.period import Period
from warehouse.report import OTHER

#: Rows of a report up to which reading all of a site's costs less than a few statements on some of them.
SHORT = 30_000


def tallied(
    table: pa.Table, panel: Panel, now: Period, spans: tuple[Period, Period], most: int, *, rates: bool
) -> list[dict[str, Any]] | None:
    """The longest rows of a list; None where a column is not of whole numbers, or something is not said.

    table: the rows of a site, `day` and texts as codes. spans: the days of `lately` and of `before`.
    """
    parts = {name for one in panel.rates if rates for name in (one.of, one.per)}
    numbers = {name: table[name] for name in {*panel.sums, *parts}}
    if any(one.null_count or not pa.types.is_integer(one.type) for one in numbers.values()):
        return None
    if any(table[key].null_count or not pa.types.is_dictionary(table[key].type) for key in panel.keys):
        return None
    if not table.num_rows:
        return []
    values = {name: one.to_numpy().astype(np.int64, copy=False) for name, one in numbers.items()}
    coded = [table[key].chunk(0) for key in panel.keys]
    group = np.zeros(table.num_rows, np.int64)
    for one in coded:
        group = group * len(one.dictionary) + one.indices.to_numpy()
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    days = table["day"].to_numpy()

    def within(span: Period) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]:
        mask = (days >= np.datetime64(span.first)) & (days <= np.datetime64(span.last))
        return mask, group[mask], np.bincount(group[mask], minlength=len(first)) > 0

    def added(name: str, span: tuple[NDArray[np.bool_], NDArray[np.int64], Any]) -> NDArray[np.int64]:
        total = np.zeros(len(first), np.int64)
        np.add.at(total, span[1], values[name][span[0]])
        return total

    here = within(now)
    sums = {name: added(name, here) for name in (*panel.sums, *parts)}
    words = [[one.dictionary[n].as_py() for n in one.indices.take(pa.array(first))] for one in coded]
    order = heapq.nsmallest(
        most,
        np.flatnonzero(here[2]).tolist(),
        key=lambda n: (words[0][n] == OTHER, -int(sums[panel.sums[0]][n]), *(said[n] for said in words)),
    )
    beside = [
        (added(panel.sums[0], part), part[2]) for part in (here if s == now else within(s) for s in spans)
    ]
    of = int(here[2].sum())
    return [
        {key: said[n] for key, said in zip(panel.keys, words, strict=True)}
        | {name: int(sums[name][n]) for name in panel.sums}
        | {
            name: float(total[n]) if some[n] else None
            for name, (total, some) in zip(("lately", "before"), beside, strict=True)
        }
        | (dict(_rates(panel, {name: int(sums[name][n]) for name in parts})) if rates else {})
        | {"of": of}
        for n in order
    ]


def _rates(panel: Panel, sums: dict[str, int]) -> Iterable[tuple[str, float | None]]:
    for n, one in enumerate(panel.rates):
        yield f"rate{n}", one.times * sums[one.of] / sums[one.per] if sums[one.per] else None
