"""`throng query`: one read-only statement on the released tables, printed in the form asked for."""

from __future__ import annotations

import sys
from argparse import Namespace

from throng.settings import load
from warehouse import query


def main(arguments: Namespace) -> int:
    sys.stdout.buffer.write(
        query.run(arguments.data, arguments.sql, arguments.format, load(arguments.data).warehouse)
    )
    return 0
