"""`throng check` looks at brokers: who does not listen or let us in, has no topic, or one that loses."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ingest.log.cluster import cluster
from ingest.log.kafka import KafkaLog
from ingest.log.opening import settings
from ingest.log.words import Words
from tests.ingest.log.records import record
from tests.kafka.broker import PASSWORD, USER, Broker
from tests.ports import free_ports
from throng import check, lock

pytestmark = [
    pytest.mark.needs("kafka"),
    pytest.mark.timeout(120),
    # The client leaves a socket whose handshake failed to Python to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
_topics = itertools.count()


def tell(broker: Broker, data: Path, **more: Any) -> str:
    """Write settings of a topic that nobody else has: its name."""
    topic = f"looked{next(_topics)}"
    said = {"kind": "kafka", "bootstrap": [broker.address], "topic": topic, "timeout_s": 5} | more
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in said.items())
    (data / "throng.toml").write_text(f"[log]\n{lines}")
    return topic


def looked(data: Path) -> list[tuple[str, str]]:
    """What is said of brokers, and how to mend it."""
    return [(one.says, one.mend) for one in check.findings(data) if one.about in ("brokers", "kafka")]


def topics(data: Path) -> set[str]:
    with cluster(settings(data), data).admin() as admin:
        return set(admin.list_topics())


def test_to_look_makes_no_topic(broker: Broker, data: Path) -> None:
    topic = tell(broker, data, ledger="words-looked")
    before = topics(data)
    missing = (
        "they let us in; there is no topic {}, or we may not see it: the collector makes what is missing"
    )
    assert looked(data) == [(missing.format(name), "") for name in (topic, "words-looked")]
    assert topics(data) == before
    KafkaLog(settings(data), data).append(record(1))
    Words(settings(data), data, b"me").check()
    assert looked(data) == [(f"they let us in; the topic {topic} keeps what is not folded", "")]


def test_a_topic_that_is_gone_while_throng_runs(broker: Broker, data: Path) -> None:
    tell(broker, data)
    with lock.together(data):
        ((says, mend),) = looked(data)
    assert "there is no topic" in says
    assert "start the collector again" in mend


def test_a_topic_that_loses_what_it_is_given(broker: Broker, data: Path) -> None:
    topic = tell(broker, data)
    with cluster(settings(data), data).admin() as admin:
        short = {"num_partitions": 1, "configs": {"retention.ms": "604800000"}}
        admin.create_topics({topic: short}, wait_for_metadata=True)
    ((says, mend),) = looked(data)
    assert f"retention.ms of the topic {topic} = '604800000'" in says
    assert mend


def test_who_is_not_let_in_is_told_why(broker: Broker, data: Path) -> None:
    (data / "ca.pem").write_bytes((broker.folder.parent / "tls.pem").read_bytes())
    (data / "secret").write_text(PASSWORD)
    (data / "wrong").write_text("not-the-password")
    safe = {
        "bootstrap": [f"localhost:{broker.safe_port}"], "tls": True, "ca": "ca.pem", "sasl": "PLAIN",
        "username": USER, "password_file": "secret",
    }  # fmt: skip
    tell(broker, data, **safe)
    assert [mend for _, mend in looked(data)] == [""]
    tell(broker, data, **safe | {"password_file": "wrong"})
    ((says, mend),) = looked(data)
    assert "log.username" in says
    assert "not-the" not in says
    assert mend
    tell(broker, data, **safe | {"ca": ""})  # not who signed the broker's certificate
    ((says, mend),) = looked(data)
    assert says.startswith("log.ca")
    assert mend


def test_brokers_that_do_not_listen_or_do_not_answer(broker: Broker, data: Path) -> None:
    nobody = f"127.0.0.1:{free_ports(1)}"
    tell(broker, data, bootstrap=[nobody])
    assert looked(data) == [(f"nobody listens at {nobody}", "start that broker, or correct [log] bootstrap")]
    tell(broker, data, bootstrap=[nobody, broker.address])
    (first, _), (second, fine) = looked(data)
    assert (first, fine) == (f"nobody listens at {nobody}", "")
    assert second.startswith("they let us in")
    tell(broker, data, timeout_s=60)
    broker.pause()
    try:
        ((says, mend),) = looked(data)
    finally:
        broker.resume()
    assert "can't be used now" in says
    assert mend
