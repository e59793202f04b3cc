"""Runs of faults: `python -m tests.faults [--kafka] [--faults N] SEED…`; a line of JSON for each seed.

Two seeds with dots between are all of them: `1..200`. The same seed does the same things in the same order.
Folders of runs in which something was wrong stay. Ends with 1 where there was one.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.faults.run import runs


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--kafka", action="store_true", help="two collectors over a broker, with one ledger")
    parser.add_argument("--faults", type=int, default=8)
    parser.add_argument("seeds", nargs="+")
    told = parser.parse_args()
    seeds: list[int] = []
    for one in told.seeds:
        first, _, last = one.partition("..")
        seeds += range(int(first), int(last or first) + 1)
    folder = Path(tempfile.mkdtemp(prefix="throng-faults-"))
    found = runs(
        folder, seeds, told.faults, kafka=told.kafka,
        tell=lambda one: print(json.dumps(one._asdict()), flush=True),
    )  # fmt: skip
    wrong = [one for one in found if one.wrong]
    print(f"{len(found)} runs, {len(wrong)} wrong; {folder}", file=sys.stderr)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
