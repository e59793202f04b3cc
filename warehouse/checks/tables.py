"""The suite over released tables, derived from fields and reports: before each publication, all of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from consent_filter.fields import FIELDS
from warehouse import report as reports
from warehouse.checks.expectations import Suite
from warehouse.released import Store
from warehouse.report import Report
from warehouse.settings import Warehouse

#: Columns of EVENT or RAW that could single somebody out: never a key of a released table.
SINGLING = {field.name for field in FIELDS if field.keep is None} | {
    "person", "event_id", "time", "received", "props", "offset_min",
}  # fmt: skip
#: Types of keys. A pseudonym (UBIGINT) or a moment (TIMESTAMP) is none of them, whatever its name.
KEYS = {"VARCHAR", "DATE", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "BOOLEAN"}
NUMBERS = {"INTEGER", "BIGINT", "HUGEINT"}
#: An e-mail address, in clear or percent-encoded. Texts were scrubbed long before: this is the last look.
MAIL = r"[A-Za-z0-9._%+-]+(@|%40)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}"
#: Parts and wholes, and ranges, of columns by these names: what can't be, because of how each person's
#: contribution is made. That clicks are fewer than impressions is not among them: a lost or forged request
#: must not stop publication.
_ABSURD = {
    ("received", "stored", "refused"): "received <> stored + refused",
    ("visits", "bounces"): "bounces > visits",
    # Both are moved by one draw and rounded: a hundred times half a scroll.
    ("scrolled", "scrolls"): "scrolled > 100 * scrolls + 100",
    ("hour",): "hour NOT BETWEEN 0 AND 23",
    # A viewable view is a measured one, and net a part of gross.
    ("measured", "viewable"): "viewable > measured",
    ("impressions", "net_impressions"): "net_impressions > impressions",
    ("week", "step"): "step < 1",
    # Of an experiment step 0 is who saw it.
    ("experiment", "step"): "step NOT BETWEEN 0 AND 1",
    ("week_offset",): "week_offset < 0",
}
#: Column of the control table → what is expected, for people. Each must be zero in every row.
EXPECTED = {
    "columns_not_named": "a released table has no column but its keys, its sums and people",
    "columns_missing": "a released table has all of its columns",
    "columns_of_wrong_type": "keys are words, days and small numbers, sums are whole numbers",
    "columns_that_single_out": "no column can single a person out",
    "values_like_an_address": "no text is an e-mail address",
    "rows_of_too_few_people": "every row is about a whole group",
    "numbers_missing": "no number is missing",
    "negative_numbers": "no number is negative",
    "rows_twice": "each row is there once",
    "rows_absurd": "numbers agree: received = stored + refused, and no part is larger than its whole",
    "rows_out_of_order": "of rows that contain each other, none is larger than the one that contains it",
    "hidden_rows_that_follow": "what is hidden does not follow from what is shown, by a group at least",
    "days_out_of_range": "no day is before the web or after tomorrow",
}


SUITE = Suite("released tables", "report", EXPECTED)


def control(store: Store, settings: Warehouse) -> list[dict[str, Any]]:
    """One row a report that would be published: what the suite looks at. Numbers only, never a cell."""
    known = reports.load()
    return [_row(store, settings, known[name]) for name in sorted(store.versions()) if name in known]


def _row(store: Store, settings: Warehouse, one: Report) -> dict[str, Any]:
    run = store.connection.execute
    types = {row[0]: row[1] for row in run(f"DESCRIBE {one.name}").fetchall()}
    numbers = [*one.sums, *one.groups]
    wanted = {*one.keys, *numbers}
    allowed = dict.fromkeys(one.keys, KEYS) | dict.fromkeys(numbers, NUMBERS)
    row: dict[str, Any] = {
        "report": one.name,
        "columns_not_named": len(set(types) - wanted),
        "columns_missing": len(wanted - set(types)),
        "columns_of_wrong_type": sum(
            types[name] not in kinds for name, kinds in allowed.items() if name in types
        ),
        "columns_that_single_out": len((set(types) - set(one.sums)) & SINGLING),
    }
    # What can't be asked of a table without its columns has failed already, above.
    whole = not row["columns_missing"] and not row["columns_of_wrong_type"]
    there = [number for number in numbers if number in types]
    least = one.least(settings.min_group)
    dates = [key for key in one.keys if types.get(key) == "DATE"]
    asked = {
        "values_like_an_address": _rows(
            f"regexp_matches({name}, '{MAIL}')" for name, kind in types.items() if kind == "VARCHAR"
        ),
        "rows_of_too_few_people": _rows([f"{side} < {least:d}" for side in one.groups] if whole else []),
        "numbers_missing": _rows(f"{number} IS NULL" for number in there),
        "negative_numbers": _rows([f"{number} < 0" for number in there] if whole else []),
        "rows_twice": f"count(*) - count(DISTINCT ({', '.join(one.keys)}))" if whole else "0",
        "rows_absurd": _rows([said for names, said in _ABSURD.items() if whole and wanted.issuperset(names)]),
        "rows_out_of_order": _larger(one) if whole and one.nested else "0",
        "hidden_rows_that_follow": (
            f"(SELECT coalesce(sum(told), 0)::BIGINT FROM audited WHERE report = '{one.name}')"
        ),
        "days_out_of_range": _rows(
            f"{day} IS NULL OR {day} NOT BETWEEN DATE '1990-01-01' AND current_date + 2" for day in dates
        ),
    }
    counted = run(f"SELECT {', '.join(asked.values())} FROM {one.name}").fetchone()
    assert counted is not None
    return row | dict(zip(asked, counted, strict=True))


def _larger(one: Report) -> str:
    """How many rows are about more people than the row that contains them, as SQL."""
    over = f"OVER (PARTITION BY {', '.join(one.within)} ORDER BY {', '.join(one.rest)})"
    container = f"lag(people) {over}" if one.nested == "previous" else f"first_value(people) {over}"
    contained = f"SELECT people, {container} AS container FROM {one.name}"
    return f"(SELECT count(*) FROM ({contained}) WHERE people > container)"


def _rows(conditions: Iterable[str]) -> str:
    """How many rows any of the conditions holds for, as SQL."""
    either = " OR ".join(f"({condition})" for condition in conditions)
    return f"count(*) FILTER ({either})" if either else "0"


def where(store: Store) -> dict[str, str]:
    """What is known of the place of a failure: of rows that follow from others, the days of their groups."""
    found = store.connection.execute(
        "SELECT DISTINCT string_split(node, chr(31))[2] FROM audited WHERE told > 0 ORDER BY 1 LIMIT 10"
    ).fetchall()
    return {"hidden_rows_that_follow": f" ({', '.join(day for (day,) in found)})"} if found else {}
