"""How far each person came in a funnel: everybody in one class, so that one person is one of one number.

Reads `events` (`relations.py`): rows granted the purpose, without those who have withdrawn.
"""

from __future__ import annotations

import duckdb

from warehouse.funnel import Funnel, Step

#: What a row must be to be a step.
_IS = {
    "page": "type = 'page_view' AND path = ?",
    "event": "type NOT IN ('page_view', 'engagement') AND name = ?",
}
#: What those who are followed together share: themselves, and a day of the site or none.
_WINDOW = {"day": "person, day", "range": "person"}


def furthest(connection: duckdb.DuckDBPyConnection, funnel: Funnel) -> list[int]:
    """How many people came exactly so far, at their best in any window: of the first step, the second, …

    A step is reached when one of its events is at or after the moment at which the one before was first
    reached: earlier is never worse, so that the first moment of each step is all that has to be known."""
    by = _WINDOW[funnel.within]
    case = " ".join(f"WHEN {_IS[one.kind]} THEN {number}" for number, one in enumerate(funnel.steps, 1))
    met = f"SELECT person, day, time, CASE {case} END AS step FROM events WHERE step IS NOT NULL"
    made = [f"met AS MATERIALIZED ({met})"]
    for number in range(1, len(funnel.steps) + 1):
        after = f" JOIN at{number - 1} USING ({by})" if number > 1 else ""
        late = " AND time >= moment" if number > 1 else ""
        made.append(
            f"at{number} AS MATERIALIZED (SELECT {by}, min(time) AS moment FROM met{after}"
            f" WHERE step = {number}{late} GROUP BY {by})"
        )
    reached = " UNION ALL ".join(
        f"SELECT person, {number} AS step FROM at{number}" for number in range(1, len(funnel.steps) + 1)
    )
    rows = connection.execute(
        f"WITH {', '.join(made)} SELECT step, count(*) FROM"
        f" (SELECT person, max(step) AS step FROM ({reached}) GROUP BY person) GROUP BY step",
        [one.value for one in funnel.steps],
    ).fetchall()
    found = dict(rows)
    return [int(found.get(number, 0)) for number in range(1, len(funnel.steps) + 1)]


def wanted(steps: tuple[Step, ...]) -> tuple[str, ...]:
    """The columns of facts without which nobody can be followed."""
    return ("row", "time", *({"page": "path", "event": "name"}[one.kind] for one in steps))
