"""`throng explore`: one question about the crowd, printed in the form asked for."""

from __future__ import annotations

import sys
from argparse import Namespace

import msgspec

from throng.settings import load
from warehouse import funnel
from warehouse.answer import render
from warehouse.enquiry import LEFT, Enquiry
from warehouse.funnel import Funnel
from warehouse.question import read


def main(arguments: Namespace) -> int:
    text = arguments.question
    question = funnel.read(text) if funnel.asks(text) else read(text)
    # Nothing is held for a next question: there is none.
    how = msgspec.structs.replace(load(arguments.data).warehouse, explore_memory=0)
    gate = Enquiry(arguments.data, how)
    try:
        if isinstance(question, Funnel):
            table, said = gate.follow(question, spend=True)
        else:
            table, said = gate.ask(question)
    finally:
        gate.close()
    sys.stdout.buffer.write(render(table, arguments.format))
    sys.stdout.flush()
    print(f"{said['question']}; {_days(said['days'])}", file=sys.stderr)
    if isinstance(question, Funnel):
        for one in said["accounts"]:
            print(f"{one['month']}: new funnels left: {one['left']} of {one['of']}", file=sys.stderr)
        return 0
    for name, n in said["hidden"].items():
        print(f"up to {n} more {name} are in rows of too few people", file=sys.stderr)
    for why, days in said["left_out"].items():
        print(f"{_days(len(days))} left out: {LEFT[why]}", file=sys.stderr)
    return 0


def _days(n: int) -> str:
    return f"{n} day" if n == 1 else f"{n} days"
