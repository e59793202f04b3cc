"""Numbers of those alone whom a filter lets through: asked as questions at the gate that there is.

A released table has what it has; more of it is asked of facts, through the process that answers questions
(`warehouse/enquiry.py`), with its caps, minimum groups and closed days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

from msgspec import Struct

from consent_filter.errors import Refused
from dashboards import words
from dashboards.language import gettext, later, say, say_n
from dashboards.numbers import Metric, Pair, listed
from dashboards.panels import Panel
from dashboards.period import Period
from dashboards.view import Filter, View
from warehouse.askable import BY_NAME, MOST_KEYS
from warehouse.enquiry import LEFT
from warehouse.question import MOST_DAYS, Condition, Question, made
from warehouse.report import OTHER

#: Puts a question, and gives back its rows and what is said of it (`Enquiry.ask`).
Ask = Callable[[Question], tuple[Any, dict[str, Any]]]
#: What columns of a question's answer are to a metric: of visits, else of views.
_VISITS = {"people": "people", "visits": "visits", "views": "visit_views", "bounces": "bounces",
           "duration_ms": "visit_ms"}  # fmt: skip
_EVENTS = {"people": "people", "views": "views"}


class Left(Struct):
    """What is not in an answer. days: why → days; hidden: how much of a measure is in rows of too few."""

    days: dict[str, list[str]] = {}
    hidden: dict[str, int] = {}

    def add(self, said: Mapping[str, Any]) -> None:
        """Of one more answer."""
        self.days = {**self.days, **said["left_out"]}
        self.hidden = {**self.hidden, **said["hidden"]}

    @property
    def notes(self) -> list[str]:
        """The same as sentences."""
        found = []
        for why, days in self.days.items():
            first, last = (words.day(date.fromisoformat(one)) for one in (days[0], days[-1]))
            parts = {"first": first, "last": last, "why": gettext(LEFT[why])}
            found.append(
                say_n(
                    "{n} day left out ({first}): {why}.",
                    "{n} days left out ({first} to {last}): {why}.",
                    len(days),
                    **parts,
                )
            )
        for name, number in self.hidden.items():
            if not name.endswith("_ms"):
                n, what = words.whole(number), words.column(name)
                found.append(say("Up to {n} more {what} are in rows of too few people.", n=n, what=what))
        return found


def fits(keys: Iterable[str], where: Iterable[Filter]) -> str:
    """Why no question has these dimensions together; "" where one has."""
    wanted = {*keys, *(one.key for one in where)}
    if any(wanted <= subject.dimensions.keys() for subject in BY_NAME.values()):
        return ""
    return later("what is filtered by, and what this lists, are counted of different things (views, visits)")


class Narrowed:
    """Questions about one view."""

    def __init__(self, ask: Ask, view: View) -> None:
        self._ask, self._view, self.left = ask, view, Left()
        #: Of how many days the last answer about a period was.
        self.told: dict[Period, int] = {}
        self._days: dict[Period, list[dict[str, Any]]] = {}
        keys = {one.key for one in view.where}
        self._visits = keys <= BY_NAME["visits"].dimensions.keys()

    def daily(self, metric: Metric, period: Period) -> dict[date, Pair]:
        """As `Numbers.daily`; nothing where what is filtered by is not known of it."""
        columns = _VISITS if self._visits else _EVENTS
        if metric.of not in columns or (metric.per and metric.per not in columns):
            return {}
        if period not in self._days:
            self._days[period] = self.rows([*columns.values()], ("day",), period)
        of, per = columns[metric.of], columns.get(metric.per, "")
        return {
            row["day"]: (float(row[of]), float(row[per]) if per else 1.0)
            for row in self._days[period]
            if not per or row[per]
        }

    def panel(self, panel: Panel, most: int = 9, fair: tuple[Period, Period] | None = None) -> dict[str, Any]:
        """As `Numbers.panel`. Raises Refused, also where no question tells it."""
        keys = self._keys(panel)
        measures = [panel.asked[name] for name in panel.sums]
        by = [panel.dims[key] for key in keys]
        now = self._sums(panel, keys, self.rows(measures, by, self._view.period))
        then = [
            self._sums(panel, keys, self.rows(measures, by, one)) if one != self._view.period else now
            for one in fair or ()
        ]
        rows: list[dict[str, Any]] = [
            {**dict.fromkeys(panel.keys, ""), **dict(zip(keys, row, strict=True)), **sums}
            | dict(zip(("lately", "before"), (_first(one.get(row), panel) for one in then), strict=False))
            for row, sums in now.items()
        ]
        rows.sort(key=lambda one: (one[keys[0]] == OTHER, -one[panel.sums[0]], *(str(one[k]) for k in keys)))
        found = [one | {"of": len(rows)} for one in rows[:most]]
        return listed(panel, found, compared=fair is not None)

    def _keys(self, panel: Panel) -> tuple[str, ...]:
        """The keys that are shown: as many as a question may name beside the filters, the finest first."""
        if panel.unasked:
            raise Refused(400, "unasked", panel.unasked)
        where = [one.key for one in self._view.where]
        keys = panel.keys
        while len({*where, *(panel.dims[key] for key in keys)}) > MOST_KEYS:
            keys = keys[:-1] if panel.report == "campaigns" else keys[1:]
        if why := fits((panel.dims[key] for key in keys), self._view.where):
            raise Refused(400, "apart", why)
        return keys

    def rows(self, measures: Iterable[str], by: Iterable[str], period: Period) -> list[dict[str, Any]]:
        """The rows of a question of these days. Raises Refused."""
        if period.days > MOST_DAYS:
            raise Refused(400, "days", "under a filter {most_days} days at most", most_days=MOST_DAYS)
        where = [Condition(one.key, (one.value,)) for one in self._view.where]
        asked = made([*measures], by, where, site=self._view.site, first=period.first, last=period.last)
        table, said = self._ask(asked)
        self.told[period] = said["days"]
        if period == self._view.period:
            self.left.add(said)
        found: list[dict[str, Any]] = table.to_pylist()
        return found

    @staticmethod
    def _sums(
        panel: Panel, keys: tuple[str, ...], rows: list[dict[str, Any]]
    ) -> dict[tuple[str, ...], dict[str, int]]:
        return {
            tuple(row[panel.dims[key]] for key in keys): {name: row[panel.asked[name]] for name in panel.sums}
            for row in rows
            if not any(row.get(panel.dims[key]) in values for key, values in panel.unless.items())
        }


def _first(sums: Mapping[str, int] | None, panel: Panel) -> float | None:
    return float(sums[panel.sums[0]]) if sums else None
