"""What more must be hidden where a table is one of many crossings of the same people.

A report's own folding sees to the totals of its first keys: of each country, of each country and device. But
whoever may ask has the totals of its other keys too: tablets of all countries, less the tablets of the
countries that are shown, are those that are hidden. So in each such line what is hidden is nobody or a group;
where it is fewer, the next smallest row of the line is hidden with it, of those that are no part by
themselves where there are any.
"""

from __future__ import annotations

from itertools import combinations

import duckdb
import pyarrow as pa

from warehouse import folding
from warehouse.report import OTHER, Report
from warehouse.restatement import HIDDEN, Guard
from warehouse.settings import Warehouse

_NODES = pa.schema([HIDDEN.field("level"), HIDDEN.field("node")])


class Crossing(Guard):
    """A guard for reports that are made in one bucket and asked for in every crossing."""

    def __init__(self, settings: Warehouse) -> None:
        none = Guard.none()
        super().__init__(none.away, none.hidden, none._before)
        self._settings = settings
        #: Report → what is hidden of it besides.
        self._beside: dict[str, pa.Table] = {}

    def fold(self, connection: duckdb.DuckDBPyConnection, report: Report, least: int) -> bool:
        """Find what more must be hidden, while `contributions` are of every row, and then fold the small ones
        (`folding.py`). Returns whether they were."""
        self._beside[report.name] = _NODES.empty_table()
        if not report.fold:
            return False
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE crossed AS SELECT {', '.join(report.keys)}, count(*) AS people,"
            f" people < {least:d} OR {_named(report)} AS hidden FROM contributions"
            f" GROUP BY {', '.join(report.keys)}"
        )
        self._beside[report.name] = self._lines(connection, report, least)
        return folding.fold(connection, report, least)

    def hide(
        self, connection: duckdb.DuckDBPyConnection, report: Report, whole: pa.Table, least: int
    ) -> pa.Table:
        """Whole rows (level, node) to be hidden besides the small ones, as `fold` has found them."""
        return self._beside.pop(report.name)

    def _lines(self, connection: duckdb.DuckDBPyConnection, report: Report, least: int) -> pa.Table:
        """Hide in `crossed` what more must be, and return it.

        Whose rows are hidden in a line is counted only where it must be: not where no row of it is shown, nor
        where one hidden row is a group by itself, or so many places in rows are no group or surely one."""
        last, keys, part = len(report.levels) - 1, ", ".join(report.keys), ", ".join(report.levels[-2])
        # Nobody is in more rows of a group than the cap says, and "(other)".
        most = least * (report.cells(self._settings) + 1)
        for line in _lines(report):
            by = ", ".join((*report.within, *line))
            # Statements of their own: as one, DuckDB takes five times as long.
            if not _made(
                connection, "doubtful",
                f"SELECT {by}, sum(people) FILTER (hidden) AS places FROM crossed"
                f" SEMI JOIN (SELECT DISTINCT {by} FROM crossed WHERE NOT hidden) USING ({by}) GROUP BY {by}"
                f" HAVING places < {most:d} AND max(people) FILTER (hidden) < {least:d}",
            ) or not _made(
                connection, "few",
                f"SELECT {by} FROM doubtful WHERE places < {least:d} UNION ALL SELECT {by} FROM contributions"
                f" SEMI JOIN (SELECT {keys} FROM crossed SEMI JOIN (FROM doubtful WHERE places >= {least:d})"
                f" USING ({by}) WHERE hidden) USING ({keys}) GROUP BY {by}"
                f" HAVING count(DISTINCT person) < {least:d}",
            ):  # fmt: skip
                continue
            # Not one that is a part by itself, if there is another: the total of the part would be it.
            connection.execute(
                "UPDATE crossed SET hidden = true WHERE rowid IN"
                f" (SELECT min(struct_pack(alone, people, {keys}, place := crossed.rowid)).place FROM crossed"
                f" SEMI JOIN few USING ({by}) JOIN (SELECT {part}, count(*) = 1 AS alone FROM crossed"
                f" GROUP BY {part}) USING ({part}) WHERE NOT hidden GROUP BY {by})"
            )
        return (
            connection.sql(
                f"SELECT {last}::BIGINT AS level, {report.node(last)} AS node FROM crossed"
                f" WHERE hidden AND people >= {least:d} AND NOT ({_named(report)})"
            )
            .to_arrow_table()
            .cast(_NODES)
        )


def _made(connection: duckdb.DuckDBPyConnection, name: str, rows: str) -> int:
    """Make a table of what a query gives; of how many rows it is."""
    made = connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {rows}").fetchone()
    assert made is not None
    return int(made[0])


def _named(report: Report) -> str:
    """Whether a row is called "(other)" by a key of it, as SQL."""
    return " OR ".join(f"{key} = '{OTHER}'" for key in report.fold)


def _lines(report: Report) -> list[tuple[str, ...]]:
    """The keys of totals that whoever asks has, and that are none of the report's own levels."""
    own = {report.fold[:n] for n in range(len(report.fold) + 1)}
    sizes = range(1, len(report.fold))
    return [one for n in sizes for one in combinations(report.fold, n) if one not in own]
