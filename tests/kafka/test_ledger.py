"""One consent ledger of two collectors, each with a data folder of its own, over a real broker."""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from consent_filter.decide import MEASUREMENT
from consent_filter.ledger import Ledger
from consent_filter.pseudonym import Keyring, subject
from ingest.conferring import GRACE
from ingest.log.cluster import cluster
from ingest.log.opening import settings
from pipelines import facts
from tests.kafka.broker import Broker
from tests.warehouse.sample import found
from tests.whole.running import Up, up
from throng import balance

pytestmark = [
    pytest.mark.needs("kafka"),
    pytest.mark.timeout(240),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PART = ("part", "collector")
_topics = itertools.count()


def file(broker: Broker) -> str:
    n = next(_topics)
    return (
        f'[[site]]\nid = "shop"\n[warehouse]\nmin_group = 1\n[log]\nkind = "kafka"\n'
        f'bootstrap = ["{broker.address}"]\ntopic = "shared{n}"\nledger = "words{n}"\n'
        f"timeout_s = 2\nlargest_mib = 1\npartitions = 2\n"
    )


@contextmanager
def two(broker: Broker, place: Path) -> Iterator[list[Up]]:
    """Two collectors that know the same keys."""
    text, first = file(broker), place / "a"
    first.mkdir()
    Keyring.open(first / "keys.json")
    (place / "b").mkdir()
    shutil.copy(first / "keys.json", place / "b" / "keys.json")
    quick(broker, first, text)
    with ExitStack() as stack:
        yield [stack.enter_context(up(place / name, *PART, settings=text)) for name in "ab"]


def put(running: Up, id: str, **choice: bool) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
    body = json.dumps({"site": "shop", "device_id": id, "consent": choice})
    connection.request("PUT", "/consent", body, {"Content-Type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def said(running: Up, id: str) -> dict[str, bool]:
    status, body = running.get(f"/consent?site=shop&device_id={id}")
    assert status == 200
    choice: dict[str, bool] = json.loads(body)["consent"]
    return choice


_numbers = itertools.count()


def event(id: str, **more: Any) -> dict[str, Any]:
    page = {"site": "shop", "type": "page_view", "url": "https://shop.example/a", "id": f"e{next(_numbers)}"}
    return page | {"device_id": id} | more


def persons(data: Path, id: str) -> list[tuple[int, str]]:
    keys = Keyring.open(data / "keys.json")
    with closing(Ledger.open(data / "ledger.sqlite", keys, read_only=True)) as one:
        known = one.subject(one.key("shop", "device", id)).persons
    return [(person.person, person.standing) for person in known if person.purpose == MEASUREMENT]


def held(broker: Broker, topic: str, what: bytes) -> bool:
    """Whether the broker's files of that topic hold these bytes."""
    try:
        return any(what in one.read_bytes() for one in broker.logs.glob(f"{topic}-*/*.log*"))
    except FileNotFoundError:  # deleted just now
        return True


def quick(broker: Broker, data: Path, text: str) -> str:
    """A topic that is looked through after a second, so that a test needs no minutes; its name."""
    (data / "throng.toml").write_text(text)
    told = settings(data)
    configs = {"cleanup.policy": "compact", "segment.ms": "1000", "max.compaction.lag.ms": "1000"}
    configs |= {"min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000"}
    configs |= {"file.delete.delay.ms": "100", "message.timestamp.type": "LogAppendTime"}
    with cluster(told, data).admin() as admin:
        admin.create_topics({told.ledger: {"num_partitions": 1, "configs": configs}}, wait_for_metadata=True)
    return told.ledger


def soon(what: Callable[[], Any]) -> float:
    """Seconds until it is so."""
    begun = time.monotonic()
    while not what():
        assert time.monotonic() - begun < 30
        time.sleep(0.02)
    return time.monotonic() - begun


def test_two_collectors_are_one(broker: Broker, tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    with two(broker, tmp_path) as (one, other):
        topic = settings(a).ledger
        # What is said at one is obeyed by the other, in much less than a second on a machine with time.
        assert put(one, "ann", measurement=True) == 200
        assert soon(lambda: said(other, "ann") == {"measurement": True}) < 5
        for running in (one, other, other):
            assert running.post(event("ann")) == 202
        (ann,) = persons(a, "ann")
        assert persons(b, "ann") == [ann], "one person at both"
        assert put(other, "ann", measurement=False) == 200
        assert soon(lambda: said(one, "ann") == {"measurement": False}) < 5
        assert one.post(event("ann")) == 202
        assert persons(a, "ann") == persons(b, "ann") == [(ann[0], "withdrawn")]

        # Where nobody hears, what is said binds here at once, and nothing is stored.
        broker.pause()
        assert put(one, "bob", measurement=False) == 202, "and elsewhere when it is told"
        assert said(one, "bob") == {"measurement": False}
        assert other.post(event("bob")) == 503
        broker.resume()
        soon(lambda: said(other, "bob") == {"measurement": False})
        soon(lambda: other.post(event("bob")) == 202)

        # Who is erased, by a command on the machine of one, is gone from the other and from the topic.
        assert put(other, "eve", measurement=True, research=True) == 200
        soon(lambda: said(one, "eve"))
        soon(lambda: one.post(event("eve")) == 202)
        with closing(sqlite3.connect(a / "ledger.sqlite")) as file:
            (salt,) = file.execute("SELECT salt FROM salt ORDER BY seq DESC LIMIT 1").fetchone()
        assert held(broker, topic, salt)
        assert held(broker, topic, b"research")
        officer = Ledger.open(a / "ledger.sqlite", Keyring.open(a / "keys.json"), gives=False)
        with closing(officer):
            officer.erase("shop", "device", "eve", "officer", time.time_ns() // 1_000_000)
        soon(lambda: [standing for _, standing in persons(b, "eve")] == ["removing"])
        assert salt not in (b / "ledger.sqlite").read_bytes()
        soon(lambda: not held(broker, topic, salt) and not held(broker, topic, b"research"))
    assert facts.run(a).stored == 3, "those of ann"
    whole = balance.whole(a)
    assert whole["received"] == whole["stored"] + sum(whole["refused"].values())
    stored = found(a)
    assert set(stored.rows.values()) == {1}
    assert not {"bob"} & {line for one in (one, other) for line in one.output.read_text().split()}


def test_what_was_said_while_brokers_were_away_is_heard_before_anything_is_stored(
    broker: Broker, tmp_path: Path
) -> None:
    """The collector where it was said may come back a little later than the other."""
    with two(broker, tmp_path) as (one, other):
        assert put(one, "ann", measurement=True) == 200
        soon(lambda: said(other, "ann") == {"measurement": True})
        soon(lambda: other.post(event("ann")) == 202)
        broker.kill()
        soon(lambda: put(one, "ann", measurement=False) == 202)
        soon(lambda: "ledger: " in other.output.read_text())
        one.process.send_signal(signal.SIGSTOP)
        broker.start()
        late = threading.Timer(GRACE / 4, one.process.send_signal, (signal.SIGCONT,))
        late.start()
        soon(lambda: other.post(event("ann")) == 202)
        late.join()
        soon(lambda: [standing for _, standing in persons(tmp_path / "a", "ann")] == ["withdrawn"])
        soon(lambda: put(one, "ann", research=False) == 200)
    assert facts.run(tmp_path / "a").stored == 1


def strange(data: Path, key: bytes, kind: bytes | None, value: bytes = b"{") -> int:
    """Have somebody write into the ledger's topic; the message's place."""
    told = settings(data)
    producer = cluster(told, data).producer()
    headers = [] if kind is None else [("throng", kind), ("by", b"somebody")]
    sent = producer.send(told.ledger, value, key=key, headers=headers, partition=0)
    place = int(sent.get(timeout=10).offset)
    producer.close()
    return place


@pytest.mark.requirement("M110")
def test_what_cannot_be_read_in_the_topic_is_nobodys_consent(broker: Broker, tmp_path: Path) -> None:
    a, stored = tmp_path / "a", 0

    def bob(running: Up) -> int:
        nonlocal stored
        status = running.post(event("bob"))
        stored += status == 202
        return status

    with two(broker, tmp_path) as both:
        keys = Keyring.open(a / "keys.json")
        assert put(both[0], "ann", measurement=True) == 200
        for running in both:
            soon(lambda running=running: said(running, "ann") == {"measurement": True})  # type: ignore[misc]
        key = subject(keys, "shop", "device", "ann")
        place = strange(a, b"w" + key, b"2")
        strange(a, b"w" + key, None)
        for running in both:  # it may have been a refusal: whoever it is about is refused, and nobody else
            soon(lambda running=running: not said(running, "ann")["measurement"])  # type: ignore[misc]
            assert (running.post(event("ann")), bob(running)) == (202, 202)
            line = f"-0@{place} can't be read; whoever it is about is refused everything"
            assert line in running.output.read_text()
            soon(lambda running=running: "messages of somebody else" in running.output.read_text())  # type: ignore[misc]
        # Of a later version, or without a key that tells whose it is: somebody may have refused.
        later = strange(a, b"w" + key, b"9")
        for running in both:
            soon(lambda running=running: bob(running) == 503)  # type: ignore[misc]
            assert f"message {later} of {settings(a).ledger}-0 is damaged, or of a later version" in (
                running.output.read_text()
            )
    skip = f'skip = ["{settings(a).ledger}-0@{later}", "{settings(a).ledger}-0@{place}"]\n'
    with up(a, *PART, settings=(a / "throng.toml").read_text() + skip) as running:
        soon(lambda: bob(running) == 202)
        assert said(running, "ann") == {"measurement": True}, "the operator has given it up"
    assert facts.run(a).stored == stored, "all of bob's, and none of ann's"
