"""Joins of two tenants: the same events, reported for two sites or under two policies, differ by a few."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place

#: From so many rows of a day on, and of which so many are the same, two sites are of the same people: of two
#: crowds that have nothing to do with each other one row in ten or twenty is.
ROWS, SAME = 8, 0.75
#: So many different numbers must be among them: where all of a few people came from one country with one
#: device, one number stands in all rows, and two small sites have it by chance (in 10 of 14 made-up markets).
NUMBERS = 4


def tenants(evidence: Evidence) -> Iterator[Finding]:
    """Days of two sites whose rows are nearly all of as many people, and which differ by a few in others: who
    is counted under one policy and not under the other. Only where numbers are exact: pseudonyms do not join
    across sites, so that a noise by cell keys is another on each."""
    exact = [one for one in evidence.daily() if "site" in one.keys and not one.off("people")]
    parts = []
    for one in exact:
        by = ", ".join(key for key in one.keys if key != "site")
        parts.append(
            "SELECT a.site, b.site AS other, day, a.people, a.people - b.people AS apart"
            f" FROM now_{one.name} a JOIN now_{one.name} b USING ({by}) WHERE a.site < b.site"
        )
    if not parts:
        return
    for row in evidence.rows(
        f"SELECT site, other, day FROM ({' UNION ALL '.join(parts)}) GROUP BY ALL HAVING count(*) >= {ROWS}"
        f" AND count(*) FILTER (apart = 0) >= {SAME} * count(*)"
        f" AND count(DISTINCT people) FILTER (apart = 0) >= {NUMBERS}"
        f" AND bool_or(apart <> 0 AND abs(apart) < {evidence.k}) ORDER BY ALL"
    ):
        says = f"site {row['other']} counts the same people, but for fewer than a group"
        yield Finding("tenants", "all tables", place(row, ("site", "day")), says, Sure.LIKELY)
