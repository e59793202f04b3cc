"""A process apart answers each question with its own answer, however it starts and whatever it says."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from consent_filter.errors import Refused
from warehouse import apart
from warehouse.apart import Apart

#: Greets after so many seconds, says back what it is asked; and a line of no meaning before it for `broken`.
ECHO = """
import sys, time
import pyarrow as pa
from warehouse import apart
time.sleep({late})
def answer(said):
    if said["asked"] == "broken":
        sys.stdout.buffer.write(b"no answer of ours\\n")
    return pa.table({{"asked": [said["asked"]]}}), {{}}
apart.serve(answer)
"""


@pytest.fixture
def echo() -> Iterator[Callable[[float], Apart]]:
    made = list[Apart]()

    def make(late: float) -> Apart:
        made.append(Apart([sys.executable, "-c", ECHO.format(late=late)], 20.0))
        return made[-1]

    yield make
    for one in made:
        one.close()


def asked(one: Apart, what: str) -> list[str]:
    table, _ = one.put({"asked": what})
    found: list[str] = table["asked"].to_pylist()
    return found


def test_what_is_asked_of_one_that_still_starts_is_refused_and_never_answered_to_another(
    echo: Callable[[float], Apart], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, its greeting was taken for an answer, and each answer for that to the next question."""
    one = echo(1.0)
    monkeypatch.setattr(apart, "_START", 0.1)
    with pytest.raises(Refused) as caught:
        asked(one, "first")
    assert (caught.value.status, caught.value.code) == (503, "busy")
    monkeypatch.setattr(apart, "_START", 60.0)
    assert asked(one, "second") == ["second"]
    assert asked(one, "third") == ["third"]


def test_after_an_answer_that_can_not_be_read_the_next_is_of_the_next_question(
    echo: Callable[[float], Apart],
) -> None:
    one = echo(0.0)
    assert asked(one, "first") == ["first"]
    with pytest.raises(ValueError, match="Expecting"):
        asked(one, "broken")
    assert asked(one, "second") == ["second"]


def test_one_that_ends_at_its_start_is_said(echo: Callable[[float], Apart]) -> None:
    one = Apart([sys.executable, "-c", ""], 5.0)
    with pytest.raises(Refused) as caught:
        asked(one, "first")
    assert caught.value.status == 503


def test_whoever_closes_meets_whoever_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the process that one thread had ended was looked for by the other, whose thread died of it."""
    one = Apart([sys.executable, "-c", "import time; time.sleep(60)"], 1.0)
    process = one._running()
    kill = process.kill

    def met() -> None:
        monkeypatch.setattr(process, "kill", kill)
        one._end()  # as the other thread does, between any two lines of this one
        kill()

    monkeypatch.setattr(process, "kill", met)
    one.close()
    assert process.poll() is not None
    assert one._process is None
