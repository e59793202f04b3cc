"""Plausible's export: a ZIP, or its folder, of `imported_<table>_<first>_<last>.csv`.

Made in a site's settings, "Imports & exports"; the same files as its CSV import takes (plausible.io/docs,
csv-import): a day and a key a row, `visit_duration` in seconds, countries as codes.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from ingest.counted.table import Counted, sourced, unreadable

NAME = "plausible"
SAYS = "the ZIP of Site settings → Imports & exports → Export"
_FILE = re.compile(r"imported_([a-z_]+?)(?:_\d{8}_\d{8})?\.csv")
#: What is read at most of one file, decompressed: an export of years is some hundred megabytes.
MOST = 4 << 30
_VISIT = {"visitors": "people", "visits": "visits", "pageviews": "views", "bounces": "bounces"}
#: Their table → our report, its keys by their names, and its numbers where they are not as in most.
_TABLES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "pages": ("pages", {"page": "path"}, {"visitors": "people", "pageviews": "views"}),
    "entry_pages": (
        "entry_pages", {"entry_page": "path"},
        {"visitors": "people", "entrances": "visits", "bounces": "bounces"},
    ),
    "exit_pages": ("exit_pages", {"exit_page": "path"}, {"visitors": "people", "exits": "visits"}),
    "locations": ("countries", {"country": "country"}, {"visitors": "people", "pageviews": "views"}),
    "devices": ("devices", {"device": "device"}, {"visitors": "people", "pageviews": "views"}),
    "custom_events": ("custom_events", {"name": "name"}, {"visitors": "people", "events": "events"}),
}  # fmt: skip


def read(files: Sequence[Path]) -> Iterator[Counted]:
    """The tables of the export. Raises Refused where a file is none of it."""
    for file in files:
        for name, data in _parts(file):
            if match := _FILE.fullmatch(name):
                yield from _table(file, match[1], data)


def _parts(file: Path) -> Iterator[tuple[str, bytes]]:
    if file.is_dir():
        for path in sorted(file.iterdir()):
            yield path.name, path.read_bytes()
    elif zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for part in archive.infolist():
                if part.file_size > MOST:
                    raise unreadable(file, f"a file of it is larger than {MOST >> 30} GiB")
                yield Path(part.filename).name, archive.read(part)
    elif _FILE.fullmatch(file.name):
        yield file.name, file.read_bytes()
    else:
        raise unreadable(file, "not a ZIP, nor a file called imported_<table>_<first>_<last>.csv")


def _table(file: Path, name: str, data: bytes) -> Iterator[Counted]:
    words = ("source", "referrer", "page", "entry_page", "exit_page", "country", "device", "browser",
             "name", "utm_source", "utm_medium", "utm_campaign")  # fmt: skip
    kinds = dict.fromkeys(words, pa.string()) | {"date": pa.date32()}
    try:
        rows = csv.read_csv(
            io.BytesIO(data),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(column_types=kinds, strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        raise unreadable(file, f"the table {name} is not CSV as Plausible writes it") from None
    if "date" not in rows.column_names or "visitors" not in rows.column_names:
        raise unreadable(file, f"the table {name} has no columns date and visitors")
    if name == "visitors":
        yield _columns(
            "traffic_day", rows, {}, {"visitors": "people", "visits": "visits", "pageviews": "views"}
        )
        yield _columns("sessions", rows, {}, {**_VISIT, "visit_duration": "duration_ms"})
    elif name == "sources":
        at = rows.schema.get_field_index("source")
        told = sourced(rows.set_column(at, "source", _first(rows, "referrer", "source")))
        yield _columns("sources", told, {key: key for key in ("referrer_group", "referrer_host")}, _VISIT)
        tagged = [pc.not_equal(rows[tag], "") for tag in ("utm_source", "utm_medium", "utm_campaign")]
        named = rows.filter(pc.or_(pc.or_(tagged[0], tagged[1]), tagged[2]))
        keys = {key: key for key in ("utm_source", "utm_medium", "utm_campaign")}
        yield _columns("campaigns", named, keys, _VISIT)
    elif name == "browsers":
        # Systems are in a table of their own, which is not read: rows of both would count everybody twice.
        told = rows.append_column("os", pa.array([""] * rows.num_rows, pa.string()))
        yield _columns(
            "browsers", told, {"browser": "browser", "os": "os"}, {"visitors": "people", "pageviews": "views"}
        )
    elif name in _TABLES:
        report, keys, numbers = _TABLES[name]
        if report == "custom_events":
            rows = rows.append_column("type", pa.array(["event"] * rows.num_rows, pa.string()))
            keys = {"type": "type", **keys}
        yield _columns(report, rows, keys, numbers)


def _first(rows: pa.Table, *names: str) -> pa.ChunkedArray:
    """The first of the columns that says something."""
    found = [rows[name] for name in names if name in rows.column_names]
    return pc.coalesce(*[pc.if_else(pc.equal(one, ""), pa.scalar(None, pa.string()), one) for one in found])


def _columns(report: str, rows: pa.Table, keys: dict[str, str], numbers: dict[str, str]) -> Counted:
    columns = {"day": rows["date"], **{ours: rows[theirs] for theirs, ours in keys.items()}}
    for theirs, ours in numbers.items():
        if theirs in rows.column_names:
            known = rows[theirs].cast(pa.int64())
            columns[ours] = pc.multiply(known, 1000) if ours == "duration_ms" else known
    return Counted(report, pa.table(columns))
