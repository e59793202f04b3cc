"""Twice what the brokers take: is an acknowledged event lost, does memory stay bounded, how soon is it over?

The wire to the broker passes so many bytes a second. What is sustained is what senders get who wait for their
answers; then the double of it is offered whatever comes back, as by visitors who know nothing of each other.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np

from benchmarks.line import emit
from benchmarks.open_loop import Answered, percentile, send, statuses
from benchmarks.sampling import sampled
from consent_filter.pseudonym import Keyring, event_ids
from consent_filter.raw import column
from tests.faults.proxy import Proxy
from tests.kafka.broker import Broker
from tests.ports import free_ports
from tests.whole.running import BROWSER, Up, up
from throng import balance, jobs
from warehouse.lake import Lake

SECONDS, EVENTS, PEOPLE = 40.0, 10, 5000
#: Bytes a second that the wire passes: a tenth of what the collector could send on a busy machine.
WIRE = 150_000


class Narrow(Proxy):
    """Passes `wire` bytes a second to the broker, over all connections; answers come back as they are."""

    def __init__(self, port: int, to: int) -> None:
        self.wire, self._gate, self._to = 0.0, threading.Lock(), to
        super().__init__(port, to)

    def _pass(self, one: object, other: object) -> None:
        with suppress(OSError):
            up = one.getpeername()[1] != self._to  # type: ignore[attr-defined]
            while data := one.recv(1 << 13):  # type: ignore[attr-defined]
                if up and self.wire:
                    with self._gate:
                        time.sleep(len(data) / self.wire)
                other.sendall(data)  # type: ignore[attr-defined]
        self._end(one, other)  # type: ignore[arg-type]


def request(number: int) -> bytes:
    """The beacon of one visitor who agrees."""
    who = {"device_id": f"visitor-{number % PEOPLE:020}", "consent": {"measurement": True}, "site": "shop"}
    events = [
        who | {"type": "page_view", "id": f"{number}.{n}", "url": f"https://shop.example/p/{number % 500}"}
        for n in range(EVENTS)
    ]
    body = json.dumps(events).encode()
    head = f"POST /e HTTP/1.1\r\nHost: s\r\nUser-Agent: {BROWSER}\r\nContent-Type: text/plain\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Curve:
    """MiB of a process, twice a second."""

    def __init__(self, pid: int) -> None:
        self.points, self._over = list[float](), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(pid,), daemon=True)
        self._thread.start()

    def _run(self, pid: int) -> None:
        while not self._over.wait(0.5):
            self.points.append(sampled(pid)["rss"])

    def end(self) -> list[float]:
        """What there was."""
        self._over.set()
        self._thread.join()
        return self.points


class Run:
    """Phases of a load on one collector; numbers go on, so that each event has an id of its own."""

    def __init__(self, running: Up) -> None:
        self.running, self.first = running, 0
        self.acknowledged, self.sent = list[int](), 0

    def phase(self, rate: float, seconds: float, most: int = 0) -> list[Answered]:
        """Requests a second; `most`: so many may be unanswered, and wait for their turn."""
        first = self.first
        answers, sent = send([self.running.port], lambda n: request(first + n), rate, seconds, most=most)
        self.first, self.sent = first + sent, self.sent + sent
        self.acknowledged += [first + one.number for one in answers if one.status == 202]
        return answers


def wrong(data: Path, run: Run) -> tuple[int, int]:
    """Acknowledged events that are not stored; events stored twice."""
    texts = [f"{number}.{n}" for number in run.acknowledged for n in range(EVENTS)]
    ids = event_ids(Keyring.open(data / "keys.json"), column(["shop"] * len(texts)), texts)
    lake = Lake.open(data)
    assert lake is not None
    stored = lake.recent_ids(0.0)
    lake.close()
    return int((~np.isin(ids, stored)).sum()), len(stored) - len(np.unique(stored))


def pressed(folder: Path, tell: Callable[..., None], seconds: float = SECONDS) -> None:
    """One whole run."""
    port = free_ports(1)
    broker, data = Broker(folder / "broker", free_ports(3), advertised=port), folder / "data"
    broker.start()
    wire = Narrow(port, broker.port)
    try:
        text = f'[[site]]\nid = "shop"\n{broker.log("pressed", ledger="pressed-words")}'
        with up(data, "part", "collector", settings=text) as running:
            run = Run(running)
            run.phase(50, 4.0)  # visitors become known
            wire.wire = WIRE
            sustained = len(run.phase(1e9, 15.0, most=64)) / 15.0
            quiet = run.phase(sustained / 2, 10.0)
            tell("pressure_sustained", sustained * EVENTS, "events/s")
            tell("pressure_half_p99", percentile([one.took for one in quiet], 0.99) * 1000, "ms")
            before, curve = sampled(running.process.pid)["rss"], Curve(running.process.pid)
            answers = run.phase(sustained * 2, seconds)
            after = run.phase(sustained / 2, 60.0)
            points = curve.end()
            found = statuses(answers)
            print(found, statuses(after), [round(one) for one in points[::10]], file=sys.stderr)
            good = [one for one in answers if one.status == 202 and one.due + one.took <= seconds]
            peer = "sustained"
            rate = len(good) / seconds
            tell("pressure_double_stored", rate * EVENTS, "events/s", against=peer, ratio=rate / sustained)
            tell("pressure_double_p99", percentile([one.took for one in good], 0.99) * 1000, "ms")
            refused = [one for one in answers if one.status == 503]
            tell("pressure_double_503", len(refused), "requests", n=len(answers))
            tell("pressure_without_retry_after", sum(not one.later for one in refused), "requests")
            tell(
                "pressure_other_answers", sum(n for s, n in found.items() if s not in (202, 503)), "requests"
            )
            # The next phase begins when the last answer of this one is there.
            rest = max(one.due + one.took for one in answers) - seconds
            late = [one.due for one in after if one.status != 202 or one.took > 1.0]
            tell("pressure_recovered_after", max(rest, 0.0) + max(late, default=0.0), "s")
            tell("pressure_memory", max(points), "MiB", against="before", ratio=max(points) / before)
            tell("pressure_memory_after", points[-1], "MiB", against="before", ratio=points[-1] / before)
            wire.wire = 0.0
            jobs.facts(data)
            lost, twice = wrong(data, run)
            whole = balance.whole(data)
            tell("pressure_lost", lost, "events", n=len(run.acknowledged) * EVENTS)
            tell("pressure_twice", twice, "events")
            off = whole["received"] - whole["stored"] - sum(whole["refused"].values())
            tell("pressure_balance_difference", off, "events")
            print(whole, running.output.read_text()[-2000:], file=sys.stderr)
    finally:
        wire.close()
        broker.stop()


def main(seconds: float = SECONDS) -> None:
    """On a data folder of its own."""
    with tempfile.TemporaryDirectory(prefix="throng-bench") as temporary:
        pressed(Path(temporary), emit, seconds)


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS)
