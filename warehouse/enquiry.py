"""Questions put to the gate from outside it: a text goes in, released rows come out, and nothing else.

Whoever asks imports this and never `explore.py`. The gate runs as a process of its own, so that an operator
may start it with rights of its own (`[warehouse] explore_with`), and pages need none to facts.
"""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from consent_filter.errors import Refused
from warehouse import funnel
from warehouse.apart import ADDRESS_SPACE, Apart, serve
from warehouse.funnel import Funnel
from warehouse.question import Question, read
from warehouse.settings import Warehouse

if TYPE_CHECKING:
    from warehouse.explore import Gate

#: Address space of the gate's process, which holds facts: eight million need 7.4 gigabytes of it while they
#: are read, of which 1.6 are used.
_SPACE = 3 * ADDRESS_SPACE
#: The most seconds that are waited after each step of what is done ahead, which is done by half of a core.
_REST = 0.5
#: Seconds after which it is looked again what is lacking: that takes as long as a question.
_LOOK = 60.0
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
        self._data, self._settings, self._closed = data, settings, Event()
        self._reading = Thread()
        #: When a question lets it be looked again whether something is lacking.
        self._again = 0.0

    def ask(self, question: Question) -> tuple[pa.Table, dict[str, Any]]:
        """The answer, and what is said of it: `question` in its one form, `days` that are in it, `left_out`
        days by reason, `hidden`: how much of each measure is in rows too small to be told. Raises Refused."""
        found = self._put(str(question))
        if time.monotonic() >= self._again:  # whoever asks once asks again
            self.ready()
        return found

    def follow(self, asked: Funnel, *, spend: bool) -> tuple[pa.Table, dict[str, Any]]:
        """What was told of a funnel of one's own, and what is said of it (`follower.py`); where nothing was
        told yet, no rows, unless `spend`: then it is asked, and paid for. Raises Refused."""
        return self._put(str(asked), spend=spend)

    def ready(self) -> None:
        """Start the process, and let it answer ahead what may be asked, a little at a time."""
        super().ready()
        if not self._reading.is_alive():
            self._reading = Thread(target=self._read, daemon=True)
            self._reading.start()

    def wait(self) -> None:
        """Until what `ready` began is done."""
        if self._reading.ident is not None:
            self._reading.join()

    def _read(self) -> None:
        with suppress(Refused, OSError, ValueError):  # closed meanwhile: then nobody waits for it
            while not self._closed.is_set():
                begun = time.monotonic()
                if not self._put("")[1]["more"]:
                    self._again = time.monotonic() + _LOOK
                    return
                self._closed.wait(min(time.monotonic() - begun, _REST))  # whoever asks goes first

    def close(self) -> None:
        """End the process, and what is done ahead in it."""
        self._closed.set()
        super().close()
        self.wait()
        super().close()  # one that was begun meanwhile

    def _put(self, question: str, *, spend: bool = False) -> tuple[pa.Table, dict[str, Any]]:
        how = msgspec.to_builtins(self._settings)
        data = str(self._data.resolve())
        return self.put({"data": data, "question": question, "spend": spend, "settings": how})


class Gates:
    """The gates of this process, each opened by its first question: only it imports what meets facts."""

    def __init__(self) -> None:
        self._open: dict[str, Gate] = {}

    def answer(self, asked: dict[str, Any]) -> tuple[pa.Table, dict[str, Any]]:
        """The answer to a question; or to none, which makes ready for one."""
        if asked["data"] not in self._open:
            from warehouse.explore import Gate

            settings = msgspec.convert(asked["settings"], Warehouse)
            self._open[asked["data"]] = Gate(Path(asked["data"]), settings)
        gate = self._open[asked["data"]]
        if not asked["question"]:
            return pa.table({}), {"more": gate.prepare()}
        if funnel.asks(asked["question"]):
            return gate.follow(funnel.read(asked["question"]), spend=asked["spend"])
        found = gate.ask(read(asked["question"]))
        return found.table, found.said()

    def rest(self) -> None:
        """Let go of what is held for the next question."""
        for gate in self._open.values():
            gate.rest()


if __name__ == "__main__":
    gates = Gates()
    serve(gates.answer, gates.rest, _SPACE)
