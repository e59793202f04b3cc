"""The numbers of the page on adverts: questions to published tables, net beside gross, known beside told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from dashboards.language import later
from dashboards.numbers import Metric, Numbers, Pair, rates
from dashboards.period import Period
from warehouse import frequency
from warehouse.report import OTHER

#: Bands in their order (`warehouse/reports/viewing.sql`, `reach.sql`, `pressure.sql`).
SECONDS = ("0-1", "1-2", "2-5", "5-10", "10-30", "30-60", "60+")
SHARES = ("0", "1-29", "30-49", "50-74", "75-99", "100")
OFTEN = ("1", "2", "3", "4-6", "7+")
WEEKLY = ("1-2", "3-5", "6-10", "11-20", "21-40", "41-80", "81+")
#: Messages by the way that they took, as their reader calls them.
MESSAGES = ("emails", "letters", "texts", "calls", "notices")
#: What a view goes through: the number, and what it is a part of.
STEPS = (
    ("requests", "asked for", ""),
    ("served", "served", "requests"),
    ("impressions", "rendered", "served"),
    ("viewable", "viewable", "measured"),
    ("clicks", "clicked", "impressions"),
)
_COUNTED = ("impressions", "measured", "viewable", "clicks")
_NET = "net of invalid traffic"
#: At the head of the page: net, by day.
METRICS = {
    "impressions": Metric("Impressions", "delivery", "net_impressions", _NET),
    "viewable": Metric(
        "Viewable", "delivery", "large_viewable", "of those measured", "%", "large_measured", 100
    ),
    "clicks": Metric("Clicks", "delivery", "net_clicks", f"{_NET}, of days on which they are told"),
    "ctr": Metric(
        "Click rate", "delivery", "net_clicks", "of these days' impressions", "%", "net_impressions", 100
    ),
}


class Told(Struct, frozen=True):
    """A distribution: bands with people and impressions, net where the table has both; `missing`: why there
    is none."""

    rows: list[dict[str, Any]]
    people: int = 0
    impressions: int = 0
    missing: str = ""

    @property
    def average(self) -> float | None:
        return self.impressions / self.people if self.people else None


class AdvertNumbers:
    """Questions about the adverts of one site, period and campaign ("" for all)."""

    def __init__(self, ask: Numbers, campaign: str = "") -> None:
        self._ask, self._campaign = ask, campaign
        self._days: dict[Period, list[dict[str, Any]]] = {}
        said = campaign.replace("'", "''")
        self._of = f"AND ad_campaign = '{said}'" if campaign else ""

    def daily(self, metric: Metric, period: Period) -> dict[date, Pair]:
        """A metric's parts by day: nothing of a day on which no group saw any, or too few clicked."""
        if period not in self._days:
            large = f"FILTER (people >= {3 * self._ask.reading.made['min_group']:d})"  # as in `_rated`
            sums = [f"sum(net_{name})::DOUBLE AS net_{name}" for name in ("impressions", "clicks")]
            sums += [f"sum(net_{name}) {large}::DOUBLE AS large_{name}" for name in ("measured", "viewable")]
            what = f"day, {', '.join(sums)}"
            self._days[period] = self._ask.ask("delivery", what, period, f"{self._of} GROUP BY day")
        pairs = {
            row["day"]: (row[metric.of], row[metric.per] if metric.per else 1) for row in self._days[period]
        }
        return {
            day: (v, n)
            for day, (v, n) in pairs.items()
            if v is not None and n and (v or "click" not in metric.of)
        }

    def campaigns(self) -> list[str]:
        """The campaigns of the period, by name."""
        rows = self._ask.ask("delivery", "DISTINCT ad_campaign", group="ORDER BY ad_campaign")
        return [row["ad_campaign"] for row in rows if row["ad_campaign"] not in (OTHER, "(none)")]

    def funnel(self) -> list[dict[str, Any]]:
        """What became of views, of all events: each step with what it is a share of."""
        found = self._sums([*(name for name, _, _ in STEPS), "measured"])
        if found is None:
            return []
        top = max(found[name] for name, _, _ in STEPS) or 1
        return [
            {
                "name": name, "says": says, "n": found[name], "share": 100 * found[name] / top,
                "of": whole, "whole": found.get(whole),
                "kept": 100 * found[name] / found[whole] if whole and found[whole] else None,
            }
            for name, says, whole in STEPS
        ]  # fmt: skip

    def traffic(self) -> list[dict[str, Any]]:
        """Gross, filtered and net of each number that a buyer pays by."""
        found = self._sums([*_COUNTED, *(f"net_{name}" for name in _COUNTED)])
        if found is None:
            return []
        return [
            {
                "name": name, "gross": found[name], "net": found[f"net_{name}"],
                "filtered": found[name] - found[f"net_{name}"],
                "share": 100 * (1 - found[f"net_{name}"] / found[name]) if found[name] else None,
            }
            for name in _COUNTED
        ]  # fmt: skip

    def parts(self, most: int = 30) -> list[dict[str, Any]]:
        """Creatives and placements with their rates, net; the largest first. `measured` and `viewable` are of
        rows that are large enough to compare the two."""
        sums = self._rated()
        keys = "ad_campaign, ad_creative, ad_placement"
        rows = self._ask.ask(
            "adverts", f"{keys}, {sums}",
            group=f"{self._of} GROUP BY {keys} HAVING impressions > 0"
            f" ORDER BY ad_creative = '{OTHER}', impressions DESC, {keys} LIMIT {most:d}",
        )  # fmt: skip
        return [row | rates(row) for row in rows]

    def places(self, most: int = 12) -> list[dict[str, Any]]:
        """Countries, or continents where those are too small (M33), with their rates, net."""
        sums = self._rated()
        rows = self._ask.ask(
            "adverts", f"continent, country, {sums}",
            group=f"{self._of} GROUP BY continent, country HAVING impressions > 0"
            f" ORDER BY continent = '{OTHER}', impressions DESC, country LIMIT {most:d}",
        )  # fmt: skip
        return [row | rates(row) for row in rows]

    def ends(self, measure: str) -> Told:
        """How long, or how much of it, adverts were in view when the view ended."""
        bands = SECONDS if measure == "seconds" else SHARES
        rows = self._ask.ask(
            "viewing", "band, sum(ended)::BIGINT AS impressions, sum(people)::BIGINT AS people",
            group=f"{self._of} AND measure = '{measure}' GROUP BY band",
        )  # fmt: skip
        return _told(rows, bands, later("no group of people ended a view in these days"))

    def sizes(self) -> list[dict[str, Any]]:
        """Sizes, net: views that began to render, and of rows that are large enough to compare the two the
        viewable share; the largest first. Sizes of too few people stand under `(other)`."""
        large = f"FILTER (people >= {3 * self._ask.reading.made['min_group']:d})"
        rows = self._ask.ask(
            "viewing",
            "band, sum(impressions)::BIGINT AS impressions,"
            f" coalesce(sum(impressions) {large}, 0)::BIGINT AS large,"
            f" coalesce(sum(viewable) {large}, 0)::BIGINT AS viewable",
            group=f"{self._of} AND measure = 'size' GROUP BY band HAVING sum(impressions) > 0"
            f" ORDER BY band = '{OTHER}', impressions DESC, band",
        )  # fmt: skip
        return [
            row | {"rate": 100 * row["viewable"] / row["large"] if row["large"] else None} for row in rows
        ]

    def reach(self, period: str, kind: str) -> Told:
        """Of one campaign: people, or devices' own words, by how often, net; of the newest span."""
        if not self._campaign:
            return Told([], missing=later("choose one campaign: people of two campaigns can not be added up"))
        begins = self.begun(period)
        rows = self._ask.ask(
            "reach", "band, people, net_impressions AS impressions", Period(begins, begins, "one"),
            group=f"{self._of} AND period = '{period}' AND kind = '{kind}'", key="begins",
        ) if begins else []  # fmt: skip
        return _told(rows, OFTEN, later("no group of people whom this can be said of"))

    def gross(self, period: str) -> dict[str, int]:
        """Of the people with an identifier whom that span reached, gross: how many `people`, of whom all
        impressions were `filtered`, and `impressions`; 0 filtered where they are too few to be told."""
        begins = self.begun(period)
        rows = self._ask.ask(
            "reach", "kind, sum(people)::BIGINT AS people, sum(impressions)::BIGINT AS impressions",
            Period(begins, begins, "one"), key="begins",
            group=f"{self._of} AND period = '{period}' AND kind IN ('known', 'filtered') GROUP BY kind",
        ) if begins else []  # fmt: skip
        of = {row["kind"]: row for row in rows}
        return {
            "people": sum(row["people"] for row in rows),
            "filtered": of["filtered"]["people"] if "filtered" in of else 0,
            "impressions": sum(row["impressions"] for row in rows),
        }

    def begun(self, period: str) -> date | None:
        """The first day of the newest span of that kind that begins no later than the period ends."""
        return self._newest("reach", "begins", f"{self._of} AND period = '{period}'", period == "week")

    def _newest(self, report: str, key: str, group: str = "", week: bool = True) -> date | None:
        """The newest first day; of weeks one that is over by the end of the period, where there is one."""
        last = self._ask.period.last
        for end in (last - timedelta(days=6), last) if week else (last,):
            rows = self._ask.ask(
                report, f"max({key}) AS begins", Period(date.min, end, "until"), group, key
            )  # fmt: skip
            if rows and rows[0]["begins"] is not None:
                begins: date = rows[0]["begins"]
                return begins
        return None

    def bias(self) -> float | None:
        """How far devices' own word is from the people it is of, in percent of the flight's reach (S11)."""
        told = self.reach("flight", "told_known")
        return frequency.bias(_said(told), self.reach("flight", "known").people)

    def devices(self) -> frequency.Devices | None:
        """How many devices of people who are not known the flight reached, by their own word; how often."""
        return frequency.devices(_said(self.reach("flight", "told")))

    def pressure(self, ceiling: int, allowed: float = 100.0, kind: str = "all") -> dict[str, Any]:
        """How often people were reached in the newest week, by impressions and messages, or by messages
        alone; the share above the ceiling, and whether that is more than is `allowed`, both in percent."""
        week = self._newest("pressure", "week")
        sums = ", ".join(("net_impressions", "messages", *MESSAGES))
        rows = self._ask.ask(
            "pressure", f"band, people, net_impressions + messages AS impressions, {sums}",
            Period(week, week, "week"), f"AND kind = '{kind}'", "week",
        ) if week else []  # fmt: skip
        missing = {
            "all": later("no group of people with an identifier was reached in a week"),
            "messages": later(
                "no sender has told of messages to a group of people with an identifier in a week"
            ),
        }
        told = _told(rows, WEEKLY, missing[kind])
        over = sum(row["people"] or 0 for row in told.rows if lower(row["band"]) > ceiling)
        share = 100 * over / told.people if told.people else None
        folded = next((row["people"] for row in told.rows if row["band"] == OTHER), 0)
        return {
            "week": week, "told": told, "ways": [
                (name, n) for name in MESSAGES if (n := sum(row.get(name) or 0 for row in told.rows))
            ], "share": share, "folded": folded, "ceiling": ceiling,
            "allowed": allowed, "too_many": share is not None and share > allowed,
        }  # fmt: skip

    def _rated(self) -> str:
        """Numbers for rates, as SQL: only of rows of three groups. In a smaller one fewer than ten people may
        have had a viewable impression, which is then told as 0, beside all that were measured."""
        large = f"FILTER (people >= {3 * self._ask.reading.made['min_group']:d})"
        parts = ["sum(net_impressions)::BIGINT AS impressions, sum(net_clicks)::BIGINT AS clicks"]
        parts += [
            f"coalesce(sum(net_{name}) {large}, 0)::BIGINT AS {name}" for name in ("measured", "viewable")
        ]
        return ", ".join(parts)

    def _sums(self, names: Sequence[str]) -> dict[str, int] | None:
        sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in names)
        rows = self._ask.ask("delivery", sums, group=self._of)
        return rows[0] if rows and rows[0][names[0]] is not None else None


def _said(told: Told) -> dict[str, int]:
    return {row["band"]: row["impressions"] for row in told.rows if row["impressions"] is not None}


def lower(band: str) -> int:
    """Where a band begins; 0 for what was folded, whose place nobody knows."""
    first = band.rstrip("+").split("-")[0]
    return int(first) if first.isdigit() else 0


def _told(rows: Sequence[dict[str, Any]], bands: Sequence[str], missing: str) -> Told:
    """Bands in their order, those that are not there as gaps; what was folded comes last."""
    at = {row["band"]: row for row in rows}
    if not at:
        return Told([], missing=missing)
    found = [at.get(band) or {"band": band, "people": None, "impressions": None} for band in bands]
    found += [row for row in rows if row["band"] == OTHER]
    full = [row for row in found if row["people"] is not None]
    return Told(found, sum(row["people"] for row in full), sum(row["impressions"] for row in full))
