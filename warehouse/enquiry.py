"""Questions put to the gate from outside it: a text goes in, released rows come out, and nothing else.

Whoever asks imports this and never `explore.py`. The gate runs as a process of its own, so that an operator
may start it with rights of its own (`[warehouse] explore_with`), and pages need none to facts.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from warehouse.apart import Apart, serve
from warehouse.question import Question, read
from warehouse.settings import Warehouse

#: Why days are left out of an answer, in words.
LEFT = {
    "running": "not over yet, or not published: the reports say what is known of them",
    "moved": "people have left them, or came late, since they were first asked about: an answer that is new"
    " would tell who",
    "coarse": "their facts are no longer as fine as this question",
    "audit": "what is hidden of them would follow from what is shown",
}


class Enquiry(Apart):
    """Questions about one data folder."""

    def __init__(self, data: Path, settings: Warehouse) -> None:
        command = [*shlex.split(settings.explore_with), sys.executable, "-m", "warehouse.enquiry"]
        super().__init__(command, settings.query_seconds)
        self._data, self._settings = data, settings

    def ask(self, question: Question) -> tuple[pa.Table, dict[str, Any]]:
        """The answer, and what is said of it: `question` in its one form, `days` that are in it, `left_out`
        days by reason, `hidden`: how much of each measure is in rows too small to be told. Raises Refused."""
        how = msgspec.to_builtins(self._settings)
        return self.put({"data": str(self._data.resolve()), "question": str(question), "settings": how})


def gate() -> Callable[[dict[str, Any]], tuple[pa.Table, dict[str, Any]]]:
    """Answers questions, opening the gate at the first: only the process that is it imports it."""
    from warehouse.explore import Gate

    gates: dict[str, Gate] = {}

    def answer(asked: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
        question = read(asked["question"])
        if asked["data"] not in gates:
            settings = msgspec.convert(asked["settings"], Warehouse)
            gates[asked["data"]] = Gate(Path(asked["data"]), settings)
        found = gates[asked["data"]].ask(question)
        return found.table, found.said()

    return answer


if __name__ == "__main__":
    serve(gate())
