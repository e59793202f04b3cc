"""Days as a condition of SQL."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date


def named(days: Iterable[date]) -> str:
    """A condition on the column `day`: a range, by which files are skipped, and a list if it has gaps."""
    found = sorted(days)
    if not found:
        return "false"
    span = f"day BETWEEN DATE '{found[0].isoformat()}' AND DATE '{found[-1].isoformat()}'"
    if (found[-1] - found[0]).days < len(found):
        return span
    listed = ", ".join(f"DATE '{day.isoformat()}'" for day in found)
    return f"{span} AND day IN ({listed})"
