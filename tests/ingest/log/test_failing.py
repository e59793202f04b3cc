"""Where a partition of a topic takes nothing: which one is next, and what becomes of the client."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import errors

from ingest.log.kafka import InTurn, KafkaLog
from ingest.log.settings import LogSettings
from tests.ingest.log.records import record


class Known:
    """What a client knows: partitions, and those that somebody leads."""

    def __init__(self, led: set[int]) -> None:
        self._led = led

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def available_partitions_for_topic(self, topic: str) -> set[int]:
        return self._led


class Client:
    """Writes, but for the first partition: it has a leader, and too few copies in sync. As with the true one,
    closing it fails where that may not take as long as its last record."""

    def __init__(self, turns: InTurn) -> None:
        self._turns, self.closed = turns, threading.Event()

    def send(self, topic: str, payload: bytes, **told: Any) -> Any:
        at = self._turns.partition(topic, None, None, payload, payload, Known({0, 1, 2}))
        if at == 0:
            raise errors.KafkaTimeoutError
        return SimpleNamespace(get=lambda timeout: SimpleNamespace(partition=at, offset=7))

    def close(self, timeout: float = 60.0) -> None:
        if timeout < 5:
            raise errors.KafkaTimeoutError
        self.closed.set()


def test_a_partition_that_nobody_leads_has_no_turn() -> None:
    turns = InTurn()
    assert {turns.partition("t", None, None, b"", b"", Known({1, 2})) for _ in range(4)} == {1, 2}
    # Where nobody leads any, the client waits for one, and says so in the end.
    assert {turns.partition("t", None, None, b"", b"", Known(set())) for _ in range(3)} == {0, 1, 2}


def test_one_partition_that_takes_nothing_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each failure has the next append begin with a new client; it must not begin with the same partition.
    The one before is closed, or each failure would leave a thread behind that calls brokers for ever."""
    log = KafkaLog(LogSettings(kind="kafka", bootstrap=("127.0.0.1:9",)), tmp_path)
    clients = list[Client]()

    def client(turns: InTurn) -> Client:
        clients.append(Client(turns))
        return clients[-1]

    monkeypatch.setattr(log, "check", lambda: None)
    monkeypatch.setattr(log, "_cluster", SimpleNamespace(producer=client, failed=lambda: None))
    stored, failed = list[str](), 0
    for n in range(9):
        try:
            stored.append(log.append(record(n)).partition)
        except OSError:
            failed += 1
    assert failed == 3
    assert all(one.closed.wait(10) for one in clients[:-1])
    assert {name.rpartition("-")[2] for name in stored} == {"1", "2"}
