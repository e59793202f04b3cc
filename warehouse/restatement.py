"""What may be shown anew of a table that people have left: no row whose change is of a few.

A row that is shown before and after tells who has gone from it: so it is shown again where nobody has, or a
group. Rows that may not be are hidden for good, and together: what is hidden, a total less the rows that are
shown, changes as well, and by a group. Where the rows of a part that changed are all hidden, that is the
change of the part, which is a group itself or hidden in turn.

Rows and parts are found by the counts that `departures.py` keeps: how many have left each. No person is in
them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.relations import lent
from warehouse.report import Report

#: How many have left a part of a report; parts that stay hidden; parts hidden now.
AWAY = pa.schema([("report", pa.string()), ("level", pa.int64()), ("node", pa.string()), ("n", pa.int64())])
HIDDEN = pa.schema([("report", pa.string()), ("level", pa.int64()), ("node", pa.string())])
_SEPARATOR = "\x1f"


class Verdict(NamedTuple):
    """Of one group of a report that people have left: whether all its rows, and whether it may be shown."""

    report: str
    group: str
    bare: bool
    whole: bool


class Guard:
    """What the reports of one run must mind. `before`: a folder with the rows that were released before.
    `back`: groups to which people have come back, so that more people are not others who came. `moved`:
    by how much released numbers of people may differ from what was counted."""

    def __init__(self, away: pa.Table, hidden: pa.Table, before: Path, back: Collection[str] = ()) -> None:
        self.away, self.hidden, self._before, self._back = away, hidden, before, set(back)
        self.moved = 0
        self.verdicts: list[Verdict] = []
        self.found: list[pa.Table] = []

    @classmethod
    def none(cls) -> Guard:
        """Where nobody has left."""
        return cls(AWAY.empty_table(), HIDDEN.empty_table(), Path())

    def write(self, room: Path, label: str) -> None:
        """Say to the run what was found."""
        if self.verdicts:
            rows = pa.Table.from_pylist([one._asdict() for one in self.verdicts])
            pq.write_table(rows, room / f"{label}.verdicts")
        if self.found:
            pq.write_table(pa.concat_tables(self.found), room / f"{label}.found")

    def minds(self, report: Report) -> bool:
        """Whether somebody has left that report, or a part of it is not to be shown."""
        names = pa.array([*counted_as(report), report.name])
        return any(pc.any(pc.is_in(rows["report"], names)).as_py() for rows in (self.away, self.hidden))

    def fold(self, connection: duckdb.DuckDBPyConnection, report: Report, least: int) -> bool:
        """Put small rows of `contributions` together before they are counted; whether it did. Only where
        every row is there: in one bucket, and not where it is counted how many are hidden why."""
        return False

    def hide(
        self, connection: duckdb.DuckDBPyConnection, report: Report, whole: pa.Table, least: int
    ) -> pa.Table:
        """Parts of a report (level, node) that may not be shown, given its counted cells, which are the table
        `whole`, too. Level 0: nothing of the group may."""
        away = [self.away.filter(pc.equal(self.away["report"], name)) for name in counted_as(report)]
        stays = self.hidden.filter(pc.equal(self.hidden["report"], report.name)).select(["level", "node"])
        if not any(mine.num_rows for mine in away):
            return stays
        changes: dict[tuple[int, str], int] = {}
        for side, mine in zip(report.groups, away, strict=True):
            # A change is of as few as of the side that fewer have left, of those that anybody has.
            for at, n in self._changes(connection, report, whole, mine, side).items():
                changes[at] = min(n, changes.get(at, n))
        kept = set(zip(*stays.to_pydict().values(), strict=True))
        new = sorted(self._few(report, changes, kept, least) - kept)
        table = pa.table(
            {"level": pa.array([level for level, _ in new], pa.int64()), "node": [node for _, node in new]},
            schema=stays.schema,
        )
        self.found.append(table.add_column(0, "report", pa.array([report.name] * len(new), pa.string())))
        return pa.concat_tables([stays, table])

    def _changes(
        self,
        connection: duckdb.DuckDBPyConnection,
        report: Report,
        whole: pa.Table,
        mine: pa.Table,
        side: str,
    ) -> dict[tuple[int, str], int]:
        """Part → at least how many its change is of: who has left, and of a row also who has come."""
        last = len(report.levels) - 1
        file = self._before / f"{report.name}@before.parquet"
        old = pq.read_table(file) if file.exists() else whole.slice(0, 0)
        with lent(connection, who_left=mine, old=old):
            rows = connection.execute(
                f"SELECT level, m.node, n, CASE WHEN o.{side} IS NULL THEN n ELSE"
                f" greatest(n, coalesce(w.{side}, 0) - o.{side} - {self.moved:d} + 2 * n) END FROM who_left m"
                f" LEFT JOIN (SELECT {last} AS level, {report.node(last)} AS node, {side} FROM old) o"
                " USING (level, node)"
                f" LEFT JOIN (SELECT level, {report.node(last)} AS node, {side} FROM whole"
                f" WHERE level = {last}) w USING (level, node)"
            ).fetchall()
        back = {node for _, node, _, _ in rows if _group(report, node) in self._back}
        found = {(level, node): n if node in back else change for level, node, n, change in rows}
        for level in range(last, 0, -1):
            for (at, node), change in list(found.items()):
                if at == level:
                    above = level - 1, _above(report, level, node)
                    found[above] = max(found.get(above, 0), change)
        return found

    def _few(
        self,
        report: Report,
        changes: dict[tuple[int, str], int],
        kept: set[tuple[int, str]],
        least: int,
    ) -> set[tuple[int, str]]:
        out = {(0, node) for (level, node), n in changes.items() if level == 0 and n < least}
        for level in range(1, len(report.levels)):
            parts = defaultdict(list)
            for (at, node), n in changes.items():
                if at == level:
                    parts[_above(report, level, node)].append((n, node))
            for changed in parts.values():
                hide = {one for one in changed if one[0] < least or (level, one[1]) in kept}
                if hide and not report.nested and max(hide)[0] < least:
                    hide |= set(sorted(set(changed) - hide)[:1])
                out |= {(level, node) for _, node in hide}
        if report.nested:
            out |= _apart(report, changes, least)
        self._judge(report, changes, out)
        return out

    def _judge(self, report: Report, changes: dict[tuple[int, str], int], out: set[tuple[int, str]]) -> None:
        touched = {_group(report, node) for _, node in out}
        for level, node in changes:
            if level == 0:
                self.verdicts.append(Verdict(report.name, node, node not in touched, (0, node) not in out))


def _apart(report: Report, changes: dict[tuple[int, str], int], least: int) -> set[tuple[int, str]]:
    """Rows that contain each other: also who has left one and not the other must be nobody or a group."""
    groups = defaultdict(list)
    out = set[tuple[int, str]]()
    for (level, node), n in changes.items():
        if level == 1:
            groups[_above(report, 1, node)].append((_place(report, node), n, node))
    for group in groups.values():
        around: int | None = None
        for _, n, node in sorted(group):
            if n < least or (around is not None and 0 < abs(around - n) < least):
                out.add((1, node))
            elif around is None or report.nested == "previous":
                around = n
    return out


def counted_as(report: Report) -> tuple[str, ...]:
    """The names under which it is kept who has left a report: one for each side."""
    return tuple(report.name if side == "people" else f"{report.name}/{side}" for side in report.groups)


def _group(report: Report, node: str) -> str:
    """The group that a part is in."""
    return _SEPARATOR.join(node.split(_SEPARATOR)[: len(report.within)])


def _above(report: Report, level: int, node: str) -> str:
    """The part that a part is in."""
    return _SEPARATOR.join(node.split(_SEPARATOR)[: len(report.levels[level - 1])])


def _place(report: Report, node: str) -> int:
    """Where a row that is contained stands in its group: the number of a step or of a week."""
    return int(node.split(_SEPARATOR)[len(report.within)])
