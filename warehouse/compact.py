"""Looking after files of facts: few, large, sorted, and without anything whose time is over.

An event is *open* while a retry of it may come; its id is nulled afterwards (`Field.keep`). Open files are
merged within a day and a quarter day of receipt, so that a file's ids end together, at most six hours late;
files without ids are merged within a month, smallest first, until they are large.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from consent_filter.errors import Broken
from consent_filter.fields import BY_NAME, EVENT, FACTS
from warehouse.extensions import quote, transaction
from warehouse.facts import FORMAT, ROW_GROUP, sync
from warehouse.lake import Lake
from warehouse.recent import WINDOW

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
    """When what happens. `keep`: days that facts are kept, by the `policy` of the row; others FACTS.

    open_files: small files of one day and quarter above which they are merged. file_rows: rows from which on
    a closed file is left alone.
    """

    now: float
    keep: Mapping[str, int]
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
    room = lake.folder / "files" / "main" / "events"
    return [
        File(str(room / path) if relative else path, n, (first, last), (begin, end), ids)
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


def expired(lake: Lake, rule: Rule) -> frozenset[str]:
    """Files with rows whose time is over within a day: then they are rewritten once a day, and never late."""
    (oldest, rows) = _limits(rule._replace(now=rule.now + _DAY))
    found = lake.connection.execute(
        f"SELECT DISTINCT filename FROM lake.events WHERE received < {oldest} AND NOT {rows}"
    )
    return frozenset(path for (path,) in found.fetchall())


def _limits(rule: Rule) -> tuple[str, str]:
    """SQL: the time before which rows of some policy are over; and whether a row may stay."""

    def before(days: float) -> str:
        return f"make_timestamp({round((rule.now - days * _DAY) * 1e6)})"

    longest = FACTS.days
    keep = {policy: min(days, longest) for policy, days in rule.keep.items()}
    cases = "".join(f" WHEN '{quote(name)}' THEN {before(days)}" for name, days in sorted(keep.items()))
    limit = f"CASE policy{cases} ELSE {before(longest)} END" if cases else before(longest)
    return before(min([longest, *keep.values()])), f"(received >= {limit})"


def rewrite(lake: Lake, group: Group, rule: Rule, folder: Path, name: str) -> list[tuple[str, int]]:
    """Write a group's rows anew: (file, rows) of each new file.

    Left out: rows whose time is over. Nulled: values of fields that are kept for less (`Field.keep`).
    """
    _, stays = _limits(rule._replace(now=rule.now + _DAY))
    paths = ", ".join(f"'{quote(path)}'" for path in group.paths)
    query = (
        f"SELECT {', '.join(_column(field.name, rule.now) for field in EVENT)} FROM lake.events"
        f" WHERE filename IN ({paths}) AND {stays} ORDER BY day, person, time"
    )
    return save(lake.connection.execute(query).to_arrow_reader(ROW_GROUP), folder, name)


def save(batches: pa.RecordBatchReader, folder: Path, name: str) -> list[tuple[str, int]]:
    """Write sorted facts to new files, as many as they need: (file, rows) of each, on the disk."""
    made: list[tuple[str, int]] = []
    more = True
    while more:
        file, rows = folder / f"{name}-{len(made)}.parquet", 0
        more = False
        with open(file, "xb") as out:
            with pq.ParquetWriter(out, EVENT, **FORMAT) as writer:
                for batch in batches:
                    writer.write_table(pa.Table.from_batches([batch]).cast(EVENT), row_group_size=ROW_GROUP)
                    rows += batch.num_rows
                    if rows >= _MOST:
                        more = True
                        break
            sync(out.fileno())
        if rows:
            made.append((str(file), rows))
        else:
            file.unlink()
    return made


def _column(name: str, now: float) -> str:
    keep = BY_NAME[name].keep
    if keep is None or keep >= FACTS:
        return name
    over = now - max(keep, WINDOW).total_seconds()
    return f"CASE WHEN received >= make_timestamp({round(over * 1e6)}) THEN {name} END AS {name}"


def replace(
    lake: Lake, groups: Sequence[Group], made: Sequence[Sequence[tuple[str, int]]], over: int
) -> None:
    """Let new files stand for the old ones, in one transaction. `over`: rows left out because of their age.

    Raises Broken, with nothing changed, where a row was lost on the way.
    """
    old = [path for group in groups for path in group.paths]
    read, written = sum(group.rows for group in groups), sum(rows for one in made for _, rows in one)
    if read != written + over:
        raise Broken(f"read {read} facts, wrote {written}, {over} were over")
    if not old:
        return
    with transaction(lake.connection):
        names = ", ".join(f"'{quote(path)}'" for path in old)
        deleted = lake.connection.execute(f"DELETE FROM lake.events WHERE filename IN ({names})").fetchall()
        if deleted != [(read,)]:
            raise Broken(f"{deleted} facts stand in files of {read}")
        lake.add([Path(path) for one in made for path, _ in one])


def over(lake: Lake, groups: Sequence[Group], rule: Rule) -> int:
    """How many rows of these groups are left out by `rewrite`."""
    oldest, stays = _limits(rule._replace(now=rule.now + _DAY))
    paths = ", ".join(f"'{quote(path)}'" for group in groups for path in group.paths)
    if not paths:
        return 0
    found = lake.connection.execute(
        f"SELECT count(*) FROM lake.events"
        f" WHERE filename IN ({paths}) AND received < {oldest} AND NOT {stays}"
    ).fetchone()
    return int(found[0]) if found else 0


def settle(lake: Lake) -> None:
    """Sum up the small tables: one row a count, a (site, day), a partition. Open the lake with inline=False.

    The same balance, offsets and touched days as before. Rows that wait in the catalog go to files first:
    deleting them there would only mark them.
    """
    for table, columns, sums in (
        ("received", "site, day, protocol, country, outcome, reason, detail", "sum(n)::BIGINT AS n"),
        ("offsets", "log_partition", "max(position) AS position"),
        ("commits", "site, day", "max(number) AS number, sum(rows)::BIGINT AS rows"),
    ):
        lake.connection.execute(f"CALL ducklake_flush_inlined_data('lake', table_name => '{table}')")
        with transaction(lake.connection):
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
