"""The suite over a draft, derived from what the draft says of itself: before anybody may approve it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import duckdb

from warehouse.checks.expectations import Suite
from warehouse.checks.tables import KEYS, MAIL, NUMBERS, SINGLING
from warehouse.draft import Draft, Table, folder
from warehouse.extensions import OFFLINE, quote

EXPECTED = {
    "columns_not_named": "a table has no column but its keys and its numbers with their intervals",
    "columns_missing": "a table has all of its columns",
    "columns_of_wrong_type": "keys are words, days and small numbers, numbers are whole",
    "columns_that_single_out": "no column can single a person out",
    "values_like_an_address": "no text is an e-mail address",
    "values_missing": "no value is missing",
    "numbers_negative": "no number is negative",
    "intervals_wrong": "each number lies in its interval",
    "rows_of_too_few_people": "every row is about a whole group",
    "rows_twice": "each row is there once",
    "rows_miscounted": "there are as many rows as the draft says",
    "numbers_without_noise": "every number has a cap, and noise that hides what one person adds",
}
SUITE = Suite("release", "table", EXPECTED)


def control(data: Path, draft: Draft) -> list[dict[str, Any]]:
    """One row a table. Numbers only, never a cell."""
    with duckdb.connect(":memory:", config=dict(OFFLINE)) as connection:
        paid = {one.name for one in draft.tables if one.rho > 0}
        return [
            _row(connection, folder(data) / draft.id / f"{one.name}.parquet", one, paid)
            for one in draft.tables
        ]


def _row(
    connection: duckdb.DuckDBPyConnection, file: Path, one: Table, paid: Collection[str]
) -> dict[str, Any]:
    run, source = connection.execute, f"read_parquet('{quote(file)}')"
    types = {row[0]: row[1] for row in run(f"DESCRIBE FROM {source}").fetchall()}
    numbers = [f"{number.name}{part}" for number in one.numbers for part in ("", "_low", "_high")]
    wanted = {*one.keys, *numbers}
    allowed = dict.fromkeys(one.keys, KEYS) | dict.fromkeys(numbers, NUMBERS)
    row: dict[str, Any] = {
        "table": one.name,
        "columns_not_named": len(types.keys() - wanted),
        "columns_missing": len(wanted - types.keys()),
        "columns_of_wrong_type": sum(types[at] not in kinds for at, kinds in allowed.items() if at in types),
        "columns_that_single_out": len((types.keys() - set(numbers)) & SINGLING),
        "numbers_without_noise": sum(not (n.most >= 1 and n.scale > 0) for n in one.numbers)
        + (not (one.cells >= 1 and (one.rho > 0 or one.made_from in paid))),
    }
    whole = not row["columns_missing"] and not row["columns_of_wrong_type"]
    plain = [number.name for number in one.numbers]
    people = f"people < {one.least:d}" if "people" in plain else "false"
    asked = {
        "values_like_an_address": [
            f"regexp_matches({k}, '{MAIL}')" for k, v in types.items() if v == "VARCHAR"
        ],
        "values_missing": [f"{name} IS NULL" for name in types],
        "numbers_negative": [f"{name} < 0" for name in numbers if whole],
        "intervals_wrong": [f"{n} NOT BETWEEN {n}_low AND {n}_high" for n in plain if whole],
        "rows_of_too_few_people": [people] if whole else [],
    }
    queries = {
        name: f"count(*) FILTER ({' OR '.join(f'({c})' for c in said)})" if said else "0"
        for name, said in asked.items()
    }
    queries["rows_twice"] = (
        f"count(*) - count(DISTINCT ({', '.join(one.keys)}))" if whole and one.keys else "0"
    )
    queries["rows_miscounted"] = f"abs(count(*) - {one.rows:d})"
    counted = run(f"SELECT {', '.join(queries.values())} FROM {source}").fetchone()
    assert counted is not None
    return row | dict(zip(queries, counted, strict=True))
