"""What logins cost the reports: the same days with none, and with one on every browser, up to 100,000."""

from __future__ import annotations

import statistics
import sys
import time

import duckdb
import numpy as np
import pyarrow as pa

from benchmarks.crowd import events, mix
from benchmarks.line import emit
from consent_filter.links import Linked
from warehouse import links
from warehouse import report as reports
from warehouse.build import build
from warehouse.lake import TABLES
from warehouse.relations import Bucket, Days, hold, offer_withdrawn
from warehouse.settings import Warehouse

_MOST = 100_000


def main(n: int = 1_600_000) -> None:
    """Every report by day over four days of `n` events; processor time, since a join may use two cores."""
    con = duckdb.connect(config={"threads": 2})
    hold(con, "facts_of", pa.Table.from_batches(list(events(n, n // 4, 4))))
    columns = ", ".join(f"{name} {kind}" for name, kind in TABLES["received"].items())
    con.execute(f"CREATE TABLE balance_of ({columns})")
    offer_withdrawn(con, np.array([], np.uint64))
    last = con.sql(
        "SELECT person, max(time) AS moment FROM facts_of"
        " WHERE treatment = 'identified' AND purposes & 1 <> 0"
        f" GROUP BY ALL ORDER BY ALL LIMIT {_MOST}"
    ).to_arrow_table()
    device = last["person"].to_numpy()
    moment = last["moment"].cast(pa.timestamp("ms")).cast(pa.int64()).to_numpy() + 60_000
    everyone = Linked(device, mix(device, 77), moment)
    nobody = Linked(device[:0], device[:0], moment[:0])
    days = [day for (day,) in con.sql("SELECT DISTINCT day FROM facts_of ORDER BY ALL").fetchall()]
    chosen = [one for one in reports.load().values() if one.grain == "day"]

    def once(linked: Linked) -> float:
        begun = time.process_time()
        facts = links.offer(con, "facts_of", linked, days)
        relations = Days(con, facts, "balance_of", days, rows=1 << 40, many=200)
        for _ in build(con, relations, chosen, Warehouse(), [Bucket()]):
            pass
        return time.process_time() - begun

    pairs = [(once(nobody), once(everyone)) for _ in range(3)]
    without, joined = (statistics.median(one) for one in zip(*pairs, strict=True))
    emit(
        f"reports by day, {len(device):,} logins in {n:,} events", joined, "s of processor",
        against="the same without a login", ratio=joined / without, n=len(pairs),
    )  # fmt: skip


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
