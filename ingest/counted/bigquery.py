"""Google Analytics 4's events as BigQuery exports them: a JSON object a line (`events_YYYYMMDD`), or gzipped.

They are rows of people, and so they are counted while they are read: who it was is a number drawn anew for
this reading, and nothing of a row is kept (support.google.com/analytics/answer/7029846 is the schema).
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from ingest.counted.table import Counted, sourced, unreadable

NAME = "bigquery"
SAYS = "newline-delimited JSON of events_YYYYMMDD, plain or gzipped"


class _Value(Struct, frozen=True):
    string_value: str | None = None
    int_value: str | int | None = None


class _Param(Struct, frozen=True):
    key: str = ""
    value: _Value = _Value()


class _Web(Struct, frozen=True):
    browser: str | None = None


class _Device(Struct, frozen=True):
    category: str | None = None
    operating_system: str | None = None
    web_info: _Web | None = None
    browser: str | None = None


class _Geo(Struct, frozen=True):
    country: str | None = None


class _From(Struct, frozen=True):
    source: str | None = None
    medium: str | None = None
    name: str | None = None


class _Event(Struct):
    """What is read of a row; all else of it is never made an object."""

    event_date: str
    event_name: str
    user_pseudo_id: str | None = None
    event_params: list[_Param] = []
    device: _Device = _Device()
    geo: _Geo = _Geo()
    traffic_source: _From = _From()


_COLUMNS = ("day", "who", "visit", "path", "source", "utm_source", "utm_medium", "utm_campaign", "country",
            "device", "browser", "os", "name")  # fmt: skip
#: Report → its keys.
_BY: dict[str, tuple[str, ...]] = {
    "traffic_day": (), "sources": ("source",), "campaigns": ("utm_source", "utm_medium", "utm_campaign"),
    "pages": ("path",), "countries": ("country",), "devices": ("device",), "browsers": ("browser", "os"),
}  # fmt: skip


def read(files: Sequence[Path]) -> Iterator[Counted]:
    """The reports of the files, all of them together. Raises Refused where a line is no event."""
    parts = [
        _events(file) for given in files for file in (sorted(given.iterdir()) if given.is_dir() else [given])
    ]
    events = pa.concat_tables(parts)
    views = events.filter(pc.equal(events["name"], "page_view"))
    for report, keys in _BY.items():
        rows = views
        if report == "campaigns":
            rows = rows.filter(
                pc.or_(pc.not_equal(rows["utm_campaign"], ""), pc.not_equal(rows["utm_medium"], ""))
            )
        made = _counted(
            rows,
            keys,
            {
                "people": ("who", "count_distinct"),
                "visits": ("visit", "count_distinct"),
                "views": ("who", "count"),
            },
        )
        made = sourced(made) if report == "sources" else made
        if report in ("pages", "countries", "devices", "browsers"):
            made = made.drop_columns("visits")
        yield Counted(report, made)
    rest = events.filter(pc.not_equal(events["name"], "page_view"))
    made = _counted(rest, ("name",), {"people": ("who", "count_distinct"), "events": ("who", "count")})
    yield Counted(
        "custom_events", made.append_column("type", pa.array(["event"] * made.num_rows, pa.string()))
    )


def _counted(rows: pa.Table, keys: tuple[str, ...], numbers: Mapping[str, tuple[str, str]]) -> pa.Table:
    made = rows.group_by(["day", *keys]).aggregate(list(numbers.values()))
    return made.rename_columns(["day", *keys, *numbers])


def _events(file: Path) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in _COLUMNS}
    people: dict[str, int] = {}
    visits: dict[tuple[int, Any], int] = {}
    decode = msgspec.json.Decoder(_Event).decode
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = _row(decode(line), people, visits)
            except (msgspec.DecodeError, ValueError):
                raise unreadable(file, f"line {number} is no event of the export") from None
            for name, value in zip(_COLUMNS, row, strict=True):
                columns[name].append(value)
    kinds = {"day": pa.date32(), "who": pa.int64(), "visit": pa.int64()}
    return pa.table(
        {name: pa.array(values, kinds.get(name, pa.string())) for name, values in columns.items()}
    )


def _row(event: _Event, people: dict[str, int], visits: dict[tuple[int, Any], int]) -> tuple[Any, ...]:
    params = {one.key: one.value for one in event.event_params}
    who = people.setdefault(event.user_pseudo_id or "", len(people))
    session = params["ga_session_id"].int_value if "ga_session_id" in params else None
    visit = visits.setdefault((who, session), len(visits))
    page = (params["page_location"].string_value if "page_location" in params else "") or ""
    path = "/" + page.split("://", 1)[-1].partition("/")[2]
    came, device = event.traffic_source, event.device
    browser = (device.web_info.browser if device.web_info else None) or device.browser
    return (
        date.fromisoformat(event.event_date), who, visit, path, came.source or "", _said(came.source),
        _said(came.medium), _said(came.name), event.geo.country or "", device.category or "", browser or "",
        device.operating_system or "", event.event_name,
    )  # fmt: skip


def _said(text: str | None) -> str:
    return "" if text is None or text.startswith("(") or text in ("organic", "referral") else text
