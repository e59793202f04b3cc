"""Looking after files of facts: few, large, sorted, and without anything whose time is over.

An event is *open* while a retry of it may come; its id is nulled afterwards (`Field.keep`). Open files are
merged within a day and a quarter day of receipt, so that a file's ids end together, at most six hours late;
files without ids are merged within a month, smallest first, until they are large.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from itertools import islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from consent_filter.errors import Broken
from consent_filter.fields import EVENT
from consent_filter.retention import age
from warehouse import decay, purges
from warehouse.decay import Due, judged
from warehouse.depot import Place, new
from warehouse.extensions import quote
from warehouse.facts import FORMAT, ROW_GROUP
from warehouse.lake import Lake
from warehouse.purges import Account
from warehouse.recent import WINDOW
from warehouse.relations import hold

_DAY = 86_400
#: Seconds of receipt that open files are kept apart by.
QUARTER = _DAY // 4
#: Closed files of a month below the size that is left alone.
CLOSED = 8
#: Rows of one file of a merge, at most: 60 MB.
_MOST = 4 * 1024 * 1024


class File(NamedTuple):
    """A file of facts: rows, their days (ISO), when they were received (seconds), whether ids are left."""

    path: str
    rows: int
    days: tuple[str, str]
    received: tuple[float, float]
    ids: bool


class Group(NamedTuple):
    """Files to be written anew as one."""

    paths: tuple[str, ...]
    rows: int


class Rule(NamedTuple):
    """When what happens. `due`: what is over, or to be coarser.

    open_files: small files of one day and quarter above which they are merged. file_rows: rows from which on
    a closed file is left alone.
    """

    now: float
    due: Due
    open_files: int
    file_rows: int


def files(lake: Lake) -> list[File]:
    """All files of facts, from the catalog's own statistics: no file is read."""
    meta = "__ducklake_metadata_lake"
    rows = lake.connection.execute(
        f"""
        WITH stats AS (
            SELECT data_file_id, min_value, max_value, column_name
            FROM {meta}.ducklake_file_column_stats s
            JOIN {meta}.ducklake_column c ON c.table_id = s.table_id AND c.column_id = s.column_id
            WHERE c.end_snapshot IS NULL AND column_name IN ('day', 'received', 'event_id'))
        SELECT f.path, f.path_is_relative, f.record_count,
            any_value(s.min_value) FILTER (column_name = 'day'),
            any_value(s.max_value) FILTER (column_name = 'day'),
            epoch(any_value(s.min_value) FILTER (column_name = 'received')::TIMESTAMP),
            epoch(any_value(s.max_value) FILTER (column_name = 'received')::TIMESTAMP),
            any_value(s.max_value) FILTER (column_name = 'event_id') IS NOT NULL
        FROM {meta}.ducklake_data_file f
        JOIN {meta}.ducklake_table t ON t.table_id = f.table_id AND t.table_name = 'events'
        LEFT JOIN stats s ON s.data_file_id = f.data_file_id
        WHERE f.end_snapshot IS NULL AND t.end_snapshot IS NULL
        GROUP BY ALL ORDER BY 1
        """
    ).fetchall()
    return [
        File(
            lake.depot.whole(f"main/events/{path}") if relative else path, n, (first, last), (begin, end), ids
        )
        for path, relative, n, first, last, begin, end, ids in rows
    ]


def plan(
    found: Iterable[File], rule: Rule, expired: frozenset[str] = frozenset(), *, tidy: bool = False
) -> list[Group]:
    """Which files to write anew: each in one group at most. Pure.

    `expired`: those with rows to delete. `tidy`: also merge the few that are left of a quarter that is over.
    """
    open_, closed, ended = dict[object, list[File]](), dict[str, list[File]](), dict[str, list[File]]()
    groups: list[list[File]] = []
    over = rule.now - WINDOW.total_seconds()
    for file in found:
        first, last = file.days
        quarter = file.received[1] // QUARTER
        if file.path in expired:
            groups.append([file])
        elif file.received[1] >= over:
            open_.setdefault((quarter, first if first == last else first[:7]), []).append(file)
        elif file.ids:
            ended.setdefault(first[:7], []).append(file)
        elif file.rows < rule.file_rows:
            closed.setdefault(first[:7], []).append(file)
    for (quarter, _), some in open_.items():  # type: ignore[misc]
        if tidy and (quarter + 1) * QUARTER < rule.now and len(some) > 1:
            groups.append(some)
        elif len(some) > rule.open_files:
            groups.append(smallest(some, rule.open_files // 2))
    for month in closed.keys() | ended.keys():
        small = closed.get(month, [])
        chosen = smallest(small, CLOSED // 2) if len(small) + 1 > CLOSED else []
        if month in ended or chosen:
            groups.append([*chosen, *ended.get(month, [])])
    return [Group(tuple(f.path for f in some), sum(f.rows for f in some)) for some in groups]


def smallest(some: Sequence[File], least: int) -> list[File]:
    """The smallest files, and each next one that is not larger than all before it: log n merges an event."""
    ordered = sorted(some, key=lambda file: (file.rows, file.path))
    chosen, total = ordered[:least], sum(file.rows for file in ordered[:least])
    for file in islice(ordered, least, None):
        if file.rows > total:
            break
        chosen.append(file)
        total += file.rows
    return chosen


def expired(lake: Lake, rule: Rule, found: Iterable[File], again: NDArray[np.uint64]) -> frozenset[str]:
    """Files in which something is due today that no rewrite has done yet. `decay.offer` has made the tables.

    `again`: persons whose rows are looked at whatever was done, as those are whose hold has ended. The name
    of a file says up to which day all is done in it, and the catalog which days of receipt are in it: only
    what may be due is read, and of that only what decides.
    """
    due, since = rule.due, {}
    days = {day for one in due.schedule.values() for day in one.days()}
    for file in found:
        first, last = (datetime.fromtimestamp(at, UTC).date() for at in file.received)
        looked = purges.done(file.path)
        before = age(last, looked) if looked else -1
        if any(before < day <= age(first, due.today) for day in days):
            since[file.path] = looked
    run, over = lake.connection.execute, set[str]()
    if since:
        rows = run(
            "SELECT DISTINCT filename, coalesce(policy, ''), coalesce(because, ''), coalesce(purposes, 0),"
            " received::DATE"
            f" FROM lake.events WHERE filename IN ({_listed(since)})"
        ).fetchall()
        for path, policy, because, purposes, got in rows:
            looked = since[path]
            before = age(got, looked) if looked else -1
            ends = due.schedule[policy, because, purposes].days()
            if any(before < day <= age(got, due.today) for day in ends):
                over.add(path)
    if due.closed is not None and due.closed.num_rows:
        rows = run(
            "SELECT filename, max(changed), bool_or(purposes <> 0 OR days_old >= most)"
            f" FROM {judged('(SELECT *, filename FROM lake.events)', due)}"
            " WHERE state IS NOT NULL AND NOT held GROUP BY ALL"
        ).fetchall()
        over |= {path for path, changed, new in rows if new or (purges.done(path) or date.min) < changed}
    if len(again):
        hold(lake.connection, "looked_again", pa.table({"person": pa.array(again, pa.uint64())}))
        rows = run(
            "SELECT DISTINCT filename FROM lake.events SEMI JOIN looked_again USING (person)"
        ).fetchall()
        over |= {path for (path,) in rows}
    return frozenset(over)


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(f"'{quote(path)}'" for path in paths)


def rewrite(lake: Lake, group: Group, rule: Rule, folder: Place, name: str) -> list[tuple[str, int]]:
    """Write a group's rows anew: (file, rows) of each new file.

    Left out: rows whose time is over. Null, or coarser: what may not be kept as it was (`decay.py`).
    """
    due = rule.due
    decay.offer(lake.connection, due)
    facts = f"(SELECT * FROM lake.events WHERE filename IN ({_listed(group.paths)}))"
    query = (
        f"SELECT {decay.columns(due, rule.now, WINDOW)} FROM {judged(facts, due)} WHERE {decay.STAYS}"
        " ORDER BY day, person, time"
    )
    reader = lake.connection.execute(query).to_arrow_reader(ROW_GROUP)
    return save(reader, folder, name, purges.suffix(due.today))


def save(batches: pa.RecordBatchReader, folder: Place, name: str, suffix: str = "") -> list[tuple[str, int]]:
    """Write sorted facts to new files, as many as they need: (file, rows) of each, on the disk."""
    made: list[tuple[str, int]] = []
    more = True
    while more:
        file, rows = folder / f"{name}-{len(made)}{suffix}.parquet", 0
        more = False
        with new(file) as out, pq.ParquetWriter(out, EVENT, **FORMAT) as writer:
            for batch in batches:
                writer.write_table(pa.Table.from_batches([batch]).cast(EVENT), row_group_size=ROW_GROUP)
                rows += batch.num_rows
                if rows >= _MOST:
                    more = True
                    break
        if rows:
            made.append((str(file), rows))
        else:
            file.unlink()
    return made


def replace(
    lake: Lake,
    groups: Sequence[Group],
    made: Sequence[Sequence[tuple[str, int]]],
    what: Account,
    now: float,
) -> None:
    """Let new files stand for the old ones, and say what was taken away, in one transaction.

    Raises Broken, with nothing changed, where a row was lost on the way; Refused (409, `overtaken`) where
    another job has taken one of the files away.
    """
    old = [path for group in groups for path in group.paths]
    read, written = sum(group.rows for group in groups), sum(rows for one in made for _, rows in one)
    if read != written + what.over:
        raise Broken(f"read {read} facts, wrote {written}, {what.over} were over")
    if not old:
        return
    with lake.transaction():
        lake.stand(old)
        deleted = lake.connection.execute(
            f"DELETE FROM lake.events WHERE filename IN ({_listed(old)})"
        ).fetchall()
        if deleted != [(read,)]:
            raise Broken(f"{deleted} facts stand in files of {read}")
        lake.add([path for one in made for path, _ in one])
        purges.write(lake.connection, now, what.purged, what.marks)


def settle(lake: Lake) -> None:
    """Sum up the small tables: one row a count, a (site, day), a partition. Open the lake with inline=False.

    The same balance, offsets and touched days as before. Rows that wait in the catalog go to files first:
    deleting them there would only mark them.
    """
    for table, columns, sums in (
        (
            "received",
            "site, day, protocol, country, outcome, reason, detail, event, campaign",
            "sum(n)::BIGINT AS n",
        ),
        ("offsets", "log_partition", "max(position) AS position"),
        ("commits", "site, day", "max(number) AS number, sum(rows)::BIGINT AS rows"),
    ):
        lake.connection.execute(f"CALL ducklake_flush_inlined_data('lake', table_name => '{table}')")
        with lake.transaction():
            lake.connection.execute(
                f"CREATE OR REPLACE TEMP TABLE settled AS SELECT {columns}, {sums} FROM lake.{table}"
                " GROUP BY ALL ORDER BY ALL"
            )
            lake.connection.execute(f"DELETE FROM lake.{table}")
            lake.connection.execute(f"INSERT INTO lake.{table} BY NAME FROM settled")


def forget(lake: Lake, older_than: float) -> int:
    """Expire snapshots older than that (seconds since 1970), and delete the files that nothing names any
    more; how many.

    Snapshots are named one by one: where the catalog keeps times as text, as SQLite's does, `older_than`
    compares them with a text of another form, and expires all of that day (DuckLake 1.5.5).
    """
    old = lake.connection.execute(
        "SELECT snapshot_id FROM ducklake_snapshots('lake') WHERE epoch(snapshot_time) < ?"
        " AND snapshot_id < (SELECT id FROM ducklake_current_snapshot('lake') AS now(id)) ORDER BY ALL",
        [older_than],
    ).fetchall()
    if old:
        names = ", ".join(str(one) for (one,) in old)
        lake.connection.execute(f"CALL ducklake_expire_snapshots('lake', versions => [{names}])")
    gone = lake.connection.execute("CALL ducklake_cleanup_old_files('lake', cleanup_all => true)")
    return len(gone.fetchall())
