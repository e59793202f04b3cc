"""Matomo's reports by day, from its reporting API: a file a report, named after the method that gave it.

    curl -o Actions.getPageUrls.json 'https://…/index.php?module=API&method=Actions.getPageUrls&idSite=1
        &period=day&date=2024-01-01,2024-12-31&format=JSON&flat=1&filter_limit=-1&token_auth=…'

JSON has a list (or an object) of each day. CSV is read, too, where it has a column `date`; Matomo writes it
as UTF-16 unless it is told not to (developer.matomo.org/api-reference/reporting-api).
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from ingest.counted.table import Counted, sourced, table, unreadable

NAME = "matomo"
SAYS = "files <method>.json of the reporting API, with period=day and flat=1"
_PEOPLE = ("nb_uniq_visitors", "sum_daily_nb_uniq_visitors")
#: Method → our report, its keys by the columns that hold them, its numbers by theirs, the first there is.
_METHODS: dict[str, tuple[str, dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]] = {
    "VisitsSummary.get": ("sessions", {}, {
        "people": _PEOPLE, "visits": ("nb_visits",), "views": ("nb_pageviews", "nb_actions"),
        "bounces": ("bounce_count",), "duration_ms": ("sum_visit_length",),
    }),
    "Actions.getPageUrls": ("pages", {"path": ("url", "label")}, {"people": _PEOPLE, "views": ("nb_hits",)}),
    "Actions.getEntryPageUrls": ("entry_pages", {"path": ("url", "label")}, {
        "people": ("entry_nb_uniq_visitors", "sum_daily_entry_nb_uniq_visitors"),
        "visits": ("entry_nb_visits",), "bounces": ("entry_bounce_count",),
    }),
    "Actions.getExitPageUrls": ("exit_pages", {"path": ("url", "label")}, {
        "people": ("exit_nb_uniq_visitors", "sum_daily_exit_nb_uniq_visitors"), "visits": ("exit_nb_visits",),
    }),
    "Referrers.getAll": ("sources", {"source": ("label",)}, {
        "people": _PEOPLE, "visits": ("nb_visits",), "views": ("nb_actions",),
    }),
    "Referrers.getCampaigns": ("campaigns", {"utm_campaign": ("label",)}, {
        "people": _PEOPLE, "visits": ("nb_visits",), "views": ("nb_actions",),
    }),
    "UserCountry.getCountry": ("countries", {"country": ("code", "label")}, {
        "people": _PEOPLE, "views": ("nb_actions",),
    }),
    "DevicesDetection.getType": ("devices", {"device": ("label",)}, {
        "people": _PEOPLE, "views": ("nb_actions",),
    }),
    "DevicesDetection.getBrowsers": ("browsers", {"browser": ("label",)}, {
        "people": _PEOPLE, "views": ("nb_actions",),
    }),
    "Events.getName": ("custom_events", {"name": ("label",)}, {
        "people": _PEOPLE, "events": ("nb_events",),
    }),
}  # fmt: skip
#: Keys of a report that the tool does not know, and what stands there.
_UNKNOWN = {
    "campaigns": {"utm_source": "", "utm_medium": ""},
    "browsers": {"os": ""},
    "custom_events": {"type": "event"},
}


def read(files: Sequence[Path]) -> Iterator[Counted]:
    """The reports of the files. Raises Refused where a file is none, or is not by day."""
    for file in (
        part for given in files for part in (sorted(given.iterdir()) if given.is_dir() else [given])
    ):
        if file.stem not in _METHODS:
            raise unreadable(file, f"name a file after its method, one of {', '.join(_METHODS)}")
        rows = list(_csv(file) if file.suffix == ".csv" else _json(file))
        yield from _tables(file.stem, rows)


def _json(file: Path) -> Iterator[tuple[date, Mapping[str, Any]]]:
    try:
        said = json.loads(file.read_bytes())
        if not isinstance(said, dict) or said.get("result") == "error":
            raise ValueError
        for day, rows in said.items():
            when = date.fromisoformat(day)
            for row in rows if isinstance(rows, list) else [rows]:
                yield when, row if isinstance(row, dict) else {"nb_visits": row}
    except (ValueError, AttributeError):
        raise unreadable(file, "not JSON with an object or a list of each day (period=day)") from None


def _csv(file: Path) -> Iterator[tuple[date, Mapping[str, Any]]]:
    data = file.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        lines = csv.DictReader(io.StringIO(data.decode("utf-16" if wide else "utf-8-sig")), strict=True)
        for row in lines:
            yield date.fromisoformat(row["date"]), row
    except (ValueError, KeyError, csv.Error):
        raise unreadable(file, "not CSV with a column date (period=day, translateColumnNames=0)") from None


def _tables(method: str, rows: list[tuple[date, Mapping[str, Any]]]) -> Iterator[Counted]:
    report, keys, numbers = _METHODS[method]
    told = [(day, row) for day, row in rows if row]
    columns: dict[str, list[Any]] = {
        ours: [_first(row, theirs) for _, row in told] for ours, theirs in keys.items()
    }
    columns |= {key: [said] * len(told) for key, said in _UNKNOWN.get(report, {}).items()}
    if method == "UserCountry.getCountry":
        columns["country"] = [
            str(code).upper() if len(str(code)) == 2 else code for code in columns["country"]
        ]
    for ours, theirs in numbers.items():
        found = [_whole(_first(row, theirs)) for _, row in told]
        if any(n is not None for n in found):
            columns[ours] = [n and n * (1000 if ours == "duration_ms" else 1) for n in found]
    made = table((day for day, _ in told), **columns)
    made = sourced(made) if report == "sources" else made
    if report == "sessions":
        days = [name for name in ("day", "people", "visits", "views") if name in made.column_names]
        yield Counted("traffic_day", made.select(days))
    yield Counted(report, made)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def _whole(said: Any) -> int | None:
    try:
        return None if said is None else round(float(said))
    except (TypeError, ValueError):
        return None
