"""How much release has taken away, and why: counted for each group of a report, told only of many people.

Reasons: `few` (rows of too few people), `complement` (hidden with these, so that they do not follow from a
total), `restated` (hidden since people have left), `caps` (of rows and of values), `dominance`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.relations import lent
from warehouse.report import OTHER, Report

#: node: the group, as `Report.node` writes it. what: a reason, or `shown`. number: rows, people or a sum.
#: n: of what is shown, or was taken away. people: of how many persons (in rows hidden: once for each row).
EFFECTS = pa.schema(
    [
        ("node", pa.string()),
        ("what", pa.string()),
        ("number", pa.string()),
        ("n", pa.int64()),
        ("people", pa.int64()),
    ]
)


def clipped(clips: pa.Table) -> pa.Table:
    """What caps took (`cells.CLIPPED`, of several buckets), as EFFECTS."""
    if not clips.num_rows:
        return EFFECTS.empty_table()
    found = clips.group_by(["node", "number"], use_threads=False).aggregate([("n", "sum"), ("people", "sum")])
    return pa.table(
        [
            found["node"],
            pa.array(["caps"] * found.num_rows),
            found["number"],
            found["n_sum"],
            found["people_sum"],
        ],
        schema=EFFECTS,
    )


def hidden(
    connection: duckdb.DuckDBPyConnection, report: Report, table: pa.Table, hid: pa.Table, least: int
) -> pa.Table:
    """What is shown and what is hidden, from `leaves` (`release.py`) and the rows to be shown. What the caps
    have put into "(other)" is hidden by them alone."""
    keys = ", ".join(report.keys)
    size = "least(people, others)" if report.two else "people"
    was = (
        " OR ".join(
            f"{report.node(level)} IN (SELECT node FROM hid WHERE level = {level})"
            for level in (range(len(report.levels)) if hid.num_rows else ())
        )
        or "false"
    )
    named = " AND ".join(f"{key} <> '{OTHER}'" for key in report.fold) or "true"
    numbers = [*(["people"] if report.people else []), *report.sums]
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in dict.fromkeys(["people", *numbers]))
    with lent(connection, shown=table.select(report.keys), hid=hid):
        told = connection.sql(
            f"SELECT {report.node(0)} AS node, CASE WHEN seen THEN 'shown'"
            f" WHEN {size} < {least:d} THEN 'few' WHEN {was} THEN 'restated' ELSE 'complement' END AS what,"
            f" count(*) AS rows, {sums} FROM leaves LEFT JOIN (SELECT *, true AS seen FROM shown)"
            f" USING ({keys}) WHERE {named} GROUP BY ALL"
        ).to_arrow_table()
    parts = [
        pa.table(
            [
                told["node"],
                told["what"],
                pa.array([name] * told.num_rows, pa.string()),
                told[name],
                told["people"],
            ],
            schema=EFFECTS,
        )
        for name in ("rows", *numbers)
    ]
    return pa.concat_tables(parts)


def dominance(report: Report, table: pa.Table, took: Iterable[tuple[Any, str, Any, Any]]) -> pa.Table:
    """What `dominance.cut` took, as EFFECTS."""
    parts = [EFFECTS.empty_table()]
    for over, name, lost, people in took:
        rows = np.flatnonzero(over)
        chosen = table.take(pa.array(rows))
        within = [chosen[key].cast(pa.string()).to_pylist() for key in report.within]
        parts.append(
            pa.table(
                [
                    pa.array(["\x1f".join(words) for words in zip(*within, strict=True)], pa.string()),
                    pa.array(["dominance"] * len(rows)),
                    pa.array([name] * len(rows)),
                    pa.array(lost[rows]),
                    pa.array(people[rows]),
                ],
                schema=EFFECTS,
            )
        )
    whole = pa.concat_tables(parts).group_by(["node", "what", "number"], use_threads=False)
    return whole.aggregate([("n", "sum"), ("people", "sum")]).rename_columns(EFFECTS.names).cast(EFFECTS)
