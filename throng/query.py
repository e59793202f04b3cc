"""`throng query`: one read-only statement on the released tables, printed in the form asked for."""

from __future__ import annotations

import re
import sys
from argparse import Namespace

from throng.settings import load
from warehouse import query, report
from warehouse.release import method
from warehouse.settings import Warehouse


def main(arguments: Namespace) -> int:
    how = load(arguments.data).warehouse
    sys.stdout.buffer.write(query.run(arguments.data, arguments.sql, arguments.format, how))
    if sys.stderr.isatty():  # for people; what reads this from a pipe finds it in the table `reports`
        sys.stdout.flush()
        print(_exact(arguments.sql, how), file=sys.stderr)
    return 0


def _exact(sql: str, how: Warehouse) -> str:
    """How exact the numbers are of the reports that a statement names."""
    named = [one for name, one in report.load().items() if re.search(rf"\b{name}\b", sql)]
    return "\n".join(f"{one.name}: {method(one, how)}" for one in named)
