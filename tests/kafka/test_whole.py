"""Throng over a topic: nothing is lost when the broker dies, and who is erased is gone from its files."""

from __future__ import annotations

import itertools
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring
from ingest.log.cluster import cluster
from ingest.log.opening import folder_only, opened, settings
from pipelines import facts, rights
from pipelines.balance import lag
from pipelines.settings import Backup, Pipelines
from tests.kafka.broker import Broker
from tests.pipelines.comeback import AFTER, collect, left, persons
from tests.warehouse.sample import found
from tests.whole.running import Up, until, up
from throng import balance

pytestmark = [
    pytest.mark.needs("kafka"),
    pytest.mark.timeout(180),
    # The client leaves sockets of failed calls to Python to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PART = ("part", "collector")
_topics = itertools.count()


def file(broker: Broker, **more: Any) -> str:
    """A settings file: one site, and a topic that nobody else has."""
    told = {"topic": f"whole{next(_topics)}", "timeout_s": 2, "largest_mib": 1} | more
    rest = "".join(f"{name} = {json.dumps(value)}\n" for name, value in told.items())
    return f'[[site]]\nid = "shop"\n[log]\nkind = "kafka"\nbootstrap = ["{broker.address}"]\n{rest}'


def quick(broker: Broker, data: Path, text: str) -> None:
    """A topic whose segments are closed after a second, so that a test needs no minutes."""
    data.mkdir(parents=True)
    (data / "throng.toml").write_text(text)
    told = settings(data)
    configs = {"segment.ms": "1000", "retention.ms": "-1", "file.delete.delay.ms": "100"}
    configs |= {"message.timestamp.type": "LogAppendTime", "max.message.bytes": str(2 << 20)}
    with cluster(told, data).admin() as admin:
        admin.create_topics({told.topic: {"num_partitions": 2, "configs": configs}}, wait_for_metadata=True)


def event(number: int, **more: object) -> dict[str, object]:
    return {"site": "shop", "type": "page_view", "url": "https://shop.example/a", "id": f"e{number}", **more}


def test_what_was_acknowledged_is_stored_once_whatever_becomes_of_the_broker(
    broker: Broker, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    acknowledged, told, lock, end = set[int](), list[int](), threading.Lock(), threading.Event()

    def load(running: Up) -> None:
        """Numbered events, each sent again until it is taken, as our scripts do."""
        while not end.is_set():
            with lock:
                told.append(len(told))
                number = told[-1]
            while not end.is_set():
                try:
                    status = running.post(event(number))
                except OSError:
                    continue
                if status == 202:
                    acknowledged.add(number)
                    break
                assert status == 503
                refusals.append(number)
                time.sleep(0.1)

    refusals: list[int] = []
    with up(data, *PART, settings=file(broker)) as running:
        threads = [threading.Thread(target=load, args=(running,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            until(lambda: len(acknowledged) > 100)
            broker.pause()  # hears nothing: a commit is given up after timeout_s, and its events come again
            until(lambda: refusals)
            broker.resume()
            before = len(acknowledged)
            until(lambda: len(acknowledged) > before + 100)
            broker.kill()
            refusals.clear()
            until(lambda: refusals)
            broker.start()
            before = len(acknowledged)
            until(lambda: len(acknowledged) > before + 100)
        finally:
            end.set()
            for thread in threads:
                thread.join()
        whole = balance.whole(data)
        assert whole["received"] == whole["stored"] + sum(whole["refused"].values())
        assert lag(data)["records"] > 0
        facts.run(data)
        assert balance.whole(data) == whole
        assert lag(data) == {"bytes": 0, "records": 0}
    stored = found(data)
    assert set(stored.rows.values()) == {1}, "something is stored twice"
    assert len(stored.rows) >= len(acknowledged) > 300
    assert whole["stored"] == len(stored.rows)
    with closing(opened(data)) as log:
        assert list(log.read({})) == [], "what is folded is trimmed"
    said = running.output.read_text()
    assert "answering 503" in said
    assert "storing again" in said


def test_who_is_erased_is_gone_from_every_byte_of_the_broker(broker: Broker, tmp_path: Path) -> None:
    data = tmp_path / "data"
    quick(broker, data, file(broker) + "[warehouse]\nmin_group = 1\n")
    topic = settings(data).topic
    ids = ["person-1", "person-2"]
    collect(data, ["person-0"], "collector", [0], time.time())
    first = persons(data, ["person-0"])

    def held(gone: list[int]) -> bool:
        try:
            return any(left(folder, gone) for folder in broker.logs.glob(f"{topic}-*"))
        except FileNotFoundError:  # the broker deletes one just now
            return True

    def clean(gone: list[int]) -> bool:
        facts.run(data)
        return not held(gone)

    assert held(first), "nothing to look for"
    until(lambda: clean(first))  # what is folded is gone, though nothing follows it
    collect(data, ids, "collector", [0], time.time())
    facts.run(data)
    collect(data, ids, "collector", [1, 2], time.time())  # of these nothing is folded yet
    gone = persons(data, ids[:1])
    assert held(gone), "nothing to look for"
    with closing(
        Ledger.open(data / "ledger.sqlite", Keyring.open(data / "keys.json"), gives=False)
    ) as ledger:
        ledger.erase("shop", "user", ids[0], "test", time.time_ns() // 1_000_000)
    made, now = list[str](), time.time()
    for ahead in (0.0, AFTER, 2 * AFTER):  # as the loop does
        made += rights.run(data, Pipelines(), Backup(), now + ahead, at_once=True).certified
        facts.run(data, Pipelines(), now + ahead)
    (number,) = made
    certificate = (data / "erasures" / f"{number}.json").read_text()
    assert "brokers have still to delete" in certificate
    until(lambda: clean(gone))
    assert left(data, gone) == []
    positions = opened(data).end()
    time.sleep(2.5)
    facts.run(data)
    assert opened(data).end() == positions, "once is enough on a quiet site"
    whole = balance.whole(data)
    assert whole == {"received": 7, "stored": 4, "refused": {"erased": 3}}

    # What brokers hold is no copy's: making one ready, as a restore does, neither folds nor trims it.
    collect(data, ids[1:], "collector", [7], time.time())
    with folder_only():
        assert facts.run(data).stored == 0
        assert balance.whole(data) == whole
    assert facts.run(data).stored == 1


def test_what_stood_in_segments_before_is_folded_with_the_rest(broker: Broker, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    collect(data, ["a", "b"], "collector", [0], time.time())
    (data / "throng.toml").write_text(file(broker))
    collect(data, ["a", "b"], "collector", [0, 1], time.time())
    assert len(opened(data).end()) == 1 + 4
    assert facts.run(data).stored == 4
    assert balance.whole(data) == {"received": 6, "stored": 4, "refused": {"duplicate": 2}}
    with closing(opened(data)) as both:
        assert list(both.read({})) == []
