"""The suite over facts, derived from the fields: each file once, before anything made of it is published."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import PurePath
from typing import Any

from consent_filter.fields import EVENT, FACTS, FIELDS
from consent_filter.purpose import ALL
from warehouse.checks.expectations import Suite
from warehouse.checks.tables import MAIL
from warehouse.extensions import quote
from warehouse.lake import Lake

#: What a row cannot be without, however old it is; a file made before a column was has none of it.
_NEEDED = ("site", "day", "time", "received", "type", "treatment", "purposes", "policy")
_STORED = [field for field in FIELDS if field.keep is not None]
_ADDRESS = r"(?:^|[^0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:$|[^0-9.])"
#: What a site says of itself or we note of a rule: a version is four numbers with points, too.
_SAID = ("policy", "because", "signal", "protocol", "treatment", "basis", "type", "site")
EXPECTED = {
    "columns_not_named": "facts have no column that the fields do not name",
    "columns_of_wrong_type": "columns have the types of their fields",
    "values_missing": "every row says where, when, what, and why it may be kept",
    "purposes_unknown": "no row has a purpose that has no name",
    "rows_outside_their_purposes": "no row holds a value that none of its purposes allows",
    "rows_too_fine": "a row without an identifier holds nothing that would tell visitors apart",
    "values_like_an_address": "no text is an e-mail address or that of a machine",
    "ids_twice": "no event is there twice",
    "rows_too_old": "no row is older than any policy may keep it",
    "days_out_of_range": "no day is before the web or after tomorrow",
}
SUITE = Suite("facts", "file", EXPECTED)


def files(lake: Lake) -> dict[str, str]:
    """Every file of facts that the snapshot of this reader has, by its name: where it is."""
    rows = lake.connection.execute("FROM ducklake_list_files('lake', 'events')").fetchall()
    return {PurePath(row[0]).name: row[0] for row in rows}


def control(lake: Lake, seen: Collection[str] = ()) -> list[dict[str, Any]]:
    """One row a file that was not looked at yet. Numbers only, never a value."""
    return [_row(lake, name, path) for name, path in sorted(files(lake).items()) if name not in seen]


def _row(lake: Lake, name: str, path: str) -> dict[str, Any]:
    run, source = lake.connection.execute, f"read_parquet('{quote(path)}')"
    types = {row[0]: row[1] for row in run(f"DESCRIBE FROM {source}").fetchall()}
    wanted = {row[0]: row[1] for row in run("DESCRIBE lake.events").fetchall()}
    row: dict[str, Any] = {
        "file": name,
        # Files that DuckLake itself has written anew number their rows.
        "columns_not_named": sum(
            at not in EVENT.names and not at.startswith("_ducklake_internal") for at in types
        ),
        # Parquet's milliseconds are read as DuckDB's microseconds.
        "columns_of_wrong_type": sum(
            kind != wanted[at].removesuffix("_MS") for at, kind in types.items() if at in wanted
        ),
    }
    there = types.keys() & set(EVENT.names)
    asked = {
        "values_missing": _any(f"{at} IS NULL" for at in _NEEDED if at in there),
        "purposes_unknown": _any(f"purposes & ~{int(ALL)} <> 0" for _ in there & {"purposes"}),
        "rows_outside_their_purposes": _any(
            f"({field.name} IS NOT NULL AND purposes & {int(field.purposes)} = 0)"
            for field in _STORED
            if field.name in there and field.purposes != ALL
        ),
        "rows_too_fine": _any(
            f"(treatment = 'cookieless' AND {field.name} IS NOT NULL)"
            for field in _STORED
            if field.name in there and not field.alone
        ),
        "values_like_an_address": _any(
            f"regexp_matches({field.name}, '{MAIL}') OR regexp_matches({field.name}, '{_ADDRESS}')"
            for field in _STORED
            if field.name in there and types[field.name] == "VARCHAR" and field.name not in _SAID
        ),
        "ids_twice": "count(event_id) - count(DISTINCT event_id)" if "event_id" in there else "0",
        "rows_too_old": _any(
            f"received < now()::TIMESTAMP - INTERVAL {FACTS.days + 2} DAY" for _ in there & {"received"}
        ),
        "days_out_of_range": _any(
            "day NOT BETWEEN DATE '1990-01-01' AND current_date + 2" for _ in there & {"day"}
        ),
    }
    counted = run(f"SELECT {', '.join(asked.values())} FROM {source}").fetchone()
    assert counted is not None
    return row | dict(zip(asked, counted, strict=True))


def _any(conditions: Any) -> str:
    """How many rows any of the conditions holds for, as SQL."""
    either = " OR ".join(f"({condition})" for condition in conditions)
    return f"count(*) FILTER ({either})" if either else "0"
