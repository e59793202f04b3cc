"""The analyst's process: it answers as a direct question does, and is ended when nothing else helps."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from consent_filter.errors import Refused
from warehouse.analyst import Desk
from warehouse.query import ask
from warehouse.settings import Warehouse

#: One call into which no interrupt reaches: 95 seconds, measured.
ENDLESS = "SELECT levenshtein(repeat('a', 200_000), repeat('b', 200_000))"


@pytest.fixture
def desk(market: Path) -> Iterator[Desk]:
    one = Desk(market, Warehouse(query_seconds=1.0))
    yield one
    one.close()


def test_the_answer_is_the_same_as_without(desk: Desk, market: Path) -> None:
    for sql in ("FROM pages ORDER BY ALL", "SELECT 1 WHERE false", "FROM reports ORDER BY ALL"):
        assert desk.ask(sql).equals(ask(market, sql, Warehouse()))


def test_a_refusal_is_the_same_as_without(desk: Desk) -> None:
    with pytest.raises(Refused) as caught:
        desk.ask("FROM read_csv('/etc/passwd')")
    assert caught.value.code == "closed"
    assert desk.ask("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_what_cannot_be_interrupted_is_ended_and_the_next_question_is_answered(desk: Desk) -> None:
    begun = time.monotonic()
    with pytest.raises(Refused) as caught:
        desk.ask(ENDLESS)
    assert caught.value.code == "too_long"
    assert time.monotonic() - begun < 60
    assert desk.ask("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_giant_text_ends_that_question_only(desk: Desk) -> None:
    with pytest.raises(Refused) as caught:
        desk.ask("SELECT repeat('x', 3_900_000_000) || repeat('y', 3_900_000_000)")
    assert caught.value.code in ("too_large", "too_long", "bad_query")
    assert desk.ask("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_a_process_that_died_is_replaced(desk: Desk) -> None:
    desk.ready()
    assert desk._process is not None
    os.kill(desk._process.pid, 9)
    desk._process.wait()
    assert desk.ask("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_two_who_ask_wait_for_each_other(desk: Desk) -> None:
    desk.ask("SELECT 1")
    answers: list[object] = []
    sql = "SELECT count(*) AS n FROM pages"
    threads = [Thread(target=lambda: answers.append(desk.ask(sql).to_pylist())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert all(answer == answers[0] for answer in answers)
