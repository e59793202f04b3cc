"""`throng quality`: what the suites before publication have found, latest first."""

from __future__ import annotations

import json
import time
from argparse import Namespace

from warehouse import snapshot
from warehouse.checks import runs


def main(arguments: Namespace) -> int:
    """1 where the last look of a suite that stops publication has found something."""
    docs = snapshot.folder(arguments.data) / "validation"
    noted = runs.past(docs)
    if arguments.format == "json":
        print(json.dumps(noted))
    elif not noted:
        print("nothing was checked yet: throng publish")
    else:
        for one in noted:
            when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(one["at"]))
            said = "as expected" if not one["failures"] else "STOPPED" if one["stop"] else "UNUSUAL"
            print(f"{when}  {one['suite']:<16} {one['looked']:>6,} looked at  {said}")
            for failure in one["failures"]:
                print(f"{'':<26}{failure}")
            if one["page"]:
                print(f"{'':<26}{docs / one['page']}")
    return 1 if any(one["stop"] and one["failures"] for one in runs.latest(docs)) else 0
