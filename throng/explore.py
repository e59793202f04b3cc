"""`throng explore`: one question about the crowd, printed in the form asked for."""

from __future__ import annotations

import sys
from argparse import Namespace

import msgspec

from throng.settings import load
from warehouse.answer import render
from warehouse.enquiry import LEFT, Enquiry
from warehouse.question import read


def main(arguments: Namespace) -> int:
    question = read(arguments.question)
    # Nothing is held for a next question: there is none.
    how = msgspec.structs.replace(load(arguments.data).warehouse, explore_memory=0)
    gate = Enquiry(arguments.data, how)
    try:
        table, said = gate.ask(question)
    finally:
        gate.close()
    sys.stdout.buffer.write(render(table, arguments.format))
    sys.stdout.flush()
    print(f"{said['question']}; {said['days']} days", file=sys.stderr)
    for name, n in said["hidden"].items():
        print(f"up to {n} more {name} are in rows of too few people", file=sys.stderr)
    for why, days in said["left_out"].items():
        print(f"{len(days)} days are left out: {LEFT[why]}", file=sys.stderr)
    return 0
