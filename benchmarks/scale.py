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
    topic_fold: float = 1.11  # processor that folding out of a topic takes, over segments (`distributed`)
    report: float = 341_000 / 2  # events a second and core, all reports of a site (`reports`)
    advert_report: float = 1_400_000 / 38.8  # the same with all reports on adverts (`adverts`)
    rest_bytes: float = 13.3  # an event at rest (`facts`)
    bucket_gib: float = 0.56 / 3.75  # memory for a million events of one bucket and day: 60 million in 16
    ledger_bytes: float = 99  # a person (`ledger`)
    ledger_open: float = 3.3  # seconds for a million people
    commit_files: float = 3 / 480  # seconds for each file of one commit of the lake
    bucket: float = 1.1  # processor of a bucket of reports, however few are in it (`distributed`)
    job: float = 12.0  # processor of a job on Flink that is warm, whatever there is to do (`distributed`)
    puts: float = 1.0  # requests of one file that is written to a bucket (`stores`)
    named: float = 2.0  # and of one that a commit names: HEAD, and GET of its end
    gets: float = 3.0  # and of one that is read anew: HEAD, its end, what is wanted


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
    put: float = 0.005 / 1000  # requests of Amazon S3 Standard, us-east-1, as listed in 2025
    get: float = 0.0004 / 1000


#: As the pipeline is built (`pipelines/settings.py`, `pipelines/reports.py`, `warehouse/compact.py`): bytes
#: of log in an element of the fold, facts in a bucket of reports, the most buckets of a day, facts of a file
#: that was merged.
STRETCH, ROWS, BUCKETS, MERGED = 32 * 2**20, 2.5e6, 64, 4 * 2**20
#: What one may have of each before it breaks. Assumed: cores and half the memory of the largest machine, GiB
#: of words in each collector, seconds to open them, seconds of a commit, requests as a share of what is paid.
CORES, BUCKET_GIB, LEDGER_GIB, OPEN_S, COMMIT_S, REQUESTS = 192, 384, 64, 600, 60, 0.5

LOADS = (
    Load("10⁶, one shop", 1e6, 20, 1.5, False),
    Load("10⁸, a large marketplace", 1e8, 20, 1.5, True),
    Load("10⁹", 1e9, 20, 3, True),
    Load("10¹¹, adverts of a continent", 1e11, 400, 20, True),
)


class Sized(NamedTuple):
    """What follows. dollars: a month; `requests`, those to a bucket, are not in it."""

    load: Load
    peak: float
    collectors: int
    partitions: int
    brokers: int
    fold_cores: int
    report_cores: int
    buckets: int
    bucket_gib: float
    facts_tb: float
    topic_gb: float
    ledger_gib: float
    ledger_open_s: float
    files: float  # of a pass at the peak
    commit_s: float
    job: float  # of what folding a pass on Flink takes, what the job itself does
    requests: float
    dollars: float

    def strains(self) -> dict[str, float]:
        """What breaks, as it is built now: the share of what one may have of it."""
        return {
            "reports of today: a day is one element, made by one worker": self.report_cores / CORES,
            "memory for one of today's buckets": self.bucket_gib / BUCKET_GIB,
            "the ledger: every collector has every word in memory": self.ledger_gib / LEDGER_GIB,
            "the ledger: minutes to open": self.ledger_open_s / OPEN_S,
            "the commit: one transaction names every file of a pass": self.commit_s / COMMIT_S,
            "requests to the bucket": self.requests / (self.requests + self.dollars) / REQUESTS,
        }

    def breaks(self) -> str:
        """The first of them, and at how many times the load."""
        what, share = max(self.strains().items(), key=lambda one: one[1])
        return (
            f"{what} (enough for {_round(1 / share)} of this)"
            if share > 1
            else f"{what}, at {_round(1 / share)}×"
        )


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
    buckets = min(2 ** ceil(log2(max(load.events / ROWS, 1))), BUCKETS)
    seconds = load.fresh_minutes * 60
    report = max(ceil((load.events / rate + buckets * m.bucket) / seconds), 1)
    # A stretch has one file, and two around midnight; merged, a day has few and large ones.
    passed = mean * seconds
    files = max(passed * m.topic_bytes / STRETCH, partitions)
    merged = max(load.events / MERGED, 1)
    # Each new file is read once to be merged; a pass reads half of a day, the files anew for each bucket.
    passes = _DAY * 30.4 / seconds
    requests = passes * (
        p.put * m.puts * files + p.get * (m.named * files + m.gets * (files + buckets * merged / 2))
    )
    job = m.job / (m.job + passed / m.fold)
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
        load, peak, collectors, partitions, brokers, fold, report, buckets,
        load.events / buckets / 1e6 * m.bucket_gib, facts, topic, ledger, people / 1e6 * m.ledger_open,
        files * load.peak, files * load.peak * m.commit_files, job, requests, dollars,
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
        ("buckets of a day", lambda s: f"{s.buckets:,}"),
        ("memory for one of them", lambda s: f"{_round(s.bucket_gib)} GiB"),
        ("files of a pass at the peak", lambda s: _round(s.files)),
        ("the commit that names them", lambda s: f"{_round(s.commit_s)} s"),
        ("of folding a pass on Flink, the job itself", lambda s: f"{s.job:.0%}"),
        ("requests to a bucket, a month", lambda s: f"${_round(s.requests)}"),
        ("facts, 760 days", lambda s: f"{_round(s.facts_tb * 1000)} GB"),
        ("a day in the topic, three copies", lambda s: f"{_round(s.topic_gb)} GB" if s.brokers else "–"),
        ("ledger in each collector", lambda s: f"{_round(s.ledger_gib)} GiB"),
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
        return f"{value:.0f}" if value > 9 or value == int(value) else f"{value:.1g}"
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
