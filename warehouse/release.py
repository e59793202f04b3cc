"""Disclosure: counted cells become a table that names nobody.

1. Nobody counts in more rows of a group, or adds more to a number of a row, than the report's caps say
   (`cells.py`), before rows are folded: "(other)" is as many rows as went into it.
2. A row is about `min_group` people at least, on each side that its events have. Smaller ones are hidden:
   folded into one row "(other)" where the report says which keys to fold, else left out. Keys are folded from
   the coarsest to the finest: a small country first, then small parts of the countries that remain, so that
   no total that another report publishes can be taken apart.
3. What is hidden together is about `min_group` people at least, counted exactly: else the next smallest row
   is hidden with it (complementary suppression), since a total less the visible rows is the hidden ones.
   Where that can't be had the whole group is left out. One more row is always enough, being a group itself.
   So it is where a row of many people, hidden for the sake of others, would be alone in "(other)": that
   would be the row itself.
4. Rows that contain each other (steps, cohorts) are shown if the difference between them is a group, too.
5. What people have left is shown again only where its change is a group's (`restatement.py`).
6. Nobody is more than a tenth of a number of a row (`dominance.py`).
7. Numbers are moved by the row's cell key (`perturbation.py`). What leaves the house has noise of its own.

That 2 and 3 have hidden what they should is looked at once more by other means: `audit.py`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from consent_filter.errors import Broken
from warehouse import audit, dominance, effects
from warehouse.perturbation import bound, perturb
from warehouse.relations import hold, lent
from warehouse.report import OTHER, Report
from warehouse.restatement import HIDDEN
from warehouse.settings import Warehouse

#: From so many marks on it takes longer to count what is inside of a small part than to find that it is.
_MANY = 5_000


class Released(NamedTuple):
    """A table fit to be read by anyone who may read reports, and what was done to make it so: in words, and
    how much of it (`effects.EFFECTS`); and what is hidden, for the audit alone."""

    table: pa.Table
    explanation: str
    effects: pa.Table
    hidden: audit.Hidden | None


def mark(
    connection: duckdb.DuckDBPyConnection,
    report: Report,
    whole: pa.Table,
    settings: Warehouse,
    hidden: pa.Table = HIDDEN.empty_table(),  # noqa: B008
) -> pa.Table:
    """Rows to look at again: the small ones of each part, and the next smallest where there are any.

    `hidden`: parts (level, node) that are not to be shown however large they are (`restatement.py`).
    Columns: level, the report's keys (finer ones null), `small`, and `few`: whether it is so by itself, being
    of too few people or of what the cap has put there. Where there are any, they are the table `marks`, too.
    """
    least = report.least(settings.min_group)
    some = _any_small(report, whole, least) or hidden.num_rows
    if not some or report.nested or not _last(report):
        none = whole.select(["level", *report.keys]).slice(0, 0)
        for name in ("small", "few"):
            none = none.append_column(name, pa.nulls(0, pa.bool_()))
        return none
    keys = ", ".join(report.levels[-1])
    small = few = _few(report, least)
    if hidden.num_rows:
        nodes = " ".join(f"WHEN {level} THEN {report.node(level)}" for level in range(1, _last(report) + 1))
        small += f" OR (level, CASE level {nodes} END) IN (SELECT (level, node) FROM hidden)"
    part = ", ".join(f"{said} AS {key}" for key, said in _part(report, "level").items())
    with _lent(connection, hidden):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE marks AS"
            f" WITH rows AS (SELECT level, {keys}, {_size(report)} AS people, {small} AS small, {few} AS few"
            f" FROM whole WHERE level > 0), next AS (SELECT level, {part}, bool_or(small) AS any_small,"
            " count(*) FILTER (small) = 1 AND NOT bool_or(few) AS alone,"
            f" min(struct_pack(people, {keys})) FILTER (NOT small) AS smallest FROM rows GROUP BY ALL)"
            f" SELECT level, {keys}, true AS small, few FROM rows WHERE small UNION ALL BY NAME SELECT level,"
            f" {', '.join(f'smallest.{key}' for key in report.levels[-1])},"
            " alone AS small, false AS few FROM next WHERE any_small AND smallest IS NOT NULL"
        )
    found = connection.sql("FROM marks").to_arrow_table()
    return found if found.num_rows < _MANY else _outermost(connection, report)


@contextmanager
def _lent(connection: duckdb.DuckDBPyConnection, hidden: pa.Table) -> Iterator[None]:
    """Let SQL read what is hidden, where anything is."""
    with lent(connection, **({"hidden": hidden} if hidden.num_rows else {})):
        yield


def _outermost(connection: duckdb.DuckDBPyConnection, report: Report) -> pa.Table:
    """Marks without those inside of a part that is small: its rows are hidden there, whatever they are."""
    within = ""
    for level in range(1, _last(report)):
        *coarser, key = report.levels[level]  # a part is not inside of itself
        same = [f"m.{one} = s{level}.{one}" for one in coarser]
        same.append(f"CASE WHEN m.level > {level} THEN m.{key} END = s{level}.{key}")
        small = f"(SELECT {', '.join((*coarser, key))} FROM marks WHERE level = {level} AND small)"
        within += f" ANTI JOIN {small} s{level} ON {' AND '.join(same)}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE marks AS SELECT m.* FROM marks m{within}")
    return connection.sql("FROM marks").to_arrow_table()


def _part(report: Report, level: str, of: str = "") -> dict[str, str]:
    """The keys of the part that a row of a level is in, finer ones null, as SQL by their names. One query is
    for all levels, since planning one for each takes longer than running it."""
    finer = enumerate(report.fold[:-1], 1)
    return {key: f"{of}{key}" for key in report.within} | {
        key: f"CASE WHEN {level} > {place} THEN {of}{key} END" for place, key in finer
    }


def _few(report: Report, least: int) -> str:
    """Whether a row is hidden by itself: of too few people, or what the cap has put there, or a visitor has
    called so; as SQL."""
    few = f"{_size(report)} < {least:d}"
    if report.fold:
        ends = " ".join(f"WHEN {level} THEN {key}" for level, key in enumerate(report.fold, 1))
        few += f" OR CASE level {ends} END = '{OTHER}'"
    return few


def _size(report: Report, of: str = "") -> str:
    """How many people a row is about, of the side that has fewer; as SQL."""
    return f"least({of}people, {of}others)" if report.two else f"{of}people"


def _any_small(report: Report, whole: pa.Table, k: int) -> bool:
    rows = whole.filter(pc.equal(whole["level"], _last(report)))
    if any(rows[key].null_count for key in report.keys):
        raise Broken(f"the report {report.name} has a row without a name: coalesce every key in its SQL")
    sides = ("people", "others") if report.two else ("people",)
    return bool(
        (whole.num_rows and any(pc.min(whole[side]).as_py() < k for side in sides))
        or any(pc.any(pc.equal(whole[key], OTHER)).as_py() for key in report.fold)
    )


def _last(report: Report) -> int:
    """The level of whole rows."""
    return len(report.levels) - 1


def release(
    connection: duckdb.DuckDBPyConnection,
    report: Report,
    whole: pa.Table,
    levels: Collection[int],
    settings: Warehouse,
    *,
    tops: bool = False,
    moves: bool = False,
    hidden: pa.Table = HIDDEN.empty_table(),  # noqa: B008
    folded: bool = False,
) -> Released:
    """Columns: the report's keys, `people` (and `others`) if it has any, its sums; sorted.

    Inputs are of all buckets: the tables `whole` of `cells.partial` (as Arrow, too), `marks` and `looked` of
    `cells.look`, where there are any (`levels`: of which), `tops` of `cells.tops`, where that is so. `moves`:
    perturb, by the record keys that the cells were counted with. `folded`: some rows are of several that were
    put together (`folding.py`).
    """
    k = report.least(settings.min_group)
    inner = [f"_{name}" for name in (*report.groups, *report.sums)] if report.people else []
    shown = ", ".join([*report.keys, *(report.groups or ("people",)), *report.sums, *inner])
    connection.execute(_leaves(report, k, sorted(levels), folded=folded))
    queries = [f"SELECT {shown} FROM leaves WHERE depth = 0 AND {_size(report)} >= {k:d}"]
    if report.people:
        of, join = (
            ("t._{0}", f" LEFT JOIN tops t USING ({', '.join(report.keys)})")
            if tops
            else ("NULL::BIGINT[]", "")
        )
        lists = ", ".join(f"{of.format(name)} AS top_{name}" for name in report.sums)
        queries = [f"SELECT w.*, {lists} FROM ({queries[0]}) w{join}"]
    if report.fold and levels:
        queries.append(_other(report, k))
    with _lent(connection, hidden):
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE shown AS"
            f" FROM ({' UNION ALL BY NAME '.join(queries)}){_seen(report) if hidden.num_rows else ''}"
        )
    table = connection.sql(f"FROM shown ORDER BY {', '.join(report.keys)}").to_arrow_table()
    if report.nested:
        every = table
        table = _nested(report, table, k)
        table = _beside(report, table, whole, k) if report.beside else table
        if table.num_rows < every.num_rows:
            hold(connection, "shown", table)
    done = effects.hidden(connection, report, hidden, k)
    suppressed = audit.gather(connection, report) if _hides(done) and not report.nested else None
    if report.people:
        table, took = dominance.cut(report, table, settings.equals)
        done = pa.concat_tables([done, effects.dominance(report, table, took)])
        if moves:
            table = perturb(report, table, bound(settings.min_group), k)
    table = table.select([*report.keys, *report.groups, *report.sums])
    return Released(table, explain(report, settings), done, suppressed)


def nothing(report: Report, whole: pa.Table, settings: Warehouse) -> Released:
    """What `release` makes of no rows, of whom nobody has left."""
    table = whole.select([*report.keys, *report.groups, *report.sums])
    return Released(table, explain(report, settings), effects.EFFECTS.empty_table(), None)


def _hides(done: pa.Table) -> bool:
    """Whether any row of a report is hidden."""
    return bool(pc.any(pc.not_equal(done["what"], "shown")).as_py())


def _seen(report: Report) -> str:
    """Rows of no group that is hidden whole; where rows contain each other, of no row that is; as SQL."""
    levels = {0, _last(report)} if report.nested else {0}
    return " WHERE " + " AND ".join(
        f"{report.node(level)} NOT IN (SELECT node FROM hidden WHERE level = {level})" for level in levels
    )


def _leaves(report: Report, k: int, levels: Sequence[int], *, folded: bool = False) -> str:
    """Every row, with the level at which it is hidden: 0 where it may be seen. `levels`: those with marks.
    cells: of how many rows it is; named: whether all are called "(other)"."""
    make, rows = "CREATE OR REPLACE TEMP TABLE leaves AS", f"FROM whole WHERE level = {_last(report)}"
    named = " OR ".join(f"{key} = '{OTHER}'" for key in report.fold) or "false"
    if folded:
        rows = (
            f"FROM (SELECT whole.* REPLACE (coalesce(places, people) AS people), coalesce(cells, 1) AS cells,"
            f" coalesce(named, {named}) AS named FROM whole LEFT JOIN folded USING ({', '.join(report.keys)})"
            f" WHERE level = {_last(report)})"
        )
    else:
        rows = f"FROM (SELECT *, 1 AS cells, {named} AS named {rows})"
    if not levels:
        return f"{make} SELECT *, 0 AS depth {rows}"
    same, last = _same(report, _part(report, "m.level", "m."), "l"), _last(report)
    # Of whole rows that are hidden by themselves, which are most of a long list, that need not be looked up.
    joins = "".join(
        f" LEFT JOIN (SELECT {', '.join(report.levels[level])}, true AS hidden{level} FROM hides"
        f" WHERE level = {level}) USING ({', '.join(report.levels[level])})"
        for level in levels
    )
    cases = " ".join(f"WHEN hidden{level} THEN {level}" for level in levels)
    cases += f" WHEN {_few(report, k)} THEN {last}"
    return (
        f"{make} WITH hides AS MATERIALIZED (SELECT m.* FROM marks m"
        f" JOIN looked l ON m.level = l.level AND NOT l.more AND {same}"
        f" WHERE (m.small OR {_size(report, 'l.')} < {k:d}) AND NOT (m.few AND m.level = {last}))"
        f" SELECT *, CASE {cases} ELSE 0 END AS depth FROM ({rows}){joins}"
    )


def _other(report: Report, k: int) -> str:
    """The rows that stand for what is hidden at a level, one for each part of the level before: of the small
    rows alone where they are a group, else with the next smallest."""
    part = _part(report, "depth")
    names = ", ".join(
        f"coalesce(l.{key}::VARCHAR, '{OTHER}') AS {key}" if key in report.fold else f"l.{key}"
        for key in report.keys
    )
    numbers = [*(report.groups or ("people",)), *report.sums]
    if report.people:
        numbers += [f"_{side}" for side in report.groups]
        numbers += [f"coalesce(_{name}[1], 0) AS _{name}, _{name} AS top_{name}" for name in report.sums]
    above = ", ".join(f"{said} AS {key}" for key, said in part.items())
    return (
        f"SELECT {names}, {', '.join(numbers)} FROM (SELECT *, max({_size(report)}) FILTER (NOT more) OVER"
        f" (PARTITION BY level, {', '.join(part)}) >= {k:d} AS enough FROM looked) l SEMI JOIN"
        f" (SELECT depth AS level, {above} FROM leaves WHERE depth > 0) p"
        f" ON l.level = p.level AND {_same(report, {key: f'p.{key}' for key in part}, 'l')}"
        f" WHERE more <> enough AND {_size(report)} >= {k:d}"
    )


def _same(report: Report, part: Mapping[str, str], other: str) -> str:
    """Whether that is the part of a row of `looked`, where a column that is null throughout has no type."""
    return " AND ".join(
        f"{said} IS NOT DISTINCT FROM {other}.{key}{'::VARCHAR' if key in report.fold else ''}"
        for key, said in part.items()
    )


def _nested(report: Report, table: pa.Table, least: int) -> pa.Table:
    """Rows of a group whose people are part of the row before (or of the first): by whole groups only."""
    kept: list[int] = []
    rows: list[dict[str, Any]] = table.select([*report.keys, *report.groups]).to_pylist()
    by = lambda i: tuple(rows[i][key] for key in report.within)  # noqa: E731
    order = sorted(range(len(rows)), key=lambda i: (*by(i), *(rows[i][key] for key in report.rest)))
    for _, group in groupby(order, key=by):
        around: tuple[int, ...] | None = None
        for i in group:
            people = tuple(rows[i][side] for side in report.groups)
            if around is None or all(a == n or a - n >= least for a, n in zip(around, people, strict=True)):
                kept.append(i)
                if around is None or report.nested == "previous":
                    around = people
    return table.take(pa.array(sorted(kept), pa.int64()))


def _beside(report: Report, table: pa.Table, whole: pa.Table, least: int) -> pa.Table:
    """Without the smallest groups, until the first rows of those that are left out are nobody, or a group."""
    firsts: dict[tuple[Any, ...], int] = {}
    every = whole.filter(pc.equal(whole["level"], _last(report))).select([*report.keys, "people"])
    of = lambda row: tuple(row[key] for key in report.within)  # noqa: E731
    for row in sorted(every.to_pylist(), key=lambda row: tuple(row[key] for key in report.rest)):
        firsts.setdefault(of(row), row["people"])
    groups = [of(row) for row in table.select(report.within).to_pylist()]
    shown, parts = {*groups}, defaultdict[tuple[Any, ...], list[tuple[int, tuple[Any, ...]]]](list)
    for group, people in firsts.items():
        parts[group[: len(report.beside)]].append((people, group))
    for several in parts.values():
        left = sum(people for people, group in several if group not in shown)
        for people, group in sorted(one for one in several if one[1] in shown):
            if left == 0 or left >= least:
                break
            shown.remove(group)
            left += people
    return table.filter(pa.array([group in shown for group in groups], pa.bool_()))


def explain(report: Report, settings: Warehouse) -> str:
    """What `release` does to a report, in words that its readers see. The same whatever the data are."""
    least = report.least(settings.min_group)
    if not report.people:
        words = [f"counts of requests; each row is about at least {least}"]
    elif report.two:
        words = [f"each row is about at least {least} people of each side"]
    else:
        words = [f"each row is about at least {least} people"]
    if report.fold:
        words.append(
            f"smaller ones are folded into {OTHER}, with the next smallest where they would be too few"
        )
    elif report.nested:
        words.append("smaller ones are left out, and those that differ from a row around them by fewer")
        if report.beside:
            words.append("with the smallest beside them where they would be too few")
    elif report.rest:
        words.append("smaller ones are left out, with the next smallest where they would be too few")
    else:
        words.append("smaller ones are left out")
    if not report.people:
        return "; ".join(words)
    if report.rest:
        words.append(f"nobody counts in more than {report.cells(settings)} rows of a group")
    unfolded = " before rows are folded" if report.fold else ""
    most = ", ".join(f"{_amount(name, report.most(name, settings))} {name}" for name in report.sums)
    words.append(f"nobody adds more to a row than {most}{unfolded}")
    if settings.equals > 1:
        words.append(
            f"nobody is more than {share(settings.equals)} of a number, which is 0 where fewer than"
            f" {settings.equals} people added to it"
        )
    return "; ".join(words)


def method(report: Report, settings: Warehouse) -> str:
    """How exact a report's numbers are, in one sentence."""
    most = bound(settings.min_group) if settings.perturb and report.people else 0
    if report.name == "growth" and most:
        return f"numbers are sums of days, of which each was moved at random, people by at most {most}"
    if not most:
        return "numbers are exact"
    return (
        f"numbers are moved at random, people by at most {most} and each other number by at most what one"
        " person adds to it, always in the same way for the same people, and a total by itself, so that parts"
        " may not add up to it"
    )


def share(equals: int) -> str:
    """The most that one person may be of a number, in words."""
    return {2: "half", 3: "a third", 4: "a quarter", 10: "a tenth"}.get(equals, f"1/{equals}")


def _amount(name: str, most: int) -> str:
    return f"{most / 3_600_000:,g} hours of" if name.endswith("_ms") else f"{most:,}"
