"""What a day of so many events takes: machines, partitions, buckets, storage, money, and what breaks first.

    python -m benchmarks.scale            the tables of docs/scale.md
    python -m benchmarks.scale --write    put them there; a test compares

Arithmetic over what was measured (`Measured`, from benchmarks/README.md and docs/kafka.md) and what is
assumed (`Load`, `Prices`). Nothing here was run at these sizes: a figure is what follows if a rate measured
on two shared cores holds on each of many. Feed it with your own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from math import ceil, log2
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).resolve().parent.parent / "docs/scale.md"
BEGIN, END = "<!-- made by benchmarks/scale.py -->", "<!-- until here -->"
_DAY, _HOURS = 86_400, 730.0


class Measured(NamedTuple):
    """Rates of one machine of two shared cores; the lower end where a range was measured."""

    requests: float = 20_100  # a second, one collector, an event each (`collector`)
    events: float = 101_500  # a second, one collector, ten events a request
    collector_gib: float = 0.2
    topic_bytes: float = 250  # an event in a record of a thousand (docs/kafka.md)
    commits: float = 1 / 0.015  # a second, to one partition, at the 99th percentile
    read: float = 470_000  # events a second that one reader takes out of a topic
    fold: float = 571_000 / 2  # events a second and core, log to Parquet (`facts`)
    topic_fold: float = 1.08  # processor that folding out of a topic takes, over segments (`distributed`)
    report: float = 341_000 / 2  # events a second and core, all reports of a site (`reports`)
    advert_report: float = 1_400_000 / 38.8  # the same with all reports on adverts (`adverts`)
    rest_bytes: float = 13.3  # an event at rest (`facts`)
    bucket_gib: float = 0.56 / 3.75  # memory for a million events of one bucket and day: 60 million in 16
    ledger_bytes: float = 99  # a person (`ledger`)
    ledger_open: float = 3.3  # seconds for a million people
    commit_files: float = 3 / 480  # seconds for each file of one commit of the lake


class Load(NamedTuple):
    """A day. Assumed: nobody has measured yours."""

    name: str
    events: float
    a_person: float  # events that one person makes in a day
    a_request: float  # events in one request: pages send one to three, servers of adverts tens
    adverts: bool
    peak: float = 4.0  # the busiest minute over the mean
    known: float = 10.0  # people whose word is kept, over those of one day
    kept_days: float = 760.0
    fresh_minutes: float = 15.0  # how old the numbers of today may be


class Prices(NamedTuple):
    """Dollars; a large provider's list, rounded. Assumed."""

    core_hour: float = 0.045  # with 4 GiB
    gib_hour: float = 0.005  # memory beyond that
    stored_gb_month: float = 0.023  # objects
    disk_gb_month: float = 0.08  # brokers' disks
    broker_mb_s: float = 50.0  # what one broker of four cores writes a second, copies counted


LOADS = (
    Load("10⁶, one shop", 1e6, 20, 1.5, False),
    Load("10⁸, a large marketplace", 1e8, 20, 1.5, True),
    Load("10⁹", 1e9, 20, 3, True),
    Load("10¹¹, adverts of a continent", 1e11, 400, 20, True),
)


class Sized(NamedTuple):
    """What follows."""

    load: Load
    peak: float
    collectors: int
    partitions: int
    brokers: int
    fold_cores: int
    report_cores: int
    buckets: int
    facts_tb: float
    topic_gb: float
    ledger_gib: float
    ledger_open_s: float
    commit_s: float
    dollars: float

    def breaks(self) -> str:
        """The first thing that does not hold, as it is built now."""
        for wrong, says in (
            (self.ledger_gib > 64, "the ledger: every collector holds every word in memory"),
            (self.commit_s > 60, "the commit: one transaction names every file of a pass"),
            (self.ledger_open_s > 120, "soon the ledger: minutes to open, gigabytes in each collector"),
            (self.report_cores > 64, "the driver: one Beam job for all reports of a day"),
            (self.report_cores > 4, "one machine: reports of today take longer than they may be old"),
        ):
            if wrong:
                return says
        return "nothing: one machine has room"


def size(load: Load, of: Measured | None = None, prices: Prices | None = None) -> Sized:
    """The arithmetic. Half of each machine is left free, for the minute in which another one is gone."""
    m, p = of or Measured(), prices or Prices()
    mean = load.events / _DAY
    peak = mean * load.peak
    # Between one event a request and ten, what a request and what an event costs add up.
    a_request = (1 / m.requests - 1 / m.events) * 10 / 9
    an_event = 1 / m.requests - a_request
    each = 0.5 / (a_request / load.a_request + an_event)
    collectors = max(ceil(peak / each), 2 if load.events > 1e7 else 1)
    partitions = max(2 * collectors, ceil(peak / m.read * 2))
    written = peak * m.topic_bytes * 3
    brokers = max(ceil(written / p.broker_mb_s / 1e6), 3) if load.events > 1e7 else 0
    fold = max(ceil(peak / m.fold * 2 * (m.topic_fold if brokers else 1)), 1)
    rate = m.advert_report if load.adverts else m.report
    # At midnight a pass reads all of today; on the mean half, but nobody waits for the mean.
    report = max(ceil(load.events / rate / (load.fresh_minutes * 60)), 1)
    # What one worker takes of a bucket and day stays under 2 GiB.
    buckets = max(16, 2 ** ceil(log2(max(load.events / 1e6 * m.bucket_gib / 2, 1))))
    people = load.events / load.a_person * load.known
    ledger = people * m.ledger_bytes / 2**30
    facts = load.events * m.rest_bytes * load.kept_days / 1e12
    topic = load.events * m.topic_bytes * 3 / 1e9 if brokers else 0.0
    cores = collectors * 2 + brokers * 4 + fold + report
    # Memory that comes with cores is 4 GiB each; the ledger is what goes beyond it.
    more = max(ledger - 6, 0) * collectors
    dollars = (cores * p.core_hour + more * p.gib_hour) * _HOURS
    dollars += facts * 1000 * p.stored_gb_month + topic * p.disk_gb_month
    return Sized(
        load, peak, collectors, partitions, brokers, fold, report, buckets, facts, topic, ledger,
        people / 1e6 * m.ledger_open, buckets * m.commit_files, dollars,
    )  # fmt: skip


def table() -> Iterator[str]:
    """Both tables, as Markdown has them."""
    found = [size(load) for load in LOADS]
    yield "| events a day | " + " | ".join(one.load.name for one in found) + " |"
    yield "|---|" + "---:|" * len(found)
    rows = (
        ("events a second at the peak", lambda s: f"{_round(s.peak)}"),
        ("people a day", lambda s: _round(s.load.events / s.load.a_person)),
        ("collectors of two cores", lambda s: _round(s.collectors)),
        ("partitions", lambda s: _round(s.partitions)),
        ("brokers of four cores", lambda s: _round(s.brokers) if s.brokers else "– (segments)"),
        ("cores that fold", lambda s: _round(s.fold_cores)),
        (f"cores that report, for {LOADS[0].fresh_minutes:.0f} minutes", lambda s: _round(s.report_cores)),
        ("buckets", lambda s: f"{s.buckets:,}"),
        ("facts, 760 days", lambda s: f"{_round(s.facts_tb * 1000)} GB"),
        ("a day in the topic, three copies", lambda s: f"{_round(s.topic_gb)} GB" if s.brokers else "–"),
        ("ledger in each collector", lambda s: f"{s.ledger_gib:.2g} GiB"),
        ("to open it", lambda s: f"{_round(s.ledger_open_s)} s"),
        ("a month", lambda s: f"${_round(s.dollars)}"),
        ("a million events", lambda s: f"${s.dollars / (s.load.events * 30.4 / 1e6):.2g}"),
        ("breaks first", lambda s: s.breaks()),
    )  # fmt: skip
    for name, tell in rows:
        yield f"| {name} | " + " | ".join(tell(one) for one in found) + " |"


def _round(value: float) -> str:
    """Two digits: more would be a lie."""
    if value < 100:
        return f"{value:.0f}"
    digits = 1 - int(f"{value:e}".partition("e")[2])
    return f"{round(value, digits):,.0f}"


def written(page: str) -> str:
    """The page with the tables of now."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return f"{head}{BEGIN}\n" + "\n".join(table()) + f"\n{END}{tail}"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        print("\n".join(table()))
