"""From relations to released tables: every report, bucket by bucket, in one connection and bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from warehouse.cells import contribute, look, merge, partial
from warehouse.relations import Bucket, Relations
from warehouse.release import Noise, Released, mark, no_noise, release
from warehouse.report import Report
from warehouse.settings import Warehouse


def build(
    connection: duckdb.DuckDBPyConnection,
    relations: Relations,
    reports: Sequence[Report],
    settings: Warehouse,
    buckets: Sequence[Bucket] = (Bucket(),),
    noise: Noise = no_noise,
) -> Iterator[tuple[Report, Released]]:
    """Each report released. With several buckets those with small rows are counted twice: first every row,
    then the people of the small ones together, which cannot be known before."""
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
                marks = mark(connection, report, whole, settings)
                looked = look(connection, report, marks)
                yield report, release(connection, report, whole, marks, looked, settings, noise)
    if len(buckets) == 1:
        return
    wholes = {report.name: merge(report, parts.pop(report.name)) for report in chosen}
    marks = {report.name: mark(connection, report, wholes[report.name], settings) for report in chosen}
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
        yield report, release(connection, report, wholes[report.name], one, looked, settings, noise)
