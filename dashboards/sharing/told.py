"""What a mail tells of a view: its figures and its longest rows, of released tables, for one account, in the
language that `present()` of `language.py` says."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from consent_filter.errors import Refused
from dashboards import numbers, words
from dashboards.language import gettext, later, say, say_n
from dashboards.numbers import METRICS, Numbers
from dashboards.pages import chosen
from dashboards.period import Period
from dashboards.sharing.alerts import BY
from dashboards.sharing.views import View, query
from warehouse.reader import Reading
from warehouse.report import OTHER, load

#: The lists under the overview's figures, and rows of each; rows of a report.
LISTS, FEW, MANY = ("sources", "pages", "countries"), 5, 20


class Figure(NamedTuple):
    """now: as people read it. change: in percent, None where that is not told."""

    title: str
    now: str
    change: float | None


class Listed(NamedTuple):
    title: str
    rows: list[tuple[str, str]]


class Told(NamedTuple):
    """newest: the newest day that is published of the site. drawn: what a picture of it would be called, ""
    for none."""

    title: str
    site: str
    days: str
    figures: list[Figure]
    lists: list[Listed]
    note: str
    none: str
    drawn: str
    newest: date


def can(address: str) -> None:
    """Raises Refused where a mail of that page could tell nothing."""
    parts = urlsplit(address)
    name = parts.path.removeprefix("/report/")
    filters = [value for key, value in parse_qsl(parts.query) if key == "where"]
    plain = name in load() and not filters
    if parts.path != "/" and not plain:
        raise Refused(
            400, "view",
            "mails are of the overview, and of reports without a filter: this page opens by its view alone",
        )  # fmt: skip
    if len(filters) > 1 or any(one.partition(":")[0] not in BY for one in filters):
        raise Refused(400, "view", "a mail can be filtered by one of {by}", by=", ".join(BY))


def told(reading: Reading, view: View) -> Told:
    """For whoever `present()` is. Raises Refused where there is nothing for them."""
    can(view.address)
    asked, sites = query(view.address), numbers.sites(reading)
    if not sites:
        raise Refused(404, "no_such_site", "nothing is published of a site that this account may see")
    site, span = chosen(sites, asked)
    ask = Numbers(reading, site["site"], span, joined=asked.get("imported") != "no")
    fair = span.before().first >= site["oldest"]
    if view.path != "/":
        figures, lists = [], [_rows(ask, view.path.removeprefix("/report/"), MANY)]
    elif only := asked.get("where", ""):
        figures, lists = _narrowed(ask, only, fair=fair), []
    else:
        figures = [_figure(ask, name, fair=fair) for name in METRICS]
        lists = [_rows(ask, name, FEW) for name in LISTS]
    least = reading.made["min_group"]
    whole = view.path == "/" and "where" not in asked
    return Told(
        view.name, site["site"], words.days(span), figures, lists,
        say_n(
            "Every number is about {n} person or more, as it is published.",
            "Every number is about {n} people or more, as it is published.", least,
        )
        + (" " + say_n(
            "Changes are against the day before.", "Changes are against the {n} days before.", span.days,
        ) if fair and figures else ""),
        say_n("No group of {n} person in these days.", "No group of {n} people in these days.", least),
        say("Visitors by day, {days}", days=words.days(span)) if whole else "", site["newest"],
    )  # fmt: skip


def _figure(ask: Numbers, name: str, *, fair: bool) -> Figure:
    metric = METRICS[name]
    now = ask.total(metric, ask.period)
    old = ask.total(metric, ask.period.before()) if fair else None
    return Figure(gettext(metric.title), words.said(now, metric.unit), _change(now, old))


def _narrowed(ask: Numbers, only: str, *, fair: bool) -> list[Figure]:
    """People and views of one value of a key, of the table that has it."""
    key, _, value = only.partition(":")
    names = {"people": later("Visitors"), "views": later("Page views")}

    def total(span: Period) -> Mapping[str, float | None]:
        rows = ask.reading.rows(
            f"SELECT sum(people)::DOUBLE AS people, sum(views)::DOUBLE AS views FROM {BY[key]}"
            f" WHERE site = ? AND day BETWEEN ? AND ? AND {key} = ?",
            [ask.site, span.first, span.last, value],
        )
        return rows[0]

    now, old = total(ask.period), total(ask.period.before()) if fair else {}
    parts = {"key": words.column(key), "value": words.value(key, value)}
    return [
        Figure(
            say("{title}, {key} {value}", title=gettext(title), **parts),
            words.said(now[name]), _change(now[name], old.get(name)),
        )
        for name, title in names.items()
    ]  # fmt: skip


def _rows(ask: Numbers, name: str, most: int) -> Listed:
    """The longest rows of a report, by its first number; of one that is no list by day, the latest."""
    report = load()[name]
    keys = [key for key in report.keys if key not in ("site", "day")]
    number = [*report.groups, *report.sums][0]
    title = say("{title}: {what}", title=gettext(report.title), what=words.column(number))
    if name not in ask.reading.tables:
        return Listed(title, [])
    when, values = "", [ask.site]
    if "day" in report.keys:
        when, values = " AND day BETWEEN ? AND ?", [ask.site, ask.period.first, ask.period.last]  # type: ignore[list-item]
    by = keys or ["day"]
    last = f"{by[0]}::VARCHAR = '{OTHER}', n DESC, {', '.join(by)}" if keys else "day DESC"
    rows = ask.reading.rows(
        f"SELECT {', '.join(by)}, sum({number})::BIGINT AS n FROM {name} WHERE site = ?{when}"
        f" GROUP BY {', '.join(by)} ORDER BY {last} LIMIT {most:d}",
        values,
    )
    return Listed(title, [(_name(by, row), words.said(row["n"])) for row in rows])


def _name(keys: list[str], row: Mapping[str, object]) -> str:
    """A row's keys without those that it has not, as lists of pages say them."""
    found = [words.value(key, row[key]) for key in keys if row[key] not in ("", None)]
    return " · ".join(dict.fromkeys(found)) or gettext("none")


def _change(now: float | None, old: float | None) -> float | None:
    return 100 * (now - old) / old if now is not None and old else None
