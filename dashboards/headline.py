"""The numbers at the head of a page, and their curve: added up over stretches of time, beside those before.

What can't be added up is not: a rate is made of sums, and people of a week or a month are nobody's number, as
nobody without an identifier can be known again on another day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from msgspec import Struct

from consent_filter.errors import Refused
from dashboards import charts, words
from dashboards.language import gettext, later, say
from dashboards.numbers import METRICS, Metric, Pair, figure
from dashboards.period import Period, begin_of, stretches
from dashboards.view import View

#: A metric's parts by day, of released tables or of a question.
Daily = Callable[[Metric, Period], Mapping[date, Pair]]
Hourly = Callable[[Metric, Period], Mapping[tuple[date, int], float]]
_NO_HOURS = later("There is none by the hour, so days are shown.")
_MEAN = {
    "week": later(
        "Of a week the number of people is not known, as nobody without an identifier can be known again on"
        " another day: shown is the mean of its days."
    ),
    "month": later(
        "Of a month the number of people is not known, as nobody without an identifier can be known again on"
        " another day: shown is the mean of its days."
    ),
}
_PART = {
    "week": later("The first or last week is a part of one: the period ends within it."),
    "month": later("The first or last month is a part of one: the period ends within it."),
}


class Curve(Struct):
    """labels, now, before: a point each. parts: points of stretches that the period cuts, or that still run.
    grain: what it is told in. note: why that is not what was asked for, or what a point is."""

    labels: list[str]
    now: Sequence[float | None]
    before: Sequence[float | None]
    parts: set[int]
    grain: str
    note: str = ""


def fair(view: View, since: date | None) -> tuple[tuple[Period, Period] | None, str]:
    """The whole days of the period and those that they are compared with; None, and why, where there are
    none: a running day, and days before the first, would compare unlike with unlike."""
    if view.against is None:
        return None, ""
    if since is None or view.against.first < since:
        if since is None:
            return None, ""
        return None, say("no change is told: nothing was counted before {day}", day=words.day(since))
    now = view.period.until(view.whole)
    if now is None:
        return None, say("no change is told of a day that is not over")
    if now == view.period:
        return (now, view.against), ""
    last = min(date.fromordinal(view.against.first.toordinal() + now.days - 1), view.against.last)
    why = say("changes are of whole days, up to {day}", day=words.day(now.last, "day"))
    return (now, view.against._replace(last=last)), why


def headline(
    daily: Daily, view: View, spans: tuple[Period, Period] | None, metrics: Mapping[str, Metric] = METRICS
) -> list[dict[str, Any]]:
    """Every metric of the period, and its change in percent over `spans` (None where there is none)."""
    rows = []
    for name, metric in metrics.items():
        now = figure(metric, daily(metric, view.period).values())
        new, old = (figure(metric, daily(metric, one).values()) for one in spans) if spans else (None, None)
        change = (new - old) / old * 100 if new is not None and old else None
        good = change is None or abs(change) < 0.5 or (change > 0) == metric.more_is_better
        rows.append({"name": name, "metric": metric, "now": now, "change": change, "good": good})
    return rows


def curve(daily: Daily, hourly: Hourly | None, view: View, metric: Metric) -> Curve:
    """The metric over the period in the view's grain, and over the days that it is compared with."""
    if view.grain == "hour" and metric.hours and hourly is not None:
        return _hours(hourly, view, metric)
    grain = "day" if view.grain == "hour" else view.grain
    asked = view.grain == "hour" and (view.period.days > 1 or hourly is not None)
    note = gettext(_NO_HOURS) if asked else ""
    if metric.of == "people" and grain in ("week", "month"):
        note = gettext(_MEAN[grain])
    points = stretches(view.period, grain)
    now = _by(daily(metric, view.period), metric, view.period, grain)
    old = _by(daily(metric, view.against), metric, view.against, grain) if view.against else []
    parts = {n for n, one in enumerate(points) if one.cut}
    if view.whole < view.period.last <= view.newest:
        parts.add(len(points) - 1)
    return Curve([one.label for one in points], now, _as_long(old, len(now)), parts, grain, note)


def _by(days: Mapping[date, Pair], metric: Metric, span: Period, grain: str) -> list[float | None]:
    begins, groups = begin_of(grain), dict[date, list[Pair]]()
    for day, pair in days.items():
        groups.setdefault(begins(day), []).append(pair)
    mean = metric.of == "people" and grain != "day"
    return [figure(metric, groups.get(one.begins, ()), mean=mean) for one in stretches(span, grain)]


def _hours(hourly: Hourly, view: View, metric: Metric) -> Curve:
    def values(span: Period | None) -> list[float | None]:
        if span is None:
            return []
        found = hourly(metric, span)
        return [found.get((day, hour)) for day in span.all() for hour in range(24)]

    days = {
        day: "" if view.period.days == 1 else f"{words.day(day, 'weekday')} " for day in view.period.all()
    }
    labels = [f"{said}{hour}:00" for said in days.values() for hour in range(24)]
    return Curve(labels, values(view.period), _as_long(values(view.against), len(labels)), set(), "hour")


def _as_long(values: Sequence[float | None], n: int) -> list[float | None]:
    """Cut, or filled with gaps: a month before may have had fewer days."""
    return [*values[:n], *[None] * (n - len(values))]


def shown(view: View, metrics: Mapping[str, Metric] = METRICS) -> str:
    """The metric that is drawn: the first where the address names none. Raises Refused."""
    if view.show in metrics:
        return view.show
    if view.show not in METRICS or metrics is METRICS:
        raise Refused(400, "metric", "show is one of {metrics}", metrics=", ".join(metrics))
    return next(iter(metrics))


def metric_of(view: View) -> Metric:
    """What is drawn of a site. Raises Refused."""
    return METRICS[shown(view)]


def headed(
    daily: Daily, hourly: Hourly | None, view: View, spans: tuple[Period, Period] | None,
    metrics: Mapping[str, Metric] = METRICS,
) -> dict[str, Any]:  # fmt: skip
    """What the head of a page shows: every metric, and the curve of the chosen one. hours: some of it can be
    told by the hour. Raises Refused."""
    show = shown(view, metrics)
    metric = metrics[show]
    line = curve(daily, hourly, view, metric)
    title = f"{gettext(metric.title)}, {words.days(view.period)}"
    notes = [line.note] if line.note else []
    if line.parts and line.grain in ("week", "month"):
        notes.append(gettext(_PART[line.grain]))
    return {
        "headline": headline(daily, view, spans, metrics), "metric": metric, "show": show,
        "parts": line.parts, "grain": line.grain,
        "hours": hourly is not None and any(one.hours for one in metrics.values()),
        "chart": charts.curve(line.labels, line.now, line.before, title, metric.unit, line.parts),
        "rows": list(zip(line.labels, line.now, line.before, strict=True)),
        "empty": all(value is None for value in line.now), "notes": notes,
    }  # fmt: skip
