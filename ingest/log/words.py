"""The topic of a ledger that several collectors share: compacted, of one partition, so all hear one order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from kafka import TopicPartition, errors

from consent_filter.errors import Broken, Misconfigured
from consent_filter.telling import Heard, Told
from ingest.log.cluster import away, cluster, ours, quiet
from ingest.log.kafka import HEADER
from ingest.log.settings import LogSettings

#: A message of a ledger, and the header that says whose.
_WORDS, _BY = b"2", "by"
#: An empty message says nothing; its key is no ledger's.
_TURN = b"\0turn"
#: A segment is closed after this, so that what nobody may have any more can be dropped from it; and whatever
#: is older is looked through, however little of it can go.
SEGMENT_MS = 60_000
#: Seconds between questions whether the brokers still answer, where there is nothing to hear.
_BEAT = 0.3


class Words:
    """`tell` raises OSError where no broker takes it in `timeout_s`. Threads may share one for telling; one
    thread listens."""

    def __init__(self, settings: LogSettings, data: Path, name: bytes) -> None:
        self.settings, self.name, self._cluster = settings, name, cluster(settings, data)
        self._at = TopicPartition(settings.ledger, 0)
        self._lock = threading.Lock()
        self._producer: Any = None
        #: When somebody here last told of what is to leave the topic, until a message follows that closes it.
        self._left: float | None = None
        self._age = SEGMENT_MS / 1000

    def check(self) -> None:
        """Make the topic if it is not there. Raises Misconfigured where it would lose a word, or keep one."""
        told = self.settings
        with self._cluster.admin() as admin:
            if told.ledger not in admin.list_topics():
                with suppress(errors.TopicAlreadyExistsError):
                    admin.create_topics({told.ledger: _topic(told)}, wait_for_metadata=True)
        found = self._cluster.topic(told.ledger)
        with self._cluster.consumer() as consumer:
            partitions = consumer.partitions_for_topic(told.ledger) or ()
        longest = max(int(found["segment.ms"]), int(found["max.compaction.lag.ms"]))
        for name, value, good, allowed in (
            ("partitions", len(partitions), len(partitions) == 1, "1: all must hear one order"),
            ("cleanup.policy", found["cleanup.policy"], found["cleanup.policy"] == "compact", '"compact"'),
            ("segment.ms", longest, longest <= 600_000, "it and max.compaction.lag.ms at most 600000"),
            ("unclean.leader.election.enable", found["unclean.leader.election.enable"],
             found["unclean.leader.election.enable"] == "false", "false"),
        ):  # fmt: skip
            if not good:
                raise Misconfigured(f"{name} of the topic {told.ledger}", value, allowed)
        self._age = int(found["segment.ms"]) / 1000

    def tell(self, messages: Sequence[Told]) -> int:
        """In this order, on every replica in sync when it returns: the offset of the last of them."""
        last = -1
        with self._lock:
            try:
                if self._producer is None:
                    self._producer = self._cluster.producer()
                head = [(HEADER, _WORDS), (_BY, self.name)]
                sent = [
                    self._producer.send(
                        self._at.topic, one.value, key=one.key, headers=head, partition=self._at.partition
                    )
                    for one in messages
                ]
                for one in sent:
                    last = one.get(timeout=self.settings.timeout_s + 1).offset
            except Exception as error:
                producer, self._producer = self._producer, None
                threading.Thread(target=quiet, args=(producer,), daemon=True).start()
                raise ours(error, self.settings) from None
        if any(one.key != _TURN for one in messages):
            self._left = time.monotonic()
        return last

    def turn(self) -> None:
        """Have the segment closed that holds what was replaced, where nobody says anything more."""
        if self._left is not None and time.monotonic() - self._left > self._age:
            self.tell([Told(_TURN, b"")])
            self._left = None

    @contextmanager
    def listening(self, start: int) -> Iterator[Ear]:
        """Hear what follows an offset."""
        with self._cluster.consumer() as consumer:
            consumer.assign([self._at])
            consumer.seek(self._at, max(start, consumer.beginning_offsets([self._at])[self._at]))
            yield Ear(consumer, self._at, self.settings)

    def close(self) -> None:
        """Give the writing client back."""
        with self._lock:
            if self._producer is not None:
                quiet(self._producer)
                self._producer = None


class Ear:
    """Of one thread, which asks again and again."""

    def __init__(self, consumer: Any, at: TopicPartition, settings: LogSettings) -> None:
        self._consumer, self._at, self._settings = consumer, at, settings
        self._end, self._asked, self._moved = 0, float("-inf"), time.monotonic()
        #: Messages of somebody else that were left out: what we say has a header.
        self.strangers = 0

    @property
    def at(self) -> int:
        """The offset of what is heard next; gaps of what was compacted are passed over."""
        return int(self._consumer.position(self._at))

    def poll(self) -> tuple[list[Heard], float | None]:
        """What has been said, after at most 50 ms; and, where with it everything is heard that had been said
        by then, that moment (`time.monotonic`). Raises OSError where no broker answers."""
        if (now := time.monotonic()) - self._asked > _BEAT:
            self._end, self._asked = int(self._consumer.end_offsets([self._at])[self._at]), now
        found = self._polled()
        whole = self.at >= self._end
        if found or whole:
            self._moved = now
        elif now - self._moved > self._settings.timeout_s:
            raise away("the topic of the ledger can't be read on: no broker gives it")
        heard = [_heard(one) for one in found if one.key != _TURN and HEADER in dict(one.headers)]
        self.strangers += sum(HEADER not in dict(one.headers) for one in found)
        return heard, self._asked if whole else None

    def _polled(self) -> Any:
        place = self.at
        try:
            return self._consumer.poll(timeout_ms=50).get(self._at, ())
        except errors.CorruptRecordError:
            name = f"{self._at.topic}-{self._at.partition}@{place}"
            if name not in self._settings.skip:
                raise Broken(
                    f"message {place} of {self._at.topic}-{self._at.partition} is damaged where the brokers"
                    " keep it: no event is stored until a replica has it whole, or it is named in [log] skip"
                    " and the collector started anew"
                ) from None
            self._consumer.seek(self._at, place + 1)
            return ()


def _heard(one: Any) -> Heard:
    """A message in a form that is not ours has no key that we could understand."""
    headers = dict(one.headers)
    key = (one.key or b"") if headers[HEADER] == _WORDS else b""
    return Heard(one.offset, key, one.value, headers.get(_BY, b""))


def given_up(settings: LogSettings) -> frozenset[int]:
    """Messages of the ledger's topic that an operator goes on without."""
    begins = f"{settings.ledger}-0@"
    return frozenset(int(one.removeprefix(begins)) for one in settings.skip if one.startswith(begins))


def _topic(told: LogSettings) -> dict[str, Any]:
    return {
        "num_partitions": 1,
        "replication_factor": told.replicas,
        "configs": {
            "cleanup.policy": "compact",
            "segment.ms": str(SEGMENT_MS),
            "max.compaction.lag.ms": str(SEGMENT_MS),
            "min.cleanable.dirty.ratio": "0.01",
            "delete.retention.ms": str(SEGMENT_MS),
            "file.delete.delay.ms": "1000",
            "message.timestamp.type": "LogAppendTime",
            "min.insync.replicas": str(max(told.replicas - 1, 1)),
            "unclean.leader.election.enable": "false",
        },
    }
