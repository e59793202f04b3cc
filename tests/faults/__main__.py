"""Runs of faults: `python -m tests.faults [--kafka] [--lake] [--flink] [--faults N] SEED…`.

A line of JSON for each seed (`tally.py` counts them). Two seeds with dots between are all of them: `1..200`.
The same seed, with the same options, does the same things in the same order: `--replay SEED` says them first,
and keeps the folder. `--planted` puts a fault of each kind into Throng itself, and looks whether it is found.
Folders of runs in which something was wrong stay. Ends with 1 where there was one, with 3 where the harness
itself has failed (such a run shows nothing).
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import traceback
from pathlib import Path

from tests.faults import clock
from tests.faults.plan import Step, World, plan
from tests.faults.planted import PLANTS
from tests.faults.run import Runs


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--kafka", action="store_true", help="two collectors over a broker, with one ledger")
    parser.add_argument("--lake", action="store_true", help="facts in PostgreSQL and a bucket")
    parser.add_argument("--flink", action="store_true", help="jobs on a cluster; needs Linux")
    parser.add_argument("--no-clock", action="store_true", help="no clock is stepped (which needs cc)")
    parser.add_argument("--faults", type=int, default=8)
    parser.add_argument("--replay", action="store_true", help="say the plan first")
    parser.add_argument("--planted", action="store_true", help="whether planted faults are found")
    parser.add_argument("seeds", nargs="*", default=[])
    told = parser.parse_args()
    world = World(told.kafka, told.lake, told.flink, not told.no_clock)
    if world.clock and not clock.ready():
        parser.error("no C compiler, which stepping clocks needs: apt-get install gcc, or --no-clock")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and the servers end with us
    folder = Path(tempfile.mkdtemp(prefix="throng-faults-"))
    with Runs(folder, world) as runs:
        found = _planted(runs) if told.planted else _seeds(runs, _numbers(told.seeds), told)
    print(f"{folder}", file=sys.stderr)
    return found


def _numbers(seeds: list[str]) -> list[int]:
    found: list[int] = []
    for one in seeds:
        first, _, last = one.partition("..")
        found += range(int(first), int(last or first) + 1)
    return found


def _seeds(runs: Runs, seeds: list[int], told: argparse.Namespace) -> int:
    wrong, failed = 0, 0
    where = {"with": " ".join(runs.world.options)}
    for seed in seeds:
        if told.replay:
            for nth, step in enumerate(plan(seed, told.faults, runs.world)):
                print(f"{nth + 1}. {step}", file=sys.stderr)
        try:
            outcome = runs.one(seed, told.faults)
        except Exception:
            failed += 1
            print(json.dumps({**where, "seed": seed, "harness": traceback.format_exc()}), flush=True)
            continue
        wrong += bool(outcome.wrong)
        print(json.dumps({**where, **outcome._asdict()}), flush=True)
    options = " ".join([*runs.world.options, "--faults", str(told.faults)])
    print(f"{len(seeds)} runs ({options}): {wrong} wrong, {failed} show nothing", file=sys.stderr)
    return 1 if wrong else 3 if failed else 0


def _planted(runs: Runs) -> int:
    missed = 0
    for seed, (name, plant) in enumerate(PLANTS.items()):
        steps = [Step(kind, 0, 0.0, 0.3, 0) for kind in plant.steps]
        outcome = runs.one(seed, 0, steps, name)
        says = [one for one in outcome.wrong if plant.says in one]
        missed += not says
        print(json.dumps({"planted": name, "found": bool(says), "wrong": outcome.wrong}), flush=True)
    print(f"{len(PLANTS)} planted, {missed} not found", file=sys.stderr)
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
