"""The release of 100,000 rows: hidden, limited, perturbed, audited; and how far the numbers are off then.

Against the same rows counted and sorted out by size alone, as one would without minding anybody.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import duckdb
import msgspec
import numpy as np
import pandas as pd
from cell_key_perturbation.create_perturbed_table import create_perturbed_table

from benchmarks.line import emit
from warehouse import report as reports
from warehouse.build import build
from warehouse.perturbation import BOUND, ptable
from warehouse.recordkeys import MANY, RecordKeys
from warehouse.relations import Bucket
from warehouse.report import Report
from warehouse.settings import Warehouse

ROWS, PEOPLE = 100_000, 3_000_000
KEYS = RecordKeys(17, 4711)
_PAGES = """
SELECT 'market' AS site, DATE '2026-09-01' + (n % 100)::INT AS day,
    '/p' || (power(random(), 4) * {paths})::INT AS path, hash(n // 3) AS person,
    1 + (exp(random() * 2.5))::BIGINT AS views, (exp(random() * 6) * 1000)::BIGINT AS duration_ms,
    0::BIGINT AS scrolled, 0::BIGINT AS scrolls FROM range({people}) r(n)
"""


class Given:
    """Contributions that are there already: counting them is not what is measured."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, rows: int, people: int) -> None:
        self._con = connection
        made = _PAGES.format(paths=rows // 100, people=people)
        connection.execute(f"CREATE TEMP TABLE given AS SELECT site, day, path, person, sum(views) AS views,"
                           f" sum(duration_ms) AS duration_ms, 0 AS scrolled, 0 AS scrolls FROM ({made})"
                           " GROUP BY ALL")  # fmt: skip
        connection.execute("CREATE TEMP TABLE busy AS SELECT day, person, 0 AS n FROM given WHERE false")

    def move(self, bucket: Bucket, chosen: Sequence[Report]) -> None:
        """All of them are in one bucket."""

    def show(self, report: Report) -> None:
        """There is nothing else."""


def _timed(work: Callable[[], Any], times: int) -> tuple[float, Any]:
    took, made = [], None
    for _ in range(times):
        begun = time.perf_counter()
        made = work()
        took.append(time.perf_counter() - begun)
    return statistics.median(took), made


def main(*, small: bool = False) -> None:
    rows, people, times = (5_000, 150_000, 3) if small else (ROWS, PEOPLE, 3)
    con = duckdb.connect(config={"threads": 2})
    con.execute("SELECT setseed(0.5)")
    given = Given(con, rows, people)
    one = msgspec.structs.replace(reports.load()["pages"], sql="FROM given")
    plain = (
        "SELECT site, day, path, count(*) AS people, sum(views)::BIGINT AS views, sum(duration_ms)::BIGINT AS"
        " duration_ms FROM given GROUP BY ALL HAVING count(*) >= 10 ORDER BY ALL"
    )
    bare, _ = _timed(lambda: con.sql(plain).to_arrow_table(), times)
    cells = con.execute("SELECT count(DISTINCT (day, path)) FROM given").fetchall()[0][0]

    def made(keys: RecordKeys | None, **how: Any) -> Any:
        ((_, found),) = build(con, given, [one], Warehouse(**how), keys=keys, seen=[])
        return found.table

    hidden, exact = _timed(lambda: made(None, dominance=100), times)
    whole, moved = _timed(lambda: made(KEYS), times)
    emit("gate_counting", bare, "s", n=cells)
    emit("gate_hiding", hidden, "s", against="counting alone", ratio=hidden / bare, n=cells)
    emit("gate_all", whole, "s", against="hiding alone", ratio=whole / hidden, n=cells)
    before, after = exact.to_pandas(), moved.to_pandas()
    large = before["people"] >= (100 if small else 1000)
    for name in ("people", "views", "duration_ms"):
        off = ((after[name] - before[name]).abs() / before[name])[large]
        emit(
            f"gate_error_{name}", 100 * float(off.median()), "% of rows over 1,000 people", n=int(large.sum())
        )
    _folded(con, rows)
    _office(con)
    con.close()


class Folded(Given):
    """Contributions by the eight keys of `adverts`, of which nearly every row is folded, six levels deep."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, report: Report, rows: int) -> None:
        self._con = connection
        one = ", ".join(f"sum(1 + (exp(random() * 2))::BIGINT)::BIGINT AS {name}" for name in report.sums)
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE given AS SELECT 'market' AS site,"
            " DATE '2026-09-01' + (n % 30)::INT AS day, 'c' || (power(random(), 2) * 30)::INT AS ad_campaign,"
            " 'k' || (power(random(), 2) * 6)::INT AS ad_creative,"
            " 'p' || (power(random(), 2) * 8)::INT AS ad_placement, 'x' || c % 5 AS continent,"
            f" 'y' || c AS country, 'd' || (random() * 2)::INT AS device, hash(n // 3) AS person, {one}"
            f" FROM (SELECT n, (power(random(), 3) * 60)::INT AS c FROM range({rows}) r(n)) GROUP BY ALL"
        )


def _folded(con: duckdb.DuckDBPyConnection, rows: int) -> None:
    """Where nearly every row is too small: hiding alone, against counting the rows."""
    one = msgspec.structs.replace(reports.load()["adverts"], sql="FROM given")
    given = Folded(con, one, rows)
    sums = ", ".join(f"sum({name})::BIGINT AS {name}" for name in one.sums)
    plain = f"SELECT {', '.join(one.keys)}, count(*) AS people, {sums} FROM given GROUP BY ALL ORDER BY ALL"
    bare, _ = _timed(lambda: con.sql(plain).to_arrow_table(), 3)
    folded, _ = _timed(lambda: list(build(con, given, [one], Warehouse(), keys=KEYS, seen=[])), 3)
    emit("gate_folding", folded, "s", against="counting alone", ratio=folded / bare, n=rows)


def _office(con: duckdb.DuckDBPyConnection) -> None:
    """Perturbing alone, as the package of the UK's statistics office does it and as we do."""
    micro = con.sql(
        f"SELECT path, day, {KEYS.sql()} AS record_key FROM given WHERE path < '/p2' LIMIT 200_000"
    ).df()
    table = ptable(BOUND)
    pairs = [(n, key, int(table[min(n, BOUND), key])) for n in range(1, 751) for key in range(MANY)]
    theirs = pd.DataFrame(pairs, columns=["pcv", "ckey", "pvalue"])
    office, _ = _timed(
        lambda: create_perturbed_table(micro, theirs, ["path"], ["day"], "record_key", threshold=0), 1
    )
    con.register("micro", micro)

    def mine() -> Any:
        found = con.sql(
            "SELECT path, day, count(*) AS people, sum(record_key)::BIGINT AS key FROM micro GROUP BY ALL"
        ).df()
        people = found.people.to_numpy()
        return people + table[np.minimum(people, BOUND), found.key.to_numpy() % MANY]

    ours, _ = _timed(mine, 3)
    emit("gate_perturbing", ours, "s", against="cell-key-perturbation", ratio=ours / office, n=len(micro))


if __name__ == "__main__":
    main(small="--small" in sys.argv)
