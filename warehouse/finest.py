"""How fine facts must be for a report, and where they are not any more: there it stays as published.

A report is *defined* on a day while that day's facts, for its purpose, are as fine as its SQL reads them.
Then it can be made anew at any age, and is the same (S22). Where it is not, making it anew would make it
wrong.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from consent_filter.retention import DEGREES, NULLED
from warehouse.invalid.judging import ROW
from warehouse.purges import Mark
from warehouse.report import Report

#: What is made from facts before reports read it, and of which columns (`relations.py`, `sessions.py`,
#: `paths.py`).
_MADE = {
    "visits": ("time",),
    "entry": ("path",),
    "leave": ("path",),
    "steps": ("time", "name", "person"),
    "firsts": ("person",),
    "trials": ("time", "name", "props", "person"),
    "adverts": ("person", *(name for name in NULLED if name in ROW), "time"),
    "advert_views": ("person", "ad_view", *(name for name in NULLED if name in ROW), "time"),
    "contacts": ("person", "ad_campaign", "ad_step"),
    "orders": ("time", "person", "value", "ad_goal", "ad_campaign", "ad_order"),
    "touches": ("time", "person", "ad_goal", "ad_campaign", "ad_view"),
    "ways": ("time", "person", "ad_goal", "ad_campaign", "ad_order", "ad_view"),
    "labels": ("time", "person", "ad_campaign", "ad_group", "ad_goal", "ad_order"),
}
#: The key of a row that says when, and the unit that facts' days are counted in for it.
_PERIODS = {"day": "day", "week": "week", "cohort_week": "week"}


def coarsest(report: Report) -> dict[str, str]:
    """The coarsest degree of each column that the report can still be made from, of those that degrees have;
    "" is as it was. A column that it does not read is not there. `row`: that there is one."""
    if not report.people:
        return {}
    reads = {"row", *(name for name in (*NULLED, "path") if report.mentions(name))}
    for relation, names in _MADE.items():
        if report.mentions(relation):
            reads.update(names)
    found = dict.fromkeys(reads, "")
    if report.mentions("received"):
        reads.add("time")
    if "time" not in reads and report.mentions("local"):
        found["time"] = "hour"
    if "person" not in reads:
        found["person"] = "day"  # people are counted by the day, and a pseudonym of the day does that
    return found


def defined(report: Report, field: str, degree: str) -> bool:
    """Whether facts that are no finer than that still make this report."""
    needs = coarsest(report)
    if field not in needs:
        return True
    order = ("", *DEGREES.get(field, ()), "none")
    return order.index(degree) <= order.index(needs[field])


def standing(report: Report, marks: Iterable[Mark]) -> pa.Table:
    """(site, day) where this report stays as it was published."""
    found = sorted(
        {
            (mark.site, mark.day)
            for mark in marks
            if mark.purpose == report.bit and not defined(report, mark.field, mark.degree)
        }
    )
    return pa.table(
        {
            "site": pa.array([site for site, _ in found], pa.string()),
            "day": pa.array([day for _, day in found], pa.date32()),
        }
    )


def stands(report: Report) -> str:
    """SQL: whether a row of the report is of a time that is in the table `standing`."""
    # People of a flight or an experiment are known for as long as its facts are: it stands from then on.
    last = (
        "SELECT map_from_entries(list((site, day)))"
        " FROM (SELECT site, max(day) AS day FROM standing GROUP BY site)"
    )
    since = f"coalesce(begins <= ({last})[site], false)"
    if "period" in report.keys:
        spans = (
            "(site, period, begins) IN (SELECT site, unit, date_trunc(unit, day)::DATE"
            " FROM standing, (VALUES ('day'), ('week'), ('month')) AS units(unit))"
        )
        return f"({spans} OR (period = 'flight' AND {since}))"
    if "begins" in report.keys:
        return since
    key = next((key for key in report.keys if key in _PERIODS), None)
    if key is None:
        return "false"
    return f"(site, {key}) IN (SELECT site, date_trunc('{_PERIODS[key]}', day)::DATE FROM standing)"
