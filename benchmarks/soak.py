"""A whole set-up over a broker under a steady load for hours: does memory stay flat, is every event there?

    python -m benchmarks.soak --hours 2 --folder FOLDER       samples to FOLDER/samples.jsonl, then a report
    python -m benchmarks.soak --report FOLDER/samples.jsonl   the report on what there is, at any time

Two collectors with one ledger, the pipeline, the dashboards with a reader. Visitors come and go, agree by a
word or with their events, refuse, log in and are erased. The pipeline folds twice a minute; reports and
publication come at every eighth pass, so that the whole takes a fraction of a core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

from benchmarks.crowd_sent import Sender
from benchmarks.sampling import gauges, report, sampled, size
from consent_filter.pseudonym import Keyring
from tests import signed
from tests.kafka.broker import Broker
from tests.ports import free_ports
from tests.whole.running import ENVIRON, Up, up
from throng import balance, jobs, loop

_EVERY, _FOLD, _WHOLE = 10.0, 30.0, 8
_PAGES = ("/", "/quality", "/adverts", "/about-numbers", "/attribution")


def pipeline(data: Path) -> None:
    """The loop of `throng up`, slower; in a process of its own."""
    turns = itertools.count()

    def once(folder: Path) -> dict[str, object]:
        if next(turns) % _WHOLE:
            return {"rights": jobs.rights(folder), "facts": jobs.facts(folder)}
        return loop.whole_pass(folder)

    loop.EVERY = _FOLD
    loop.run(data, Event(), once)


def run(folder: Path, hours: float, rate: float) -> None:
    """Until it is over; samples as JSON lines, the last one with what should be true."""
    shutil.rmtree(folder, ignore_errors=True)
    datas = [folder / name for name in "ab"]
    for data in datas:
        data.mkdir(parents=True)
    broker = Broker(folder / "broker", free_ports(3))
    broker.start()
    Keyring.open(datas[0] / "keys.json")
    shutil.copy(datas[0] / "keys.json", datas[1] / "keys.json")
    with ExitStack() as stack:
        stack.callback(broker.stop)
        text = f'[[site]]\nid = "shop"\n{broker.log("soak", ledger="soak-words", timeout_s=5)}'
        collectors = [stack.enter_context(up(data, "part", "collector", settings=text)) for data in datas]
        said = stack.enter_context((folder / "pipeline.txt").open("ab"))
        own = [sys.executable, "-m", "benchmarks.soak", "--pipeline", str(datas[0])]
        passes = subprocess.Popen(own, stdout=said, stderr=said, env=ENVIRON)
        stack.callback(passes.terminate)
        shown = Up(datas[0], ["part", "dashboards"], collectors[0].port)
        stack.callback(shown.stop)
        assert broker.pid is not None
        pids = {"a": collectors[0].process.pid, "b": collectors[1].process.pid, "pipeline": passes.pid,
                "dashboards": shown.process.pid, "broker": broker.pid, "load": os.getpid()}  # fmt: skip
        over, sender = Event(), Sender([one.port for one in collectors], rate)
        threads = [Thread(target=sender.run, args=(over,)), Thread(target=_read, args=(shown, over))]
        for thread in threads:
            thread.start()
        begun = time.time()
        with (folder / "samples.jsonl").open("a") as out:
            while time.time() < begun + hours * 3600:
                time.sleep(_EVERY - (time.time() - begun) % _EVERY)
                one: dict[str, Any] = {"t": round(time.time() - begun, 1), **sender.counts}
                one |= gauges(datas[0]) | {"log": size(broker.logs), "lake": size(datas[0] / "lake")}
                for name, pid in pids.items():
                    with suppress(OSError, KeyError):
                        one[name] = sampled(pid)
                print(json.dumps(one), file=out, flush=True)
            over.set()
            for thread in threads:
                thread.join()
            passes.terminate()
            passes.wait(120)
            for _ in range(2):
                jobs.rights(datas[0], at_once=True)
                jobs.facts(datas[0])
            wrong = sender.wrong(datas[0])
            print(json.dumps({"wrong": wrong, "balance": balance.whole(datas[0])}), file=out, flush=True)


def _read(shown: Up, over: Event) -> None:
    """Somebody who looks at a page now and then."""
    for path in itertools.cycle(_PAGES):
        if over.wait(20.0):
            return
        with suppress(OSError):
            if shown.get(path, shown.port + 1)[0] in (302, 303, 401):
                shown._signed = signed.head(shown.data)


def main() -> None:
    """See the top."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    asked.add_argument("--hours", type=float, default=2.0)
    asked.add_argument("--rate", type=float, default=240.0, help="events a second")
    asked.add_argument("--folder", type=Path, default=Path("soak"))
    asked.add_argument("--report", type=Path)
    asked.add_argument("--pipeline", type=Path, help=argparse.SUPPRESS)
    told = asked.parse_args()
    if told.pipeline:
        pipeline(told.pipeline)
        return
    if not told.report:
        run(told.folder, told.hours, told.rate)
    print("\n".join(report(told.report or told.folder / "samples.jsonl")))


if __name__ == "__main__":
    main()
