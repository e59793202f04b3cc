"""From relations to released tables: every report, bucket by bucket, in one connection and bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from warehouse import audit, dominance, effects
from warehouse.cells import contribute, look, merge, partial, tops
from warehouse.perturbation import bound
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Bucket, Relations
from warehouse.release import Released, mark, nothing, release
from warehouse.report import Report
from warehouse.restatement import Guard
from warehouse.settings import Warehouse


def build(
    connection: duckdb.DuckDBPyConnection,
    relations: Relations,
    reports: Sequence[Report],
    settings: Warehouse,
    buckets: Sequence[Bucket] = (Bucket(),),
    keys: RecordKeys | None = None,
    guard: Guard | None = None,
    seen: list[pa.Table] | None = None,
) -> Iterator[tuple[Report, Released]]:
    """Each report released, minding who has left (`guard`), and perturbed where there are record keys. What
    the audit of all of them finds (`audit.AUDITED`) is put into `seen` at the end.

    With several buckets those with small rows, or with somebody who is too much of one, are counted twice:
    first every row, then the people of the small ones together and the largest parts, which cannot be known
    before."""
    mind = guard or Guard.none()
    mind.moved = bound(settings.min_group) if keys else 0
    hidden: dict[str, pa.Table] = {}
    clips: dict[str, list[pa.Table]] = {report.name: [] for report in reports}
    top = settings.equals - 1
    suppressed: list[audit.Hidden] = []
    shown: dict[str, set[str]] = {}

    def marked(report: Report, whole: pa.Table) -> pa.Table:
        hidden[report.name] = mind.hide(connection, report, whole, report.least(settings.min_group))
        return mark(connection, report, whole, settings, hidden[report.name])

    def failing(report: Report, whole: pa.Table) -> pa.Table:
        return dominance.failing(report, whole, report.least(settings.min_group), settings.equals)

    def made(report: Report, whole: pa.Table, marks: pa.Table, looked: pa.Table, most: pa.Table) -> Released:
        out = release(
            connection, report, whole, marks, looked, most, settings,
            moves=keys is not None, hidden=hidden[report.name],
        )  # fmt: skip
        if out.hidden:
            suppressed.append(out.hidden)
        if any(report.name in one.total for one in reports):
            shown[report.name] = audit.names(report, out.table)
        caps = effects.clipped(pa.concat_tables(clips[report.name]))
        return out._replace(effects=pa.concat_tables([out.effects, caps]))

    chosen = sorted(reports, key=lambda report: (report.bit, report.mentions("visits"), report.name))
    parts: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    for bucket in buckets:
        relations.move(bucket, chosen)
        for report in chosen:
            relations.show(report)
            clips[report.name].append(contribute(connection, report, settings))
            parts[report.name].append(partial(connection, report, keys))
            if len(buckets) == 1:
                whole = parts[report.name].pop()
                if not whole.num_rows and not mind.minds(report):
                    yield report, nothing(report, whole, settings)
                    continue
                one, over = marked(report, whole), failing(report, whole)
                looked = look(connection, report, one, keys, top)
                yield report, made(report, whole, one, looked, tops(connection, report, over, top))
    if len(buckets) == 1:
        if seen is not None:
            seen.append(audit.audit(suppressed, shown, settings.min_group))
        return
    wholes = {report.name: merge(connection, report, parts.pop(report.name)) for report in chosen}
    marks = {report.name: marked(report, wholes[report.name]) for report in chosen}
    over = {report.name: failing(report, wholes[report.name]) for report in chosen}
    looks: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    most: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    again = [one for one in chosen if marks[one.name].num_rows or over[one.name].num_rows]
    for bucket in buckets if again else ():
        relations.move(bucket, again)
        for report in again:
            relations.show(report)
            contribute(connection, report, settings)
            looks[report.name].append(look(connection, report, marks[report.name], keys, top))
            most[report.name].append(tops(connection, report, over[report.name], top))
    for report in chosen:
        one = marks[report.name]
        looked = merge(
            connection, report, looks[report.name] or [look(connection, report, one, keys, top)], top
        )
        largest = merge(
            connection, report, most[report.name] or [tops(connection, report, over[report.name], top)], top
        )
        yield report, made(report, wholes[report.name], one, looked, largest)
    if seen is not None:
        seen.append(audit.audit(suppressed, shown, settings.min_group))
