"""The numbers of the pages: each a question to the published tables, all of one generation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from msgspec import Struct

from dashboards.panels import Panel
from dashboards.period import Period
from dashboards.who import present
from warehouse.everyone import Told, bounds
from warehouse.reader import Reading
from warehouse.report import OTHER
from warehouse.totals import WORDS


class Metric(Struct, frozen=True):
    """A headline number: where it comes from, its unit, and whether more of it is better.

    `sql` is of a group of days. `hours`: there is one by hour, too. `note` is what it means.
    """

    title: str
    report: str
    sql: str
    note: str
    unit: str = ""
    hours: bool = False
    more_is_better: bool = True


_BOUNCE = "100 * sum(bounces) / nullif(sum(visits), 0)"
_TIME = "sum(duration_ms) / nullif(sum(visits), 0) / 1000"
#: In the order of the page.
METRICS = {
    "people": Metric("Visitors", "traffic_day", "sum(people)", "of each day, added up", hours=True),
    "visits": Metric("Visits", "sessions", "sum(visits)", "end after half an hour, and at midnight"),
    "views": Metric("Page views", "traffic_day", "sum(views)", "of everyone who may be counted", hours=True),
    "depth": Metric("Views per visit", "sessions", "sum(views) / nullif(sum(visits), 0)", "", "x"),
    "bounce": Metric(
        "Bounce rate", "sessions", _BOUNCE, "one page, and no action", "%",
        more_is_better=False,
    ),
    "time": Metric("Visit time", "sessions", _TIME, "from first event to last", "s"),
}  # fmt: skip


class Numbers:
    """Questions about one site and period. `joined`: with days before, as another tool has counted them."""

    def __init__(self, reading: Reading, site: str, period: Period, *, joined: bool = True) -> None:
        self.reading, self.site, self.period, self.joined = reading, site, period, joined

    def ask(
        self, report: str, what: str, period: Period | None = None, group: str = "", key: str = "day"
    ) -> list[dict[str, Any]]:
        """`what` of a report's rows in the period; nothing where there is no such report."""
        if report not in self.reading.tables:
            return []
        one = period or self.period
        rows = joined(self.reading, report) if self.joined else report
        sql = f"SELECT {what} FROM {rows} WHERE site = ? AND {key} BETWEEN ? AND ? {group}"
        return self.reading.rows(sql, [self.site, one.first, one.last])

    def total(self, metric: Metric, period: Period) -> float | None:
        """The metric over a period; None where no day of it is published."""
        rows = self.ask(metric.report, f"({metric.sql})::DOUBLE AS v", period)
        found: float | None = rows[0]["v"] if rows else None
        return found

    def headline(self, known_since: date) -> list[dict[str, Any]]:
        """Every metric now and before: value, change in percent (None where days can't be compared)."""
        before = self.period.before()
        # A day that still runs, or a time before the first day, would compare unlike with unlike.
        fair = before.first >= known_since and self.period.last < datetime.now(UTC).date()
        rows = []
        for name, metric in METRICS.items():
            now = self.total(metric, self.period)
            old = self.total(metric, before) if fair else None
            change = (now - old) / old * 100 if now is not None and old else None
            good = change is None or abs(change) < 0.5 or (change > 0) == metric.more_is_better
            rows.append({"name": name, "metric": metric, "now": now, "change": change, "good": good})
        return rows

    def curve(self, metric: Metric) -> tuple[list[str], list[float | None], list[float | None]]:
        """Labels, this period's values and those before: by hour for one day, by day for more."""
        before = self.period.before()
        if self.period.days == 1 and metric.hours:
            at: list[Any] = list(range(24))
            labels = [f"{hour}:00" for hour in at]
            now, old = (self._by("traffic_hour", "hour", metric, one) for one in (self.period, before))
            return labels, [now.get(hour) for hour in at], [old.get(hour) for hour in at]
        days = self.period.all()
        form = "{:%-d %b}" if self.period.days > 7 else "{:%a %-d %b}"
        now, old = (self._by(metric.report, "day", metric, one) for one in (self.period, before))
        return [form.format(d) for d in days], [now.get(d) for d in days], [old.get(d) for d in before.all()]

    def _by(self, report: str, key: str, metric: Metric, period: Period) -> dict[Any, float | None]:
        rows = self.ask(report, f"{key} AS at, ({metric.sql})::DOUBLE AS v", period, f"GROUP BY {key}")
        return {row["at"]: row["v"] for row in rows}

    def panel(self, panel: Panel, most: int = 9) -> dict[str, Any]:
        """The longest rows of a list, those of small groups last; `share` of the largest for its bar."""
        keys = ", ".join(panel.keys)
        sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in panel.sums)
        rows = self.ask(
            panel.report,
            f"{keys}, {sums}, count(*) OVER () AS of",
            group=f"AND {panel.where} GROUP BY {keys}"
            f" ORDER BY {panel.keys[0]} = '{OTHER}', {panel.sums[0]} DESC, {keys} LIMIT {most:d}",
        )
        top = max((row[panel.sums[0]] for row in rows), default=0) or 1
        named = [
            row | {"share": 100 * row[panel.sums[0]] / top, "other": row[panel.keys[0]] == OTHER}
            for row in rows
        ]
        return {"panel": panel, "rows": named, "of": rows[0]["of"] if rows else 0}

    def adverts(self, most: int = 9) -> list[dict[str, Any]]:
        """The campaigns: impressions, viewable ones of those measured, and clicks, net of invalid traffic."""
        sums = ", ".join(
            f"sum(net_{name})::BIGINT AS {name}" for name in ("impressions", "measured", "viewable", "clicks")
        )
        rows = self.ask(
            "delivery",
            f"ad_campaign, {sums}",
            group="GROUP BY ad_campaign HAVING impressions > 0"
            f" ORDER BY ad_campaign = '{OTHER}', impressions DESC, ad_campaign LIMIT {most:d}",
        )
        return [row | rates(row) for row in rows]

    def funnel(self) -> list[dict[str, Any]]:
        """Each step's people over the weeks of the period; shares of the first step and of the one before."""
        rows = self.ask(
            "funnel",
            "step, name, sum(people)::BIGINT AS people",
            Period(_monday(self.period.first), self.period.last, "weeks"),
            "GROUP BY step, name ORDER BY step",
            key="week",
        )
        top = max((row["people"] for row in rows), default=0) or 1
        previous = [None, *(row["people"] for row in rows)]
        return [
            row | {"share": 100 * row["people"] / top, "kept": 100 * row["people"] / old if old else None}
            for row, old in zip(rows, previous, strict=False)
        ]

    def retention(self, weeks: int = 8) -> list[dict[str, Any]]:
        """The newest cohorts: their size, and the share that came again in each later week."""
        if "retention" not in self.reading.tables:
            return []
        rows = self.reading.rows(
            "SELECT cohort_week, week_offset, people FROM retention WHERE site = ? AND cohort_week <= ?"
            " ORDER BY cohort_week, week_offset",
            [self.site, self.period.last],
        )
        sizes = {row["cohort_week"]: row["people"] for row in rows if row["week_offset"] == 0}
        cohorts = sorted(sizes)[-weeks:]
        newest = _monday(self.period.last)
        at = {(row["cohort_week"], row["week_offset"]): row["people"] for row in rows}
        return [
            {
                "week": week,
                "size": sizes[week],
                "shares": [
                    100 * at[week, n] / sizes[week] if (week, n) in at else None
                    for n in range(1, min((newest - week).days // 7, weeks - 1) + 1)
                ],
            }
            for week in cohorts
        ]

    def growth(self, period: str, most: int = 14) -> list[dict[str, Any]]:
        """People and views of the newest weeks or months, oldest first."""
        if "growth" not in self.reading.tables:
            return []
        rows = self.reading.rows(
            "SELECT begins, people, views FROM growth WHERE site = ? AND period = ? AND begins <= ?"
            f" ORDER BY begins DESC LIMIT {most:d}",
            [self.site, period, self.period.last],
        )
        return rows[::-1]

    def balance(self) -> dict[str, int] | None:
        """Received, stored and refused over the period; None where nothing came."""
        sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in ("received", "stored", "refused"))
        rows = self.ask("balance", sums)
        return rows[0] if rows and rows[0]["received"] else None

    def reasons(self) -> list[dict[str, Any]]:
        """Why events were refused, the commonest reason first."""
        return self.ask(
            "refused", "reason, sum(n)::BIGINT AS n", group="GROUP BY reason ORDER BY n DESC, reason"
        )

    def everyone(self) -> dict[str, int] | None:
        """Page views with those who refused, assuming nothing of them (S6): `low` and `high`, and the refused
        requests. What is too little to say why it was refused may be theirs, too. None where nothing came."""
        views = self.ask("traffic_day", "sum(views)::BIGINT AS n")
        out = {row["reason"]: row["n"] for row in self.reasons()}
        if not views or views[0]["n"] is None:
            return None
        least = sum(out.get(why, 0) for why in WORDS)
        found = bounds(Told(views[0]["n"]), (least, least + out.get(OTHER, 0)))
        return {"low": found.low, "high": found.high, "refused": least}


def joined(reading: Reading, report: str) -> str:
    """The rows of a report, with those of days before that another tool has counted, where there are any."""
    if report not in reading.imported:
        return report
    return f"(FROM {report} UNION ALL BY NAME FROM imported_{report})"


def imported(reading: Reading, site: str) -> dict[str, Any] | None:
    """The first and last day that another tool has counted, and which (`origin`); None where none has."""
    if "traffic_day" not in reading.imported:
        return None
    rows = reading.rows(
        "SELECT min(day) AS oldest, max(day) AS newest, string_agg(DISTINCT origin, ', ' ORDER BY origin)"
        " AS origin FROM imported_traffic_day WHERE site = ?",
        [site],
    )
    return rows[0] if rows[0]["oldest"] else None


def sites(reading: Reading) -> list[dict[str, Any]]:
    """Sites with a published day that whoever asks may see: their first and last days, the busiest first."""
    return [one for one in published_sites(reading) if present().sees(one["site"])]


def published_sites(reading: Reading) -> list[dict[str, Any]]:
    """The same for who has a key to all of them."""
    if "balance" not in reading.tables:
        return []
    return reading.rows(
        "SELECT site, min(day) AS oldest, max(day) AS newest FROM balance WHERE site <> ''"
        " GROUP BY site ORDER BY sum(received) DESC, site"
    )


def rates(row: Mapping[str, int]) -> dict[str, float | None]:
    """Viewable of those measured, and clicks of impressions, in percent; None where nothing is behind one."""
    return {
        "rate": _percent(row["viewable"], row["measured"]),
        "ctr": _percent(row["clicks"], row["impressions"]),
    }


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _monday(day: date) -> date:
    return date.fromordinal(day.toordinal() - day.weekday())


def table(reading: Reading, report: str, site: str, period: Period, keys: Sequence[str]) -> Any:
    """A report's own rows, in the period where it has days."""
    when = next((key for key in ("day", "week", "begins", "cohort_week") if key in keys), None)
    days = f" AND {when} BETWEEN ? AND ?" if when == "day" else ""
    return reading.table(
        f"SELECT * FROM {report} WHERE site = ?{days} ORDER BY ALL",
        [site, *((period.first, period.last) if days else ())],
    )
