"""Google Analytics 4: CSV of an exploration or of the Data API, with the dimension Date and one other.

What a file is about follows from its columns; their names are those of the interface (English) or of the
Data API. Lines above the header begin with `#`; totals have no date and are left out. Rows that the tool
sampled or held back (its thresholds) are not in the file and cannot be had.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.counted.table import Counted, sourced, table, unreadable

NAME = "ga4"
SAYS = "CSV of free-form explorations with the dimension Date and one more"
_NAMES = {
    "date": "day",
    "pagepath": "path", "pagepathandscreenclass": "path", "pagepathplusquerystring": "path",
    "pagepathquerystring": "path", "pagelocation": "path",
    "landingpage": "landing", "landingpageplusquerystring": "landing", "landingpagequerystring": "landing",
    "sessionsource": "source", "sessionsourcemedium": "source", "sessionmanualsource": "utm_source",
    "sessionmedium": "utm_medium", "sessioncampaign": "utm_campaign", "sessioncampaignname": "utm_campaign",
    "country": "country", "countryid": "country", "devicecategory": "device", "browser": "browser",
    "operatingsystem": "os", "eventname": "name",
    "activeusers": "people", "totalusers": "people", "users": "people", "sessions": "visits",
    "views": "views", "screenpageviews": "views", "eventcount": "events", "engagedsessions": "engaged",
    "averagesessionduration": "mean_s",
}  # fmt: skip
#: Dimensions beside the day → the report.
_REPORTS: dict[frozenset[str], str] = {
    frozenset(): "traffic_day",
    frozenset({"path"}): "pages",
    frozenset({"landing"}): "entry_pages",
    frozenset({"source"}): "sources",
    frozenset({"utm_campaign"}): "campaigns",
    frozenset({"utm_campaign", "utm_source", "utm_medium"}): "campaigns",
    frozenset({"source", "utm_medium", "utm_campaign"}): "campaigns",
    frozenset({"country"}): "countries",
    frozenset({"device"}): "devices",
    frozenset({"browser"}): "browsers",
    frozenset({"browser", "os"}): "browsers",
    frozenset({"name"}): "custom_events",
}
_DIMENSIONS = frozenset().union(*_REPORTS)
#: What a row must tell to be counted in a report.
_NEEDS = {"custom_events": "events"}


def read(files: Sequence[Path]) -> Iterator[Counted]:
    """A report of each file. Raises Refused where it has no dates, or dimensions that are of no report."""
    for file in files:
        try:
            lines = file.read_text("utf-8-sig").splitlines(keepends=True)
        except UnicodeDecodeError:
            raise unreadable(file, "not text in UTF-8") from None
        body = [line for line in lines if not line.startswith("#") and line.strip()]
        try:
            yield from _file(file, list(csv.reader(body, strict=True)))
        except csv.Error:
            raise unreadable(file, "not CSV (RFC 4180)") from None


def _file(file: Path, rows: list[list[str]]) -> Iterator[Counted]:
    head = [_NAMES.get(_letters(name), "") for name in rows[0]] if rows else []
    if "day" not in head:
        raise unreadable(file, "it has no column Date: add that dimension, and export again")
    if "people" not in head:
        raise unreadable(file, "it has no column Active users or Total users: add that metric")
    said = frozenset(head) & _DIMENSIONS
    report = _REPORTS.get(said)
    if report is None:
        raise unreadable(
            file,
            "its dimensions beside Date make none of: page path, landing page, session source, campaign,"
            " country, device category, browser and system, event name",
        )
    cells = {
        name: [row[at] if at < len(row) else "" for row in rows[1:]] for at, name in enumerate(head) if name
    }
    days = [_day(file, text) for text in cells["day"]]
    numbers = {name: [_number(text) for text in cells[name]] for name in
               ("people", "visits", "views", "events", "engaged", "mean_s") if name in cells}  # fmt: skip
    columns: dict[str, list[Any]] = {
        name: [None if n is None else round(n) for n in numbers[name]]
        for name in ("people", "visits", "views", "events")
        if name in numbers
    }
    if {"visits", "engaged"} <= numbers.keys():
        columns["bounces"] = [
            _less(*both) for both in zip(numbers["visits"], numbers["engaged"], strict=True)
        ]
    if {"visits", "mean_s"} <= numbers.keys():
        columns["duration_ms"] = [
            _times(*both) for both in zip(numbers["visits"], numbers["mean_s"], strict=True)
        ]
    yield from _report(report, days, cells, columns, said)


def _report(
    report: str,
    days: list[date | None],
    cells: dict[str, list[str]],
    columns: dict[str, list[Any]],
    said: frozenset[str],
) -> Iterator[Counted]:
    none = [""] * len(days)
    keys: dict[str, list[str]] = {name: cells[name] for name in said}
    if report == "entry_pages":
        keys = {"path": cells["landing"]}
    elif report == "campaigns":
        from_ = cells.get("utm_source") or cells.get("source") or none
        keys = {
            "utm_source": from_,
            "utm_medium": cells.get("utm_medium", none),
            "utm_campaign": cells["utm_campaign"],
        }
    elif report == "browsers":
        keys = {"browser": cells["browser"], "os": cells.get("os", none)}
    elif report == "custom_events":
        keys = {"type": ["event"] * len(days), "name": cells["name"]}
    elif report == "sources":
        keys = {"source": [text.split(" / ")[0] for text in cells["source"]]}
    made = table(days, **keys, **columns)
    made = sourced(made) if report == "sources" else made
    if report == "traffic_day" and "visits" in columns:
        yield Counted("sessions", made)
    yield Counted(report, _only(report, made))


def _only(report: str, rows: pa.Table) -> pa.Table:
    """Without numbers that are of visits, where the report is of days."""
    more = [name for name in ("bounces", "duration_ms") if report != "sessions" and name in rows.column_names]
    return rows.drop_columns(more) if more and report == "traffic_day" else rows


def _day(file: Path, said: str) -> date | None:
    text = said.strip().replace("-", "")
    if not text.isdecimal():
        return None  # totals
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise unreadable(file, "its dates are neither 20240131 nor 2024-01-31") from None


def _number(said: str) -> float | None:
    try:
        return float(said.replace(",", "").replace("%", "")) if said.strip() else None
    except ValueError:
        return None


def _less(visits: float | None, engaged: float | None) -> int | None:
    return None if visits is None or engaged is None else max(round(visits - engaged), 0)


def _times(visits: float | None, seconds: float | None) -> int | None:
    return None if visits is None or seconds is None else round(visits * seconds * 1000)


def _letters(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())
