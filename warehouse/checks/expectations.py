"""Great Expectations, asked about small control tables: what is expected, found and to be done about it.

DuckDB computes a control table over all rows, one row a table, a file or a site, and Great Expectations
judges that (its own SQL path fails on DuckDB, and 70 ms on a few rows beat seconds on millions). A control
table holds counts only, so neither a message nor a page of the data docs can hold a cell. The import takes
5 to 10 seconds: it happens in the one process that needs it, and only there. Telemetry is off.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from warehouse import without_pandas
from warehouse.checks.documents import write
from warehouse.lazily import later

#: Charts, and distributions to compare columns with: a quarter of what it takes to begin.
_LATER = ("altair", "scipy.stats")


class Suite(Struct, frozen=True):
    """Expectations over control rows. `of`: the column that names a row. `expected`: column → what is
    expected, for people; each must be zero in every row. `stop`: whether a failure stops what is checked."""

    name: str
    of: str
    expected: Mapping[str, str]
    stop: bool = True


class Outcome(Struct):
    """What a suite found. `failures`: what was expected and where it is not so. `looked`: how many rows it
    looked at. `docs`: the page of the validation, where one was written."""

    suite: str
    stop: bool
    failures: list[str] = []
    looked: int = 0
    seconds: float = 0.0
    docs: str | None = None

    @property
    def ok(self) -> bool:
        """Whether what was checked may go on."""
        return not self.failures or not self.stop


def warm() -> None:
    """Import Great Expectations now, so that the first publication need not wait for it."""
    _library()


@cache
def _library() -> Any:
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    without_pandas.lift()
    with warnings.catch_warnings(), later(_LATER):
        warnings.simplefilter("ignore")
        import great_expectations as gx
    # The second sets a level of its own when it is imported, and would tell the operator of its folders.
    for name in ("great_expectations", "great_expectations.data_context.types.base"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return gx


@cache
def _context() -> Any:
    """Made once a process: each ephemeral context leaves a folder behind."""
    context = _library().get_context(mode="ephemeral")
    context.enable_analytics(False)
    context.variables.progress_bars = {"globally": False}
    return context


@cache
def _definition(name: str, expected: tuple[tuple[str, str], ...], severity: str) -> Any:
    gx, context = _library(), _context()
    suite = context.suites.add(gx.ExpectationSuite(name=name))
    for column, says in expected:
        suite.add_expectation(
            gx.expectations.ExpectColumnValuesToBeInSet(
                column=column, value_set=[0], meta={"notes": says}, severity=severity
            )
        )
    asset = context.data_sources.add_pandas(name).add_dataframe_asset("control")
    batch = asset.add_batch_definition_whole_dataframe("all")
    return context.validation_definitions.add(
        gx.ValidationDefinition(name=f"{name}, checked", data=batch, suite=suite)
    )


#: Rows that a suite was run over in this process and found good, by their values: what it finds depends on
#: nothing else, and running it takes a second, which every publication of a live day would wait for.
_good: dict[tuple[str, ...], set[tuple[Any, ...]]] = {}


def validate(
    suite: Suite,
    rows: Sequence[Mapping[str, Any]],
    docs: Path,
    *,
    document: bool = False,
    where: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a suite over its control rows. A page of data docs is written on failure, and on success when
    `document` is set: docs/<suite>.html. `where`: what is known of the place of a failure, by column."""
    begun = time.monotonic()
    outcome = Outcome(suite.name, suite.stop, looked=len(rows))
    if not rows:
        return outcome
    good = _good.setdefault((suite.name, *suite.expected), set())
    values = {tuple((type(row[column]), row[column]) for column in suite.expected) for row in rows}
    if not document and values <= good:
        outcome.seconds = time.monotonic() - begun
        return outcome
    _library()
    import pandas as pd

    frame = pd.DataFrame(rows)
    shape = {"result_format": "COMPLETE", "unexpected_index_column_names": [suite.of]}
    definition = _definition(
        suite.name, tuple(suite.expected.items()), "critical" if suite.stop else "warning"
    )
    result = definition.run(batch_parameters={"dataframe": frame}, result_format=shape)
    for column, says in suite.expected.items():
        wrong = frame.loc[frame[column] != 0, suite.of]
        if len(wrong):
            outcome.failures.append(f"{says}: not so in {', '.join(wrong)}{(where or {}).get(column, '')}")
    if not result.success and not outcome.failures:
        outcome.failures.append("the checks could not be run to their end")
    if not outcome.failures:
        good |= values
    if outcome.failures or document:
        outcome.docs = write(_page(result), docs, suite.name.replace(" ", "-"))
    outcome.seconds = time.monotonic() - begun
    return outcome


def _page(result: Any) -> str:
    """The validation as a page of Great Expectations' data docs."""
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    return str(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result)))
