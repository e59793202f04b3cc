"""How much release has taken away, and why: counted for each group of a report, told only of many people.

Reasons: `few` (rows of too few people), `complement` (hidden with these, so that they do not follow from a
total), `restated` (hidden since people have left), `caps` (of rows and of values), `dominance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.relations import lent
from warehouse.report import Report

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


def named(report: str, effects: pa.Table) -> pa.Table:
    """EFFECTS of a report, with its name."""
    return effects.add_column(0, "report", pa.array([report] * effects.num_rows, pa.string()))


def keep(
    store: duckdb.DuckDBPyConnection,
    reports: Sequence[str],
    days: Sequence[date] | None,
    effects: pa.Table,
    audited: pa.Table,
) -> None:
    """Put what a run found of these reports in place of what was known of the days (None: all)."""
    names = ", ".join(f"'{name}'" for name in reports)
    mine = f"report IN ({names})"
    if days is not None:
        listed = ", ".join(f"'{day.isoformat()}'" for day in days) or "''"
        mine += f" AND string_split(node, chr(31))[2] IN ({listed})"
    with lent(store, effects_now=effects, audited_now=audited):
        for name in ("effects", "audited"):
            store.execute(f"DELETE FROM {name} WHERE {mine}")
            store.execute(f"INSERT INTO {name} FROM {name}_now")


def told(store: duckdb.DuckDBPyConnection, least: int) -> pa.Table:
    """What release took of each report over all published days: report, reason, number, share (percent, to a
    tenth; null where it is of nobody or of fewer than `least`, which is not told apart)."""
    return store.execute(
        "WITH told AS (SELECT report, what, CASE number WHEN 'cells' THEN 'rows' ELSE number END AS number,"
        " sum(n) AS n, sum(people) AS people FROM effects GROUP BY ALL),"
        " whole AS (SELECT report, number, sum(n) AS whole FROM told WHERE what <> 'dominance'"
        " AND NOT (what = 'caps' AND number = 'rows') GROUP BY ALL)"
        " SELECT report, what AS reason, number,"
        f" CASE WHEN people >= {least:d} THEN round(100 * n / whole, 1) END AS share"
        " FROM told JOIN whole USING (report, number) WHERE what <> 'shown' AND whole > 0 ORDER BY ALL"
    ).to_arrow_table()


_HID = {
    "few": "folded or left out, being of too few people",
    "complement": "with them, so that these do not follow from a total",
    "restated": "since people have left",
}


def sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was taken of one report, in words. `rows`: of `told`."""
    by: dict[str, dict[str, float]] = {reason: {} for reason in (*_HID, "caps", "dominance")}
    for row in rows:
        if row["share"]:
            by[row["reason"]][row["number"]] = row["share"]
    words = []
    for reason, why in _HID.items():
        if by[reason]:
            shares = [f"{share:g} % of {number}" for number, share in _first(by[reason])]
            words.append(f"{why}: {', '.join(shares)}")
    if by["caps"]:
        words.append(f"cut by caps: {', '.join(f'{share:g} % of {n}' for n, share in by['caps'].items())}")
    if by["dominance"]:
        cut = ", ".join(f"{share:g} % of {number}" for number, share in by["dominance"].items())
        words.append(f"cut because one person was too much of a row: {cut}")
    return "; ".join(words) or "nothing, or of fewer people than a group"


def _first(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    """Rows, people and the first of the sums."""
    some = [name for name in shares if name not in ("rows", "people")][:1]
    return [(name, shares[name]) for name in ("rows", "people", *some) if name in shares]


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


def hidden(connection: duckdb.DuckDBPyConnection, report: Report, hid: pa.Table, least: int) -> pa.Table:
    """What is shown and what is hidden, from the tables `leaves` and `shown` (`release.py`). What the caps
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
    numbers = [*(["people"] if report.people else []), *report.sums]
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in dict.fromkeys(["people", *numbers]))
    with lent(connection, **({"hid": hid} if hid.num_rows else {})):
        told = connection.sql(
            f"SELECT {report.node(0)} AS node, CASE WHEN seen AND depth = 0 THEN 'shown'"
            f" WHEN {size} < {least:d} OR cells > 1 THEN 'few' WHEN {was} THEN 'restated'"
            f" ELSE 'complement' END AS what, sum(cells)::BIGINT AS rows, {sums}"
            f" FROM leaves LEFT JOIN (SELECT {keys}, true AS seen FROM shown)"
            f" USING ({keys}) WHERE NOT named GROUP BY ALL"
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
        within = table.select(report.within).take(pa.array(rows))
        words = [within[key].cast(pa.string()).combine_chunks() for key in report.within]
        parts.append(
            pa.table(
                [
                    pc.binary_join_element_wise(*words, "\x1f"),
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
