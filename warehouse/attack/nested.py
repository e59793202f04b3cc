"""Rows that contain each other: a step less the step after it, a cohort less those who came again."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place


def nested(evidence: Evidence) -> Iterator[Finding]:
    """Neighbours that differ by a few: these went so far and no farther."""
    for one in evidence.sheets.values():
        if not one.nested:
            continue
        rest = [key for key in one.keys if key not in one.within]
        over = f"OVER (PARTITION BY {', '.join(one.within)} ORDER BY {', '.join(rest)})"
        around = "lag" if one.nested == "previous" else "first_value"
        off = 2 * one.off("people")
        for row in evidence.rows(
            f"FROM (SELECT *, {around}(people) {over} - people AS less FROM now_{one.name})"
            f" WHERE less > {off} AND less < {evidence.k - off}"
        ):
            says = "the row around it has a few people more: a group too small"
            yield Finding("nested", one.name, place(row, one.keys, "?"), says, Sure.CERTAIN)
