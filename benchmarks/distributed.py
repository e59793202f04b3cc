"""The distributed way on one machine: collector → Kafka → facts on Flink → reports → a page.

    python -m benchmarks.distributed [collect] [facts] [buckets] [fresh]

All of it lives in a network of its own (`tests/flink/cluster.py` says why), so that the processor time of
every process in it, Java's and dead workers' too, is what the work has cost; the host's other work is not in
it, and what they take while nothing is done is subtracted. Ratios are to the embedded set-up in the same run.
"""

from __future__ import annotations

import csv
import io
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path

from benchmarks.facts import records
from benchmarks.line import emit
from benchmarks.open_loop import percentile, send
from benchmarks.pressure import EVENTS, request
from ingest.log.cluster import close_all
from ingest.log.opening import opened
from pipelines import facts, reports
from pipelines.settings import Pipelines
from tests.flink.cluster import JOBS, WORKERS, Inside, loopback
from tests.kafka.broker import Broker
from tests.ports import free_ports
from tests.whole.running import Up, up
from throng import main as command
from warehouse.settings import Warehouse

#: Events folded, and a record's; turns, and seconds of a load; markers, and seconds between two.
FOLDED, RECORD, TURNS, SECONDS, MARKERS, APART = 300_000, 1000, 3, 6.0, 36, 4.0
_SITE = '[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n'
_COST = "s of processor/million events"
_TICKS = os.sysconf("SC_CLK_TCK")


def spent() -> float:
    """Seconds of processor that everything in this network has taken, with the children that have ended."""
    here, total = os.readlink("/proc/self/ns/net"), 0
    for one in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(one / "ns/net") == here:
                total += sum(map(int, (one / "stat").read_text().rpartition(")")[2].split()[11:15]))
    return total / _TICKS


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock, and of all processors, without what is taken at rest."""
    rested, before = time.monotonic(), spent()
    time.sleep(3.0)
    rest = (spent() - before) / (time.monotonic() - rested)
    begun, before = time.monotonic(), spent()
    work()
    took = time.monotonic() - begun
    return took, spent() - before - rest * took


def told(broker: Broker, topic: str, partitions: int = 2, more: str = "") -> str:
    """A settings file of a topic of its own."""
    return f"{_SITE}{broker.log(topic, partitions=partitions)}{more}"


def flink(parallelism: int) -> str:
    """Jobs on the cluster of this network."""
    where = f'job_server = "127.0.0.1:{JOBS}"\nworkers = "127.0.0.1:{WORKERS}"\nthreads = 1\n'
    return f'[pipelines]\nrunner = "flink"\nparallelism = {parallelism}\nstretch_mib = 4.0\n{where}'


def collect(folder: Path, broker: Broker) -> None:
    """Ten events a request, 64 requests out at a time: a topic against segments, in turns."""
    made = {"segments": _SITE, "kafka": told(broker, "collected")}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in made}
    for turn in range(TURNS):
        for name, text in made.items():
            with up(folder / f"{name}{turn}", "part", "collector", settings=text) as running:
                send([running.port], request, 1e9, 1.5, most=64)
                before = spent()
                load = sum(os.times()[:2])
                answers, _ = send([running.port], lambda n: request(n + 100_000), 1e9, SECONDS, most=64)
                used = spent() - before - (sum(os.times()[:2]) - load)
                events = sum(one.status == 202 for one in answers) * EVENTS
                found[name].append((events / SECONDS, used / events * 1e6))
    for n, (name, unit) in enumerate((("rate", "events/s"), ("cost", _COST))):
        here, there = (statistics.median(one[n] for one in found[kind]) for kind in ("segments", "kafka"))
        emit(f"distributed_collect_{name}", there, unit, against="segments", ratio=there / here, n=TURNS)


def fill(data: Path, text: str, n: int) -> int:
    """A crowd's records in the log of a new folder."""
    data.mkdir(parents=True)
    (data / "throng.toml").write_text(text)
    total = 0
    with closing(opened(data, "collector")) as log:
        for record in records(n, RECORD):
            log.append(record)
            total += record.events.n
    return total


def _fold(data: Path) -> Callable[[], object]:
    def work() -> None:
        out, sys.stdout = sys.stdout, sys.stderr
        try:
            assert command.main(["facts", "--data", str(data)]) == 0
        finally:
            sys.stdout = out

    return work


def fold(folder: Path, broker: Broker) -> None:
    """By partitions in this process, then on Flink by workers; each after a small one that warms it."""
    ways = {"segments": _SITE}
    ways |= {f"kafka_{n}_partitions": told(broker, f"p{n}", n) for n in (1, 2, 4)}
    ways |= {f"flink_{n}_workers": told(broker, f"w{n}", 4, flink(n)) for n in (1, 2)}
    base = (0.0, 0.0)
    for name, text in ways.items():
        fill(folder / f"{name}-warm", text.replace('topic = "', 'topic = "warm'), 2000)
        _fold(folder / f"{name}-warm")()
        total = fill(folder / name, text, FOLDED)
        took, cost = timed(_fold(folder / name))
        base = base if any(base) else (took, cost)
        ratio, million = base[0] / took, cost / total * 1e6
        emit(f"distributed_facts_{name}", total / took, "events/s", against="segments", ratio=ratio, n=total)
        ratio = cost / base[1]
        emit(f"distributed_facts_{name}_cost", million, _COST, against="segments", ratio=ratio, n=total)


def buckets(folder: Path, broker: Broker) -> None:
    """All reports of the same days, everybody in one bucket or in many."""
    data = folder / "buckets"
    total = fill(data, _SITE, FOLDED // 4)
    facts.run(data)
    base, settings = 0.0, Warehouse(min_group=1)
    for n in (1, 4, 16, 64):
        _, cost = timed(partial(reports.run, data, settings, Pipelines(), force=True, buckets=n))
        base, million = base or cost, cost / total * 1e6
        emit(f"distributed_reports_{n}_buckets", million, _COST, against="1", ratio=cost / base, n=total)


def fresh(folder: Path, broker: Broker) -> None:
    """From a beacon to its page in the numbers that the dashboards give out, everything on this machine."""
    for name, text in (("segments", _SITE), ("kafka", told(broker, "fresh"))):
        sent, seen = dict[str, float](), dict[str, float]()
        with up(folder / f"fresh-{name}", settings=text) as running:
            begun = time.monotonic()
            while len(seen) < MARKERS and time.monotonic() < begun + MARKERS * APART + 120:
                if len(sent) < MARKERS and time.monotonic() > begun + len(sent) * APART:
                    path = f"/m/{len(sent)}-of-many"
                    sent[path] = time.monotonic()
                    running.post(_marker(path))
                for path in sent.keys() & _shown(running) - seen.keys():
                    seen[path] = time.monotonic() - sent[path]
                time.sleep(0.3)
        values = list(seen.values())
        for share in (0.5, 0.99):
            took = percentile(values, share)
            emit(f"distributed_fresh_{name}_p{share * 100:.0f}", took, "s", n=len(values))


def _marker(path: str) -> dict[str, object]:
    page = {"site": "shop", "type": "page_view", "url": f"https://shop.example{path}"}
    return page | {"id": path, "device_id": f"d{path}", "consent": {"measurement": True}}


def _shown(running: Up) -> set[str]:
    """The pages that an analyst's table has now."""
    status, body = running.get("/csv/pages.csv", running.port + 1)
    if status != 200:
        return set()
    return {row["path"] for row in csv.DictReader(io.StringIO(body.decode()))}


@contextmanager
def cluster(folder: Path) -> Iterator[Inside]:
    """Flink, its job server and workers."""
    one = Inside(folder)
    folder.mkdir()
    try:
        one.start()
        yield one
    finally:
        one.over = True
        for process in one.processes.values():
            process.kill()


_PARTS = {"collect": collect, "facts": fold, "buckets": buckets, "fresh": fresh}


def main(parts: list[str]) -> None:
    """Those parts, or all. Only folding needs the cluster: its Java takes from the others while it rests."""
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        loopback()
        broker = Broker(folder / "broker", free_ports(3))
        broker.start()
        stack.callback(broker.stop)
        for name in parts or _PARTS:
            with cluster(folder / "cluster") if name == "facts" else nullcontext():
                _PARTS[name](folder, broker)
            close_all()


if __name__ == "__main__":
    if sys.argv[1:2] != ["--entered"]:
        apart = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]
        again = [sys.executable, "-m", "benchmarks.distributed", "--entered", *sys.argv[1:]]
        os.execvp(apart[0], [*apart, *again])
    main(sys.argv[2:])
