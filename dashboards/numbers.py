"""The numbers of the pages: each a question to the published tables, all of one generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
from msgspec import Struct

from dashboards.panels import Panel
from dashboards.period import Period, monday
from dashboards.tallied import SHORT, tallied
from dashboards.who import present
from warehouse.everyone import Told, bounds
from warehouse.reader import Reading
from warehouse.report import OTHER
from warehouse.totals import WORDS


class Metric(Struct, frozen=True):
    """A headline number: which report has it, its unit, and whether more of it is better.

    Of a group of days it is `times` the sum of `of`, for each of `per` where there is one. `hours`: there is
    one by hour, too. `note` is what it means.
    """

    title: str
    report: str
    of: str
    note: str
    unit: str = ""
    per: str = ""
    times: float = 1
    hours: bool = False
    more_is_better: bool = True


#: In the order of the page.
METRICS = {
    "people": Metric("Visitors", "traffic_day", "people", "of each day, added up", hours=True),
    "visits": Metric("Visits", "sessions", "visits", "end after half an hour, and at midnight"),
    "views": Metric("Page views", "traffic_day", "views", "of everyone who may be counted", hours=True),
    "depth": Metric("Views per visit", "sessions", "views", "", "x", "visits"),
    "bounce": Metric(
        "Bounce rate", "sessions", "bounces", "one page, and no action", "%", "visits", 100,
        more_is_better=False,
    ),
    "time": Metric("Visit time", "sessions", "duration_ms", "from first event to last", "s", "visits", 0.001),
}  # fmt: skip
#: What there is of a day of a metric: of what, and for each of how many (1 where it is no rate).
Pair = tuple[float, float]
_EVER = Period(date.min, date.max, "ever")


class Numbers:
    """Questions about one site and period. `joined`: with days before, as another tool has counted them."""

    def __init__(self, reading: Reading, site: str, period: Period, *, joined: bool = True) -> None:
        self.reading, self.site, self.period, self.joined = reading, site, period, joined
        self._days: dict[str, list[dict[str, Any]]] = {}

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

    def daily(self, metric: Metric, period: Period) -> dict[date, Pair]:
        """The metric's parts by day; nothing of a day that is not published."""
        rows = self._report_days(metric.report, period)
        found = {row["day"]: (row[metric.of], row[metric.per] if metric.per else 1) for row in rows}
        return {day: (v, n) for day, (v, n) in found.items() if v is not None and n}

    def _report_days(self, report: str, period: Period) -> list[dict[str, Any]]:
        """All that the metrics read of a report, by day; asked once for all periods, and for all metrics."""
        of = {name for one in METRICS.values() if one.report == report for name in (one.of, one.per) if name}
        if report not in self._days:
            sums = ", ".join(f"sum({name})::DOUBLE AS {name}" for name in sorted(of))
            self._days[report] = self.ask(report, f"day, {sums}", _EVER, "GROUP BY day")
        return [row for row in self._days[report] if period.first <= row["day"] <= period.last]

    def total(self, metric: Metric, period: Period) -> float | None:
        """The metric over a period; None where no day of it is published."""
        return figure(metric, self.daily(metric, period).values())

    def hourly(self, metric: Metric, period: Period) -> dict[tuple[date, int], float]:
        """The metric by day and hour, where there is one by the hour."""
        rows = self.ask(
            "traffic_hour", f"day, hour, sum({metric.of})::DOUBLE AS v", period, "GROUP BY day, hour"
        )
        return {(row["day"], row["hour"]): row["v"] for row in rows}

    def oldest(self) -> date | None:
        """The first day of which anything is known: no day before it is compared."""
        if self.joined and "balance" in self.reading.imported:
            rows = self.ask("balance", "min(day) AS day", _EVER)
            return rows[0]["day"] if rows else None
        return next(
            (one["oldest"] for one in published_sites(self.reading) if one["site"] == self.site), None
        )

    def panel(
        self, panel: Panel, most: int = 9, fair: tuple[Period, Period] | None = None, *, rates: bool = False
    ) -> dict[str, Any]:
        """The longest rows of a list, those of small groups last; `share` of the largest for its bar. fair:
        whole days now and before of which `change` in percent is; None in a row that was not there in one."""
        now = self.period
        if (held := self._held(panel)) is not None:
            told = tallied(held, panel, now, fair or (now, now), most, rates=rates)
            if told is not None:
                return listed(panel, told, compared=fair is not None)
        keys, key = ", ".join(panel.keys), panel.keys[0]
        sums = ", ".join(
            f"(sum({name}) FILTER ({_between(now)}))::BIGINT AS {name}" for name in panel.sums
        )  # fmt: skip
        spans = [now, *(fair or ())]
        whole = Period(min(one.first for one in spans), max(one.last for one in spans), "all")
        then = ", ".join(
            f"(sum({panel.sums[0]}) FILTER ({_between(span)}))::DOUBLE AS {name}"
            for name, span in zip(("lately", "before"), fair or (now, now), strict=True)
        )
        rows = self.ask(
            panel.report,
            f"{keys}, {sums}, {then}, {_rates(panel, now) if rates else ''}count(*) OVER () AS of",
            whole,
            f"AND {panel.where} GROUP BY {keys} HAVING count(*) FILTER ({_between(now)}) > 0"
            f" ORDER BY {key} = '{OTHER}', {panel.sums[0]} DESC, {keys} LIMIT {most:d}",
        )
        return listed(panel, rows, compared=fair is not None)

    def _held(self, panel: Panel) -> pa.Table | None:
        """The site's rows of a list's report, where it is short and nobody else has counted days of it."""
        made = self.reading.made["tables"].get(panel.report)
        if made is None or made["rows"] > SHORT or (self.joined and panel.report in self.reading.imported):
            return None
        return self.reading.held(f"FROM {panel.report} WHERE site = ? AND {panel.where}", [self.site])

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
            Period(monday(self.period.first), self.period.last, "weeks"),
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
        newest = monday(self.period.last)
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
            "SELECT period, begins, people, views FROM growth WHERE site = ? ORDER BY begins", [self.site]
        )
        told = [row for row in rows if row.pop("period") == period and row["begins"] <= self.period.last]
        return told[-most:]

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
        views = [row["views"] for row in self._report_days("traffic_day", self.period)]
        out = {row["reason"]: row["n"] for row in self.reasons()}
        if not views:
            return None
        least = sum(out.get(why, 0) for why in WORDS)
        found = bounds(Told(int(sum(views))), (least, least + out.get(OTHER, 0)))
        return {"low": found.low, "high": found.high, "refused": least}


def figure(metric: Metric, pairs: Iterable[Pair], *, mean: bool = False) -> float | None:
    """The metric of several days together; `mean`: of one of them. None where there is none."""
    found = list(pairs)
    per = sum(n for _, n in found) if metric.per else len(found) if mean else 1
    return metric.times * sum(v for v, _ in found) / per if found and per else None


def listed(panel: Panel, rows: list[dict[str, Any]], *, compared: bool) -> dict[str, Any]:
    """A list's rows with how long their bars are, and by how much they have changed."""
    top = max((row[panel.sums[0]] or 0 for row in rows), default=0) or 1
    named = [
        row
        | {"share": 100 * (row[panel.sums[0]] or 0) / top, "other": row[panel.keys[0]] == OTHER}
        | {"change": _change(row["lately"], row["before"]) if compared else None}
        for row in rows
    ]
    return {"panel": panel, "rows": named, "of": rows[0]["of"] if rows else 0, "compared": compared}


def _rates(panel: Panel, span: Period) -> str:
    """Columns `rate0`, `rate1`, … of a list."""
    when = f"FILTER ({_between(span)})"
    return "".join(
        f"({one.times} * sum({one.of}) {when} / nullif(sum({one.per}) {when}, 0))::DOUBLE AS rate{n}, "
        for n, one in enumerate(panel.rates)
    )


def _change(now: float | None, before: float | None) -> float | None:
    return 100 * (now - before) / before if now is not None and before else None


def _between(span: Period) -> str:
    return f"day BETWEEN DATE '{span.first.isoformat()}' AND DATE '{span.last.isoformat()}'"


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


def table(reading: Reading, report: str, site: str, period: Period, keys: Sequence[str]) -> Any:
    """A report's own rows, in the period where it has days."""
    when = next((key for key in ("day", "week", "begins", "cohort_week") if key in keys), None)
    days = f" AND {when} BETWEEN ? AND ?" if when == "day" else ""
    return reading.table(
        f"SELECT * FROM {report} WHERE site = ?{days} ORDER BY ALL",
        [site, *((period.first, period.last) if days else ())],
    )
