"""From relations to released tables: every report, bucket by bucket, in one connection and bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from warehouse.cells import contribute, look, merge, partial
from warehouse.relations import Bucket, Relations
from warehouse.release import Noise, Released, mark, no_noise, release
from warehouse.report import Report
from warehouse.restatement import Guard
from warehouse.settings import Warehouse


def build(
    connection: duckdb.DuckDBPyConnection,
    relations: Relations,
    reports: Sequence[Report],
    settings: Warehouse,
    buckets: Sequence[Bucket] = (Bucket(),),
    noise: Noise = no_noise,
    guard: Guard | None = None,
) -> Iterator[tuple[Report, Released]]:
    """Each report released, minding who has left (`guard`). With several buckets those with small rows are
    counted twice: first every row,
    then the people of the small ones together, which cannot be known before."""
    mind = guard or Guard.none()
    hidden: dict[str, pa.Table] = {}

    def marked(report: Report, whole: pa.Table) -> pa.Table:
        hidden[report.name] = mind.hide(connection, report, whole, report.least(settings.min_group))
        return mark(connection, report, whole, settings, hidden[report.name])

    def made(report: Report, whole: pa.Table, marks: pa.Table, looked: pa.Table) -> Released:
        out = hidden[report.name]
        return release(connection, report, whole, marks, looked, settings, noise, out)

    chosen = sorted(reports, key=lambda report: (report.bit, report.mentions("visits"), report.name))
    parts: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    for bucket in buckets:
        relations.move(bucket, chosen)
        for report in chosen:
            relations.show(report)
            contribute(connection, report, settings)
            parts[report.name].append(partial(connection, report, settings))
            if len(buckets) == 1:
                whole = parts[report.name].pop()
                one = marked(report, whole)
                yield report, made(report, whole, one, look(connection, report, one))
    if len(buckets) == 1:
        return
    wholes = {report.name: merge(report, parts.pop(report.name)) for report in chosen}
    marks = {report.name: marked(report, wholes[report.name]) for report in chosen}
    looks: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    again = [report for report in chosen if marks[report.name].num_rows]
    for bucket in buckets if again else ():
        relations.move(bucket, again)
        for report in again:
            relations.show(report)
            contribute(connection, report, settings)
            looks[report.name].append(look(connection, report, marks[report.name]))
    for report in chosen:
        one = marks[report.name]
        looked = merge(report, looks[report.name] or [look(connection, report, one)])
        yield report, made(report, wholes[report.name], one, looked)
