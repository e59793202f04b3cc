"""Days that are judged by other rules than those in force on them: what `throng adverts rejudge` has said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import duckdb

from consent_filter.errors import Refused
from warehouse.invalid.rules import in_force, load
from warehouse.lake import Lake, rows_of


def judged(connection: duckdb.DuckDBPyConnection) -> dict[date, int]:
    """Day → version, the last that was said; none where the lake is older than that."""
    return dict(rows_of(connection, "SELECT day, arg_max(rules, number) FROM lake.judged GROUP BY day"))


def since(connection: duckdb.DuckDBPyConnection, number: int) -> set[date]:
    """Days of which that was said after the commit of that number."""
    rows = rows_of(connection, f"SELECT DISTINCT day FROM lake.judged WHERE number > {number:d}")
    return {day for (day,) in rows}


def rejudge(
    lake: Lake, version: int, days: Sequence[date], reason: str, now: float, *, dry: bool = False
) -> list[date]:
    """Judge those days by that version from now on, and make their reports anew. Returns the days that this
    changes; saying the same again changes nothing, nor does `dry`. The caller holds pipeline.lock.

    Raises Refused where there is no such version.
    """
    if version not in load():
        raise Refused(400, "no_such_rules", f"there are rules {', '.join(map(str, load()))}")
    before = judged(lake.connection)
    changed = [day for day in days if in_force(day, before).version != version]
    found = lake.connection.execute("SELECT DISTINCT site, day FROM lake.commits").fetchall()
    touched = [(site, day) for site, day in found if day in set(changed)]
    changed = sorted({day for _, day in touched})
    if not changed or dry:
        return changed
    moment = datetime.fromtimestamp(now, UTC).replace(tzinfo=None)
    with lake.transaction():
        number = lake.number() + 1
        lake.insert("judged", [(number, day, version, moment, reason) for day in changed])
        # No rows are added: what changes is what they count as, and so these days are touched.
        lake.insert("commits", [(number, site, day, 0) for site, day in touched])
    return changed
