"""What a topic must be like: nothing that is acknowledged is lost, and nothing that is erased stays."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from kafka import errors

from consent_filter.errors import Misconfigured
from ingest.log.cluster import Cluster
from ingest.log.settings import LogSettings

#: A segment of the topic is closed after this, so that trimming can free it (`docs/kafka.md`, erasure).
SEGMENT_MS = 120_000


def make(brokers: Cluster) -> None:
    """See that the topic is there, and such that what is acknowledged stays until it is trimmed.

    Raises Misconfigured where it is not, OSError where nobody answers.
    """
    told = brokers.settings
    with brokers.admin() as admin:
        if told.topic not in admin.list_topics():
            with suppress(errors.TopicAlreadyExistsError):
                admin.create_topics({told.topic: _topic(told)}, wait_for_metadata=True)
    demand(brokers)


def demand(brokers: Cluster) -> None:
    """Raises Misconfigured where a topic that is there loses what it should keep, or keeps what should go."""
    told, found = brokers.settings, brokers.topic()
    largest = int(told.largest_mib * (1 << 20))
    for name, good, allowed in (
        ("cleanup.policy", found["cleanup.policy"] == "delete", '"delete": compaction drops records'),
        ("retention.ms", found["retention.ms"] == "-1", "-1: what is folded is trimmed, nothing else is"),
        ("retention.bytes", found["retention.bytes"] == "-1", "-1: what is not folded must stay"),
        ("segment.ms", int(found["segment.ms"]) <= 600_000, "at most 600000: erasure waits for it"),
        ("max.message.bytes", int(found["max.message.bytes"]) >= largest, f"{largest} or more"),
        ("unclean.leader.election.enable", found["unclean.leader.election.enable"] == "false", "false"),
    ):
        if not good:
            raise Misconfigured(f"{name} of the topic {told.topic}", found[name], allowed)


def _topic(told: LogSettings) -> dict[str, Any]:
    """A topic for events, as the admin client wants it said."""
    return {
        "num_partitions": told.partitions,
        "replication_factor": told.replicas,
        "configs": {
            "cleanup.policy": "delete",
            "retention.ms": "-1",
            "retention.bytes": "-1",
            "segment.ms": str(SEGMENT_MS),
            "file.delete.delay.ms": "1000",
            "max.message.bytes": str(int(told.largest_mib * (1 << 20)) + 4096),
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(max(told.replicas - 1, 1)),
            "unclean.leader.election.enable": "false",
        },
    }
