"""The log of many machines, on a real broker: what every log promises, and what only a topic can do wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from consent_filter.errors import Broken, Misconfigured
from ingest.log.cluster import cluster
from ingest.log.kafka import KafkaLog
from ingest.log.settings import LogSettings
from tests.ingest.log.records import number, record
from tests.ingest.log.test_log import *  # noqa: F403
from tests.kafka.broker import PASSWORD, USER, Broker
from tests.ports import free_ports
from throng.main import main

pytestmark = [
    pytest.mark.needs("kafka"),
    pytest.mark.timeout(120),
    # The client leaves a socket whose handshake failed to Python to close.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
_topics = itertools.count()


def told(broker: Broker, **more: Any) -> LogSettings:
    """Settings of a topic that nobody else has."""
    name = f"topic{next(_topics)}"
    first = {"kind": "kafka", "bootstrap": (broker.address,), "topic": name, "partitions": 1, "timeout_s": 5}
    return LogSettings(**(first | more))


@pytest.fixture
def log(broker: Broker, data: Path) -> Iterator[KafkaLog]:
    one = KafkaLog(told(broker), data)
    one.partition = f"{one.settings.topic}-0"  # type: ignore[attr-defined]
    yield one
    one.close()


def send(settings: LogSettings, data: Path, value: bytes, *headers: tuple[str, bytes]) -> None:
    """A message as anybody could put it into the topic."""
    client = cluster(settings, data).producer()
    client.send(settings.topic, value, headers=list(headers), partition=0).get(5)
    client.close()


def test_a_message_of_somebody_else_is_left_out_and_counted(log: KafkaLog, data: Path) -> None:
    log.append(record(1))
    send(log.settings, data, b"hello")
    send(log.settings, data, b"hello", ("other", b"1"))
    log.append(record(2))
    assert [number(found) for _, found in log.read({})] == [1, 2]
    assert log.left_out == 2


def test_a_record_that_cannot_be_read_stops_until_an_operator_gives_it_up(log: KafkaLog, data: Path) -> None:
    log.append(record(1))
    send(log.settings, data, b"\xff\xff of a later layout", ("throng", b"1"))
    log.append(record(2))
    with pytest.raises(Broken) as said:
        list(log.read({}))
    name = f"{log.settings.topic}-0@1"
    assert "layout" in str(said.value)
    assert f"name {name} in [log] skip" in str(said.value)
    skipping = LogSettings(
        **{one: getattr(log.settings, one) for one in LogSettings.__struct_fields__} | {"skip": (name,)}
    )
    assert [number(found) for _, found in KafkaLog(skipping, data).read({})] == [1, 2]


def test_damage_on_the_brokers_disk_is_noticed(broker: Broker, log: KafkaLog, data: Path) -> None:
    for n in range(3):
        log.append(record(n, size=3000))
    (file,) = (broker.logs / f"{log.settings.topic}-0").glob("*.log")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(Broken, match="damaged"):
        list(log.read({}))


def test_collectors_share_the_partitions_of_a_topic(broker: Broker, data: Path) -> None:
    settings = told(broker, partitions=3)
    logs = [KafkaLog(settings, data) for _ in range(2)]
    for n in range(12):
        logs[n % 2].append(record(n))
    ends = logs[0].end()
    assert sorted(ends) == [f"{settings.topic}-{n}" for n in range(3)]
    assert min(ends.values()) == 4
    cuts = list(logs[0].cuts({}, ends, 1))
    assert sum(stop - start for _, start, stop in cuts) == 12
    read = [number(r) for p, a, b in cuts for _, r in logs[1].read({p: a}, {p: b})]
    assert sorted(read) == list(range(12))
    for one in logs:
        one.close()


def test_a_topic_that_was_made_anew_is_not_read_as_the_old_one(log: KafkaLog) -> None:
    log.append(record(1))
    name = f"{log.settings.topic}-0"
    with pytest.raises(Broken, match="another name"):
        list(log.cuts({name: 5}, log.end(), 1))


def test_a_record_that_is_too_large_is_an_error_of_its_own(broker: Broker, data: Path) -> None:
    log = KafkaLog(told(broker, largest_mib=1), data)
    with pytest.raises(OSError, match="largest_mib"):
        log.append(record(1, size=2 << 20))
    log.append(record(2, size=(1 << 20) - 4096))
    assert [number(found) for _, found in log.read({})] == [2]
    log.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("retention.ms", "604800000"), ("cleanup.policy", "compact"), ("max.message.bytes", "1000")],
)
def test_a_topic_that_would_lose_what_was_acknowledged_is_refused(
    broker: Broker, data: Path, name: str, value: str
) -> None:
    settings = told(broker)
    good = {"retention.ms": "-1", "segment.ms": "1000", "max.message.bytes": str(16 << 20)}
    with cluster(settings, data).admin() as admin:
        admin.create_topics(
            {settings.topic: {"num_partitions": 1, "configs": good | {name: value}}}, wait_for_metadata=True
        )
    with pytest.raises(Misconfigured) as said:
        KafkaLog(settings, data).append(record(1))
    assert said.value.key.startswith(name)
    assert said.value.value == value


def test_tls_and_a_password_from_a_file(broker: Broker, data: Path) -> None:
    (data / "ca.pem").write_bytes((broker.folder.parent / "tls.pem").read_bytes())
    (data / "secret").write_text(f"{PASSWORD}\n")
    safe = {
        "bootstrap": (f"localhost:{broker.safe_port}",), "tls": True, "ca": "ca.pem", "sasl": "PLAIN",
        "username": USER, "password_file": "secret",
    }  # fmt: skip
    log = KafkaLog(told(broker, **safe), data)
    log.append(record(1))
    assert [number(found) for _, found in log.read({})] == [1]
    log.close()
    safe |= {"timeout_s": 2}
    (data / "wrong").write_text("not-the-password")
    with pytest.raises((Misconfigured, OSError), match=r"log\.username") as said:
        KafkaLog(told(broker, **safe | {"password_file": "wrong"}), data).append(record(1))
    assert "not-the" not in str(said.value)
    with pytest.raises(Misconfigured, match=r"log\.password_file"):
        KafkaLog(told(broker, **safe | {"password_file": "nowhere"}), data).append(record(1))
    with pytest.raises(Misconfigured, match=r"log\.ca"):  # not who signed the broker's certificate
        KafkaLog(told(broker, **safe | {"ca": "", "timeout_s": 1}), data).append(record(1))


def test_brokers_that_are_away_are_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_ports(1)
    (data / "throng.toml").write_text(f'[log]\nkind = "kafka"\nbootstrap = ["127.0.0.1:{port}"]\n')
    assert main(["facts", "--data", str(data)]) == 1
    assert f"throng: OSError: no Kafka broker listens at 127.0.0.1:{port}" in capsys.readouterr().err
    assert main(["status", "--data", str(data)]) == 0
    assert f"can't be read: OSError: no Kafka broker listens at 127.0.0.1:{port}" in capsys.readouterr().out
