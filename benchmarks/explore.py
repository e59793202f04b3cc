"""Questions from facts: the first of its kind, which counts, and those after it, which add up kept rows; what
all that may be asked takes to be answered ahead, and questions then; and statements of the SQL page. Through
the processes that pages ask, over a month of made-up events."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.crowd import events
from benchmarks.laid import lay
from benchmarks.line import emit
from consent_filter.ledger import Ledger
from warehouse import report as reports
from warehouse.analyst import Desk
from warehouse.enquiry import Enquiry
from warehouse.lake import Lake
from warehouse.question import read
from warehouse.released import Store
from warehouse.settings import Warehouse
from warehouse.snapshot import publish

EVENTS, DAYS = 10_000_000, 30
#: What analysts ask on a Monday; each names other dimensions than those before.
QUESTIONS = (
    "people, views",
    "people, views by country",
    "people, views by device, country",
    "views by path",
    "people, views by path, country where device = 'mobile'",
    "people by browser, os",
    "people, views by hour, device",
    "events by name, country",
    "people, visits by referrer_group, country",
    "visits, bounces by entry, device where country = 'DE'",
    "visits by utm_source, utm_campaign",
)
SQL = (
    "SELECT day, people, views FROM traffic_day ORDER BY day",
    "SELECT site, sum(views) FROM traffic_day GROUP BY ALL",
)


def prepared(data: Path, n: int) -> int:
    """Facts, and a publication of the days that there are: how many people each has does not matter here."""
    total = lay(data, events(n, max(n // 20, 1), DAYS))
    Ledger.open(data / "ledger.sqlite").close()
    lake, store, one = Lake.open(data), Store.open(data), reports.load()["traffic_day"]
    assert lake is not None
    days = lake.connection.sql(
        "SELECT site, day, approx_count_distinct(person) AS people, count(*) AS views, 1::BIGINT AS visits,"
        " count(*) AS events FROM lake.events GROUP BY ALL ORDER BY ALL"
    ).to_arrow_table()
    store.replace(one, None, days.select([*one.keys, *one.groups, *one.sums]), "a benchmark")
    publish(data, Warehouse(), store)
    store.close()
    lake.close()
    return total


def timed(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def ahead(data: Path, n: int, size: str) -> None:
    """Everything answered before it is asked, which takes as long as it takes; then each question once."""
    (data / "explore.sqlite").unlink(missing_ok=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    gate = Enquiry(data, Warehouse(query_seconds=300))
    begun = time.perf_counter()
    gate.ready()
    gate.wait()
    took = time.perf_counter() - begun
    asked = [timed(lambda one=one: gate.ask(read(one))) for one in QUESTIONS * 5]  # type: ignore[misc]
    gate.close()
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    emit("explore_ahead", took, "s", n=n)
    emit("explore_ahead_processor", now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, "s", n=n)
    emit("explore_kept", (data / "explore.sqlite").stat().st_size / 1e6, "MB", n=n)
    for share in (50, 99):
        emit(f"explore_ahead_{size}_p{share}", float(np.percentile(asked, share)), "s", n=len(asked))


def main(n: int = EVENTS, where: str = "") -> None:
    """`where`: a folder that is kept, and used again where it is there."""
    how = Warehouse(query_seconds=300, explore_ahead=0)
    size = f"{n // 1_000_000}m" if n >= 1_000_000 else str(n)
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        data = Path(where or temporary) / f"explore-{n}"
        if not (data / "published" / "current").exists():
            prepared(data, n)
        (data / "explore.sqlite").unlink(missing_ok=True)
        gate, desk = Enquiry(data, how), Desk(data, how)
        desk.ask(SQL[0])
        begun = time.perf_counter()
        gate.ready()
        gate.wait()
        read_in = time.perf_counter() - begun
        first = [timed(lambda one=one: gate.ask(read(one))) for one in QUESTIONS]  # type: ignore[misc]
        again = [timed(lambda one=one: gate.ask(read(one))) for one in QUESTIONS * 5]  # type: ignore[misc]
        said = [timed(lambda one=one: desk.ask(one)) for one in SQL * 50]  # type: ignore[misc]
        gate.close()
        desk.close()
        ahead(data, n, size)
    emit("explore_read", read_in, "s", n=n)
    for name, times in (
        (f"explore_first_{size}", first[1:]),
        (f"explore_again_{size}", again),
        ("sql", said),
    ):
        for share in (50, 99):
            emit(f"{name}_p{share}", float(np.percentile(times, share)), "s", n=len(times))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS, sys.argv[2] if len(sys.argv) > 2 else "")
