"""Differencing in time: a week or a month less its days; a cohort less the new people of its days."""

from __future__ import annotations

from collections.abc import Iterator

from warehouse.attack.evidence import Evidence, Finding, Sure, place
from warehouse.report import OTHER


def spans(evidence: Evidence) -> Iterator[Finding]:
    """Weeks and months less the days that are published, and cohorts and steps less theirs."""
    yield from _periods(evidence)
    yield from _cohorts(evidence)
    yield from _steps(evidence)


def _periods(evidence: Evidence) -> Iterator[Finding]:
    """Rows by (site, period, begins) less rows by (site, day). People are counted once a day in both."""
    day = evidence.sheets.get("traffic_day")
    for one in evidence.sheets.values():
        if day is None or one.keys != ("site", "period", "begins"):
            continue
        for row in evidence.rows(
            "SELECT g.site, g.period, g.begins, any_value(g.people) - sum(t.people)::BIGINT AS people,"
            " any_value(g.events) - sum(t.events)::BIGINT AS events, count(*)::BIGINT AS days"
            f" FROM now_{one.name} g JOIN now_traffic_day t ON t.site = g.site AND t.day >= g.begins"
            " AND t.day < g.begins + CASE g.period WHEN 'week' THEN INTERVAL 7 DAY ELSE INTERVAL 1 MONTH END"
            " GROUP BY ALL"
        ):
            for number in ("people", "events"):
                off = one.off(number) + row["days"] * day.off(number)
                if off < row[number] < evidence.k - off:
                    says = "less the days that are shown it is a group too small"
                    yield Finding("spans", one.name, place(row, one.keys), says, Sure.CERTAIN)
                    break


def _cohorts(evidence: Evidence) -> Iterator[Finding]:
    """All who were first seen in a week, less the new people of the days on which they are shown."""
    if not {"retention", "new_returning", "traffic_day"} <= evidence.sheets.keys():
        return
    off = evidence.sheets["retention"].off("people")
    each = evidence.sheets["new_returning"].off("people")
    for row in evidence.rows(
        "WITH kinds AS (SELECT site, day, max(people) FILTER (kind = 'new') AS new, sum(people) AS told,"
        f" max(people) FILTER (kind = '{OTHER}') AS others FROM now_new_returning GROUP BY ALL),"
        # Where the other kinds are all there were, nobody was new.
        " days AS (SELECT t.site, date_trunc('week', t.day)::DATE AS cohort_week, others,"
        f" CASE WHEN {each} = 0 AND new IS NULL AND others IS NULL AND told = t.people THEN 0 ELSE new END"
        " AS new"
        " FROM now_traffic_day t LEFT JOIN kinds USING (site, day))"
        " SELECT r.site, r.cohort_week, any_value(r.people) - coalesce(sum(new), 0)::BIGINT AS rest,"
        " count(new)::BIGINT AS shown, count(*) FILTER (new IS NULL)::BIGINT AS hidden,"
        " coalesce(list(others) FILTER (new IS NULL AND others IS NOT NULL), []) AS others"
        " FROM now_retention r JOIN days d USING (site, cohort_week) WHERE r.week_offset = 0 GROUP BY ALL"
    ):
        about = off + each * row["shown"]
        keys = ("site", "cohort_week")
        if about < row["rest"] < evidence.k - about:
            says = "less the new people of the days on which they are shown it is a group too small"
            yield Finding("spans", "retention", place(row, keys), says, Sure.CERTAIN)
            continue
        # A day whose new people are folded: the folded row less them is the other kind. Of several such days
        # it is a guess that all came on one.
        lefts = [others - row["rest"] for others in row["others"]] if row["rest"] > about else []
        if any(about + each < left < evidence.k - about - each for left in lefts):
            says = f"the new people of the day on which they are in {OTHER} follow, and leave too few"
            sure = Sure.CERTAIN if row["hidden"] == 1 else Sure.LIKELY
            yield Finding("spans", "new_returning", place(row, keys), says, sure)


def _steps(evidence: Evidence) -> Iterator[Finding]:
    """A week's first step less the same act on the days on which it is shown. Nearly all do it once."""
    if not {"funnel", "custom_events"} <= evidence.sheets.keys():
        return
    off, each = evidence.sheets["funnel"].off("people"), evidence.sheets["custom_events"].off("people")
    for row in evidence.rows(
        "SELECT f.site, f.week, any_value(f.people) - coalesce(sum(e.people), 0)::BIGINT AS rest,"
        " count(e.people)::BIGINT AS shown FROM now_funnel f"
        " LEFT JOIN now_custom_events e ON e.site = f.site AND e.type = 'event' AND e.name = f.name"
        " AND e.day >= f.week AND e.day < f.week + INTERVAL 7 DAY WHERE f.step = 1 GROUP BY ALL"
    ):
        about = off + each * row["shown"]
        if about < row["rest"] < evidence.k - about:
            says = "less the days on which the first step is shown it is a group too small"
            yield Finding("spans", "funnel", place(row, ("site", "week")), says, Sure.LIKELY)
