"""Steps side by side: what somebody chooses among released events and pages, and how many did each.

It is no funnel in which people are followed: a group of who did this and then that would be drawn freely by
whoever asks, and two such groups may differ by one person. Followed are only the steps of a report, which are
the same for everyone (`funnel`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from consent_filter.errors import Refused
from dashboards.numbers import Numbers
from dashboards.period import Period
from warehouse.report import OTHER

#: Steps at once, and how many of each kind are offered.
MOST, OFFERED = 6, 12
_KINDS = {"event": ("custom_events", "name"), "page": ("pages", "path")}
_MARK = "|"


class Step(NamedTuple):
    """An event by its name, or a page by its templated path; in an address `event:sign_up`."""

    kind: str
    value: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}"


def read(text: str) -> tuple[Step, ...]:
    """`event:sign_up|page:/projects`. Raises Refused."""
    found = []
    for part in filter(None, text.split(_MARK)):
        kind, mark, value = part.partition(":")
        if kind not in _KINDS or not mark or not value:
            raise Refused(400, "steps", "steps are event:name or page:path, with | between")
        found.append(Step(kind, value))
    if len(found) > MOST:
        raise Refused(400, "steps", "at most {most} steps", most=MOST)
    return tuple(dict.fromkeys(found))


def written(steps: tuple[Step, ...]) -> str | None:
    """The same for an address; None where there are none."""
    return _MARK.join(map(str, steps)) or None


def offered(ask: Numbers) -> list[Step]:
    """What may be chosen: the released events and pages that most did, in these days."""
    found = []
    for kind, (report, key) in _KINDS.items():
        where = "AND type <> 'engagement'" if kind == "event" else ""
        rows = ask.ask(
            report, f"{key} AS value, sum(people) AS n",
            group=f"AND {key} NOT IN ('{OTHER}', '(none)') {where} GROUP BY {key} ORDER BY n DESC, {key}"
            f" LIMIT {OFFERED}",
        )  # fmt: skip
        found += [Step(kind, row["value"]) for row in rows if _MARK not in row["value"]]
    return found


def counted(ask: Numbers, steps: tuple[Step, ...], before: Period | None) -> list[dict[str, Any]]:
    """Each step's people of a day, the mean of the days of which it is told, now and before; None where none
    is told. share: of the largest, for its bar. days: how many are told."""
    rows: list[dict[str, Any]] = []
    for step in steps:
        now, days = _mean(ask, step, ask.period)
        old, _ = _mean(ask, step, before) if before else (None, 0)
        change = 100 * (now - old) / old if now is not None and old else None
        rows.append({"step": step, "people": now, "days": days, "change": change})
    top = max((row["people"] or 0 for row in rows), default=0) or 1
    return [row | {"share": 100 * (row["people"] or 0) / top} for row in rows]


def _mean(ask: Numbers, step: Step, period: Period) -> tuple[float | None, int]:
    """Somebody who did it by two types of events is in two rows, so of each day the larger counts."""
    report, key = _KINDS[step.kind]
    rows = ask.reading.rows(
        "SELECT avg(people)::DOUBLE AS n, count(*) AS days FROM (SELECT day, max(people) AS people"
        f" FROM {report} WHERE site = ? AND day BETWEEN ? AND ? AND {key} = ? GROUP BY day)",
        [ask.site, period.first, period.last, step.value],
    ) if report in ask.reading.tables else []  # fmt: skip
    return (rows[0]["n"], rows[0]["days"]) if rows else (None, 0)
