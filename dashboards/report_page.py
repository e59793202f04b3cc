"""`/report/NAME`: all rows of one report, ordered by any of its columns, found by what is in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from consent_filter.errors import Refused
from dashboards import additive, numbers, words
from dashboards.language import gettext
from dashboards.pages import MOST, Pages
from dashboards.panels import BY_NAME, Panel, Rate
from dashboards.view import View
from warehouse.report import OTHER

Row = dict[str, Any]


class Columns(Struct, frozen=True):
    """What a report's page shows of it. keys, sums: its own columns; rates: what a list of it has beside,
    in the place of sums of which a list shows neither. panel: that list."""

    keys: list[str]
    sums: list[str]
    rates: tuple[Rate, ...] = ()
    panel: Panel | None = None

    @property
    def all(self) -> list[str]:
        """In their order."""
        return [*self.keys, *self.sums, *(rate.name for rate in self.rates)]


class Order(Struct, frozen=True):
    """sort: the column, "" as the report has them; up: the smallest first; find: what rows must have in
    what they are of, as it is written or as it is said."""

    sort: str = ""
    up: bool = False
    find: str = ""

    def query(self, **change: str) -> dict[str, str]:
        """Its parts of an address."""
        parts = {"sort": f"{'-' if self.up else ''}{self.sort}", "find": self.find, **change}
        return {name: said for name, said in parts.items() if said}

    def turned(self, column: str, columns: Columns) -> dict[str, str]:
        """The address of a column's head: numbers the largest first, words by the alphabet; then the other
        way round."""
        first = column in columns.keys
        up = not self.up if column == self.sort else first
        return self.query(sort=f"{'-' if up else ''}{column}")


def columns(about: Mapping[str, Any]) -> Columns:
    """The columns of a report, as `reports` of the published tables tells them."""
    keys = [key for key in about["keys"] if key not in ("site", "day")] or ["day"]
    sums = [*about["counts"], *about["sums"]]
    panel = next((one for one in BY_NAME.values() if one.report == about["name"] and one.dims), None)
    rates = tuple(one for one in panel.rates if {one.of, one.per} <= {*sums}) if panel else ()
    listed = {*panel.sums} if panel else set()
    alone = {part for one in rates if not {one.of, one.per} & listed for part in (one.of, one.per)}
    return Columns(keys, [one for one in sums if one not in alone], rates, panel)


def ordered(query: Mapping[str, str], of: Columns) -> Order:
    """The order that an address says. Raises Refused."""
    said = query.get("sort", "")
    sort = said.removeprefix("-")
    if sort and sort not in of.all:
        raise Refused(400, "sort", "rows are sorted by one of {columns}", columns=", ".join(of.all))
    return Order(sort, said.startswith("-"), query.get("find", "").strip()[:100])


def arranged(rows: Sequence[Row], of: Columns, how: Order, most: int = MOST) -> tuple[list[Row], int]:
    """The first of the rows that are wanted, in their order and with their rates, and how many there are;
    small groups, and rows without that number, last."""
    low = how.find.casefold()
    found = [*rows]
    if low:
        has = lambda row: any(low in one.casefold() for key in of.keys for one in _said(key, row[key]))  # noqa: E731
        found = [row for row in rows if has(row)]
    if how.sort in {one.name for one in of.rates}:
        found = _rated(found, of)
    if how.sort:
        with_it = [one for one in found if one[how.sort] is not None]
        with_it.sort(key=lambda one: _place(how.sort, one[how.sort]), reverse=not how.up)
        with_it.sort(key=lambda one: OTHER in (one[key] for key in of.keys))
        found = with_it + [one for one in found if one[how.sort] is None]
    return _rated(found[:most], of), len(found)


def _rated(rows: Sequence[Row], of: Columns) -> list[Row]:
    return [row | {one.name: _rate(one, row) for one in of.rates} for row in rows]


def _place(column: str, value: Any) -> Any:
    """What a value is sorted by: words by what they are called on the page."""
    return words.value(column, value).casefold() if isinstance(value, str) else value


def _said(key: str, value: object) -> tuple[str, str]:
    return str(value), words.value(key, value)


def _rate(one: Rate, row: Row) -> float | None:
    # A sum to which fewer than a group of people added is published as 0.
    return one.times * row[one.of] / row[one.per] if row[one.of] and row[one.per] else None


class ReportPage:
    """The page of each report."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def page(self, name: str, query: Mapping[str, str]) -> str:
        """One report, all its rows. Raises Refused."""
        with self._pages.reader.reading() as reading:
            about, site, span = self._pages.found(reading, name, query)
            of, daily = columns(about), "day" in about["keys"]
            how, seen = ordered(query, of), self._pages.view(reading, query)
            every = [*about["counts"], *about["sums"]]
            what = ", ".join([*of.keys, *(f"sum({one})::BIGINT AS {one}" for one in every)])
            when, values = ("AND day BETWEEN ? AND ?", [span.first, span.last]) if daily else ("", [])
            apart = not daily or query.get("imported") == "no"
            rows_of = name if apart else numbers.joined(reading, name)
            keys = ", ".join(of.keys)
            order = f"{every[0]} DESC, {keys}" if daily and of.keys != ["day"] else keys
            rows = reading.rows(
                f"SELECT {what} FROM {rows_of} WHERE site = ? {when} GROUP BY {keys} ORDER BY {order}",
                [site["site"], *values],
            )
            # A total is of what is counted here: beside days of another tool it would explain nothing.
            own = daily and rows_of == name and not how.find
            foot = additive.footing(reading, name, site["site"], span, rows) if own else None
            first, last = (span.first, span.last) if daily else (date.min, date.max)
            versions = reading.rows(
                "SELECT day, version, made_at, reason, people, hidden, says FROM restatements WHERE site = ?"
                " AND day BETWEEN ? AND ? AND reason NOT IN ('first', 'new_events')"
                " ORDER BY made_at DESC, day DESC LIMIT 20",
                [site["site"], first, last],
            )
        shown, n = arranged(rows, of, how)
        here = {"site": site["site"], **span.query} | ({"imported": "no"} if apart and daily else {})
        plain = urlencode(here)
        said = {
            "versions": versions if about["has_people"] else [],
            "about": about,
            "site": site["site"],
            "period": span if daily else None,
            "of": of,
            "how": how,
            "parts": here,
            "narrow": lambda key, value: _narrowed(seen, of.panel, key, value),
            "again": lambda column: f"/report/{name}?{urlencode(here | how.turned(column, of))}",
            "again_all": f"/report/{name}?{urlencode(here | how.query(find=''))}",
            "rows": shown,
            "dashes": about["has_people"] and any(not row[one] for row in shown for one in of.sums),
            "foot": foot,
            "n": n,
            "back": f"/?{plain}",
            "csv": f"/csv/{name}.csv?{plain}",
        }
        return self._pages.page("report.html", "overview", title=gettext(about["title"]), **said)


def _narrowed(seen: View, panel: Panel | None, key: str, value: object) -> str | None:
    """The address of the overview of that row alone, where a filter can tell it."""
    dimension = panel.dims.get(key) if panel else None
    to = seen.with_filter(dimension, str(value)) if dimension and value not in ("", None) else None
    return to.at("/") if to else None
