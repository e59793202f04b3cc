"""Great Expectations guards publication: suites derived from the fields and the reports, not written by hand.

Small control tables, one row a report, are computed by DuckDB over all rows and handed over as frames (its
SQL path does not work on DuckDB, and 70 ms on a few rows beat seconds on millions). The import takes 8 to 10
seconds, so it happens in the one process that needs it, and only there. Telemetry is off.
"""

from __future__ import annotations

import logging
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from consent_filter.fields import FIELDS
from warehouse import report as reports
from warehouse.released import Store
from warehouse.settings import Warehouse

#: What may stand in a released table beside its keys and sums.
_ALSO = {"people"}
#: Columns of EVENT or RAW that could single somebody out: never a column of a released table.
SINGLING = {f.name for f in FIELDS if f.keep is None} | {"person", "event_id", "time", "received", "props", "offset_min"}


class Outcome(Struct):
    """Whether the tables may be published; if not, what was expected and of which report."""

    ok: bool
    failures: list[str]
    docs: str | None = None


def warm() -> None:
    """Import Great Expectations now, so that the first publication need not wait for it."""
    _definition()


def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    return gx


@cache
def _definition() -> Any:
    """The suite over any frame, made once a process: an ephemeral context leaves a folder behind each time."""
    gx = _library()
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    suite = context.suites.add(gx.ExpectationSuite(name="released tables"))
    for column, says in EXPECTED.items():
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeInSet(column=column, value_set=[0], meta={"notes": says})
        )
    asset = context.data_sources.add_pandas("control").add_dataframe_asset("reports")
    batch = asset.add_batch_definition_whole_dataframe("all")
    return context.validation_definitions.add(
        gx.ValidationDefinition(name="before publication", data=batch, suite=suite)
    )


def control(store: Store, settings: Warehouse) -> list[dict[str, Any]]:
    """One row a report: what the suite looks at. Numbers only, never a cell of a table."""
    rows = []
    for name in sorted(store.versions()):
        one = reports.load()[name]
        run = store.connection.execute
        columns = [row[0] for row in run(f"DESCRIBE {name}").fetchall()]
        allowed = {*one.keys, *one.sums, *_ALSO}
        negative = " + ".join(f"count(*) FILTER ({column} < 0)" for column in one.sums)
        twice = f"count(*) - count(DISTINCT ({', '.join(one.keys)}))"
        small = f"count(*) FILTER (people < {settings.min_group:d} OR people IS NULL)" if one.people else "0"
        off = "count(*) FILTER (received <> stored + refused)" if name == "balance" else "0"
        days = "count(*) FILTER (day NOT BETWEEN DATE '1990-01-01' AND current_date + 2)" if "day" in one.keys else "0"
        found = run(f"SELECT {small}, {negative}, {twice}, {off}, {days} FROM {name}").fetchone()
        assert found is not None
        rows.append(
            {
                "report": name,
                "columns_not_named": len(set(columns) - allowed),
                "columns_missing": len(({*one.keys, *one.sums} | (_ALSO if one.people else set())) - set(columns)),
                "columns_that_single_out": len((set(columns) - set(one.sums)) & SINGLING),
                "rows_of_too_few_people": found[0],
                "negative_numbers": found[1],
                "rows_twice": found[2],
                "days_out_of_balance": found[3],
                "days_out_of_range": found[4],
            }
        )
    return rows


#: Column of the control table → what is expected, for people. Each must be zero in every row.
EXPECTED = {
    "columns_not_named": "a released table has no column but its keys, its sums and people",
    "columns_missing": "a released table has all of its columns",
    "columns_that_single_out": "no column can single a person out",
    "rows_of_too_few_people": "every row is about a whole group",
    "negative_numbers": "no number is negative",
    "rows_twice": "each row is there once",
    "days_out_of_balance": "received = stored + refused",
    "days_out_of_range": "no day is before the web or after tomorrow",
}


def validate(store: Store, settings: Warehouse, docs: Path, *, document: bool = False) -> Outcome:
    """Run the suite. Data docs are written on failure, and on success when `document` is set."""
    _library()
    import pandas as pd

    frame = pd.DataFrame(control(store, settings))
    if frame.empty:
        return Outcome(True, [])
    result = _definition().run(batch_parameters={"dataframe": frame})
    failures = []
    for one in result.results:
        if not one.success:
            column = one.expectation_config.kwargs["column"]
            where = ", ".join(frame.loc[frame[column] != 0, "report"])
            failures.append(f"{EXPECTED[column]}: not so in {where}")
    written = _document(result, docs) if failures or document else None
    return Outcome(bool(result.success), failures, written)


def _document(result: Any, docs: Path) -> str:
    """The validation as a page that can be opened, written beside the publication."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    (docs / "index.html").write_text(page)
    return str(docs / "index.html")
