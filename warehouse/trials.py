"""Who has seen which variant of a site's experiments: the relation `trials` (M48).

One row a person, experiment and label that was sent: site, day, `begins` (the first day of the experiment of
which anything may be told), person, `known` (has an identifier), time, experiment, variant. A day on which
fewer than a group saw an experiment is left out, as in `steps`: its total less the published days would be
that day.
"""

from __future__ import annotations

import duckdb

from consent_filter import experiment

_LABELS = f"type = 'event' AND name = '{experiment.NAME}' AND props IS NOT NULL"


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Make `trial_days`, which `note` fills bucket by bucket."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE trial_days (site VARCHAR, day DATE, experiment VARCHAR, people BIGINT)"
    )


def load(connection: duckdb.DuckDBPyConnection, kept: str) -> None:
    """Make `labelled`, the labels of a bucket. `kept`: facts that may be counted, up to a condition."""
    # The filter writes them flat, with sorted names, and words alone: `{"checkout":"b","hero":"film"}`.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE labelled AS SELECT site, day, person, known, time,"
        " regexp_extract(label, '^\"([a-z0-9_-]+)\":', 1) AS experiment,"
        " regexp_extract(label, ':\"([a-z0-9_-]+)\"$', 1) AS variant FROM (SELECT site, day, person, time,"
        " treatment = 'identified' AS known, unnest(string_split(trim(props, '{}'), ',')) AS label"
        f" FROM {kept} AND {_LABELS}) WHERE experiment <> '' AND variant <> ''"
    )


def note(connection: duckdb.DuckDBPyConnection) -> None:
    """Add the bucket's people to `trial_days`."""
    connection.execute(
        "INSERT INTO trial_days SELECT site, day, experiment, count(DISTINCT person) FROM labelled"
        " GROUP BY ALL"
    )


def limit(connection: duckdb.DuckDBPyConnection, least: int) -> None:
    """Make `trials` of a bucket."""
    connection.execute(
        "CREATE OR REPLACE TEMP VIEW trials AS SELECT * FROM labelled JOIN (SELECT site, day, experiment,"
        " min(day) OVER (PARTITION BY site, experiment) AS begins FROM trial_days"
        f" GROUP BY site, day, experiment HAVING sum(people) >= {least:d})"
        " USING (site, day, experiment)"
    )
