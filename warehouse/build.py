"""From relations to released tables: every report, bucket by bucket, in one connection and bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pyarrow as pa

from warehouse import audit, dominance, effects
from warehouse.cells import contribute, look, merge, partial, tops
from warehouse.perturbation import bound
from warehouse.recordkeys import RecordKeys
from warehouse.relations import Bucket, Relations, hold
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

    def made(
        report: Report, whole: pa.Table, levels: set[int], *, tops: bool, folded: bool = False
    ) -> Released:
        out = release(
            connection, report, whole, levels, settings,
            tops=tops, moves=keys is not None, hidden=hidden[report.name], folded=folded,
        )  # fmt: skip
        if out.hidden:
            suppressed.append(out.hidden)
        if any(report.name in one.total for one in reports):
            shown[report.name] = audit.names(report, out.table)
        caps = effects.clipped(pa.concat_tables(clips[report.name]))
        return out._replace(effects=pa.concat_tables([out.effects, caps]))

    chosen = sorted(reports, key=lambda report: (report.bit, report.mentions("visits"), report.name))
    parts: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    single = len(buckets) == 1
    for bucket in buckets:
        relations.move(bucket, chosen)
        for report in chosen:
            relations.show(report)
            clips[report.name].append(contribute(connection, report, settings))
            folded = single and mind.fold(connection, report, report.least(settings.min_group))
            parts[report.name].append(partial(connection, report, keys))
            if single:
                whole = parts[report.name].pop()
                if not whole.num_rows and not mind.minds(report):
                    yield report, nothing(report, whole, settings)
                    continue
                at, large = {*marked(report, whole)["level"].to_pylist()}, failing(report, whole)
                if at:
                    look(connection, report, at, keys, top)
                if large.num_rows:
                    tops(connection, report, large, top)
                yield report, made(report, whole, at, tops=large.num_rows > 0, folded=folded)
    if single:
        if seen is not None:
            seen.append(audit.audit(suppressed, shown, settings.min_group))
        return
    wholes = {report.name: merge(connection, report, parts.pop(report.name)) for report in chosen}
    marks: dict[str, pa.Table] = {}
    for report in chosen:
        hold(connection, "whole", wholes[report.name])
        marks[report.name] = marked(report, wholes[report.name])
    over = {report.name: failing(report, wholes[report.name]) for report in chosen}
    looks: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    most: dict[str, list[pa.Table]] = {report.name: [] for report in chosen}
    levels = {name: {*table["level"].to_pylist()} for name, table in marks.items()}
    again = [one for one in chosen if marks[one.name].num_rows or over[one.name].num_rows]
    for bucket in buckets if again else ():
        relations.move(bucket, again)
        for report in again:
            relations.show(report)
            contribute(connection, report, settings)
            if levels[report.name]:
                hold(connection, "marks", marks[report.name])
                look(connection, report, levels[report.name], keys, top)
                looks[report.name].append(connection.sql("FROM looked").to_arrow_table())
            if over[report.name].num_rows:
                tops(connection, report, over[report.name], top)
                most[report.name].append(connection.sql("FROM tops").to_arrow_table())
    for report in chosen:
        hold(connection, "whole", wholes[report.name])
        if levels[report.name]:
            hold(connection, "marks", marks[report.name])
            hold(connection, "looked", merge(connection, report, looks[report.name], top))
        if most[report.name]:
            hold(connection, "tops", merge(connection, report, most[report.name], top))
        yield report, made(report, wholes[report.name], levels[report.name], tops=bool(most[report.name]))
    if seen is not None:
        seen.append(audit.audit(suppressed, shown, settings.min_group))
