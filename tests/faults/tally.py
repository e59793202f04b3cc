"""What many runs have shown, counted: `python -m tests.faults.tally FILE…`, of lines that runs have printed.

By set-up: how many runs there were, in how many nothing was wrong, in how many something was, and how many
the harness itself could not finish, which show nothing. By kind: how often a fault struck in those that show
something.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def kind(fault: str) -> str:
    """The kind of a fault, as `plan.Step` is printed: without its moment, its length, and whose it was."""
    return re.sub(r" \(.*\)$| \d+: [+-]\d+ s$", "", fault)


def table(lines: Iterable[str]) -> str:
    """Two tables; a run that was done twice counts twice."""
    runs, shown = dict[str, Counter[str]](), dict[str, Counter[str]]()
    for one in map(json.loads, lines):
        where = one["with"] or "embedded"
        became = "show nothing" if "harness" in one else "wrong" if one["wrong"] else "sound"
        runs.setdefault(where, Counter()).update(["runs", became])
        runs[where].update({"acknowledged": one.get("acknowledged", 0)})
        shown.setdefault(where, Counter()).update(map(kind, one.get("faults", ())))
    columns = ("runs", "sound", "wrong", "show nothing", "acknowledged")
    kinds = sorted({name for counts in shown.values() for name in counts})
    by_run = [[where, *(counts[name] for name in columns)] for where, counts in runs.items()]
    by_kind = [[name, *(counts[name] for counts in shown.values())] for name in kinds]
    both = [*_lines(["", *columns], by_run), "", *_lines(["", *shown], by_kind)]
    return "\n".join(both) + "\n"


def _lines(head: list[str], rows: list[list[Any]]) -> Iterator[str]:
    widths = [max(len(str(row[n])) for row in [head, *rows]) for n in range(len(head))]
    for row in [head, *rows]:
        first, *rest = zip(map(str, row), widths, strict=True)
        yield "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in rest)]).rstrip()


if __name__ == "__main__":
    print(table(line for file in sys.argv[1:] for line in Path(file).read_text().splitlines()), end="")
