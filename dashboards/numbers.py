"""The numbers of the overview: each a question to the published tables, all of one generation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from dashboards.period import Period
from warehouse.reader import Reader
from warehouse.settings import Warehouse


class Panel(Struct, frozen=True):
    """A list of the overview: what it is called, which report it reads, and what it is ordered by."""

    title: str
    report: str
    keys: tuple[str, ...]
    sums: tuple[str, ...]
    note: str = ""


#: In the order of the page.
PANELS = (
    Panel("Sources", "sources", ("referrer_group", "referrer_host"), ("people", "views")),
    Panel("Campaigns", "campaigns", ("utm_source", "utm_campaign"), ("people", "views")),
    Panel("Pages", "pages", ("path",), ("people", "views")),
    Panel("Entry pages", "entry_pages", ("path",), ("people", "visits")),
    Panel("Exit pages", "exit_pages", ("path",), ("people", "visits")),
    Panel("Countries", "countries", ("country",), ("people", "views")),
    Panel("Devices", "devices", ("device",), ("people", "views")),
    Panel("Browsers", "browsers", ("browser", "os"), ("people", "views")),
    Panel("Adverts", "adverts", ("ad_slot", "ad_campaign"), ("impressions", "viewable", "clicks"), "of those who allowed it"),
    Panel("Events", "custom_events", ("type", "name"), ("people", "events")),
    Panel("New and returning", "new_returning", ("kind",), ("people", "events"), "identified people only"),
    Panel("Consent", "consent_mix", ("basis", "signal"), ("people", "events"), "what was kept, and on which basis"),
    Panel("Refused, and why", "refused", ("reason", "detail"), ("n",), "counted, not kept"),
)


class Source:
    """Questions to one data folder."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        self._reader = Reader(data, settings)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._reader.reading() as reading:
            return reading.rows(sql, values)

    def table(self, sql: str, values: Sequence[object] = ()) -> Any:
        with self._reader.reading() as reading:
            return reading.table(sql, values)

    def sites(self) -> list[str]:
        """Sites that have a published day, the busiest first."""
        if "balance" not in self.tables():
            return []
        return [
            row["site"]
            for row in self.rows("SELECT site FROM balance WHERE site <> '' GROUP BY site ORDER BY sum(received) DESC")
        ]

    def tables(self) -> set[str]:
        return {row["name"] for row in self.rows("SELECT name FROM reports")}

    def newest(self, site: str) -> date:
        """The last day with anything received; where there is none, today in UTC."""
        rows = self.rows("SELECT max(day) AS day FROM balance WHERE site = ?", [site]) if site else []
        found = rows[0]["day"] if rows else None
        return found or date.today()

    def totals(self, site: str, period: Period) -> dict[str, float | None]:
        """The headline numbers. People are people a day, added up: nobody is followed from day to day."""
        have, found = self.tables(), {}
        for report, sums in (
            ("traffic_day", ("people", "views")),
            ("sessions", ("visits", "bounces", "duration_ms")),
            ("adverts", ("impressions", "viewable", "clicks")),
            ("balance", ("received", "refused")),
        ):
            if report not in have:
                found |= dict.fromkeys(sums)
                continue
            what = ", ".join(f"sum({name})::DOUBLE AS {name}" for name in sums)
            found |= self.rows(f"SELECT {what} FROM {report} WHERE site = ? AND day BETWEEN ? AND ?", [site, *period[:2]])[0]
        return found

    def panel(self, panel: Panel, site: str, period: Period, most: int = 9) -> list[dict[str, Any]]:
        """The longest rows of a list, with `share` of the first number for its bar."""
        if panel.report not in self.tables():
            return []
        keys = ", ".join(panel.keys)
        sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in panel.sums)
        rows = self.rows(
            f"SELECT {keys}, {sums} FROM {panel.report} WHERE site = ? AND day BETWEEN ? AND ?"
            f" GROUP BY ALL ORDER BY {panel.sums[0]} DESC, {keys} LIMIT {most:d}",
            [site, *period[:2]],
        )
        top = max([row[panel.sums[0]] for row in rows], default=0) or 1
        return [row | {"share": 100 * row[panel.sums[0]] / top} for row in rows]

    def curve(self, site: str, period: Period) -> tuple[list[str], list[float | None], list[float | None]]:
        """Labels, people and views: by hour for one day, by day for more. None where nothing is published."""
        if period.days == 1:
            rows = self._where("traffic_hour", "hour AS at, people, views", site, period)
            labels: list[Any] = list(range(24))
            shown = [f"{hour}:00" for hour in labels]
        else:
            rows = self._where("traffic_day", "day AS at, people, views", site, period)
            labels = [period.first + timedelta(days=i) for i in range(period.days)]
            shown = [f"{day:%-d %b}" for day in labels]
        by = {row["at"]: row for row in rows}
        return (
            shown,
            [by[label]["people"] if label in by else None for label in labels],
            [by[label]["views"] if label in by else None for label in labels],
        )

    def _where(self, report: str, what: str, site: str, period: Period) -> list[dict[str, Any]]:
        if report not in self.tables():
            return []
        return self.rows(f"SELECT {what} FROM {report} WHERE site = ? AND day BETWEEN ? AND ?", [site, *period[:2]])
