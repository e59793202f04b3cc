"""The log of many machines: a Kafka topic, one record a message, acknowledged by every replica in sync.

A partition of ours is one of the topic's, named `<topic>-<number>`; a position counts messages. Anybody may
write: a message goes to the partitions in turn, and what is read twice is told by the ids of events. An
append whose answer was lost may stand in the topic all the same: it was not acknowledged, the client comes
again, and the fold counts what it repeats as `duplicate`, as with any answer that is lost on its way.
"""

from __future__ import annotations

import errno
import itertools
import sys
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from kafka import TopicPartition, errors
from kafka.partitioner import Partitioner

from consent_filter.errors import Broken
from ingest.log import Offset, Offsets, topic
from ingest.log.cluster import away, cluster, ours, quiet
from ingest.log.record import Record, decode, encode
from ingest.log.settings import LogSettings

#: A message of ours carries this header; any other message in the topic is left out.
HEADER = "throng"
_EVENTS, _TURN = b"1", b"turn"
#: Messages of one element of a job: at 75 KB each, as many bytes as a stretch of segments.
STRETCH = 1000
#: What a broker takes at most to delete a trimmed segment: log.retention.check.interval.ms, and a bit.
_CHECK_S = 360
#: When something was trimmed last, by topic and partition, and behind which message there is nothing to free.
_trimmed: dict[tuple[LogSettings, str], float] = {}
_turned: dict[tuple[LogSettings, str], int] = {}


class InTurn(Partitioner):
    """Partitions one after another, but for those that nobody leads, while there are others.

    It outlives the client that asks: one that began anew with the first partition after each failure would
    try nothing but the first where that one fails, and nothing would be stored while the others could.
    """

    def __init__(self) -> None:
        self._turns = itertools.count()

    def partition(self, topic: str, *message: Any) -> int:
        """The next; the last of `message` is what the client knows of its brokers."""
        known = message[-1]
        found = sorted(known.available_partitions_for_topic(topic) or known.partitions_for_topic(topic))
        return int(found[next(self._turns) % len(found)])


class KafkaLog:
    """`append` raises OSError where no broker takes the record in `timeout_s`, Misconfigured where none will.

    One process writes through one object; threads may share it. `read` says nothing of messages that are not
    ours; `left_out` counts them. A record that is damaged, or of another version's layout, is Broken until
    the operator gives it up by name in `[log] skip`.
    """

    def __init__(self, settings: LogSettings, data: Path) -> None:
        self.settings, self._cluster = settings, cluster(settings, data)
        self.left_out = 0
        self._lock = threading.Lock()
        self._producer: Any = None
        self._turns = InTurn()

    def check(self) -> None:
        """Make the topic if it is not there. Misconfigured where it would lose what we acknowledge."""
        topic.make(self._cluster)

    def append(self, record: Record) -> Offset:
        """Durable on every replica in sync when it returns."""
        payload = encode(record)
        if len(payload) > self.settings.largest_mib * (1 << 20):
            raise OSError(errno.EMSGSIZE, "the record is larger than log.largest_mib")
        with self._lock:
            return self._send(_EVENTS, payload)

    def _send(self, kind: bytes, payload: bytes, number: int | None = None) -> Offset:
        try:
            if self._producer is None:
                self.check()
                self._producer = self._cluster.producer(self._turns)
            sent = self._producer.send(
                self.settings.topic, payload, headers=[(HEADER, kind)], partition=number
            )
            told = sent.get(timeout=self.settings.timeout_s + 1)
        except Exception as error:
            # The next append begins anew: a client that gave a record up may be out of step with its broker.
            producer, self._producer = self._producer, None
            if producer is not None:
                threading.Thread(target=self._give_back, args=(producer,), daemon=True).start()
            raise ours(error, self.settings) from None
        return Offset(self._name(told.partition), told.offset + 1)

    def _give_back(self, producer: Any) -> None:
        """Not on the way of a commit: a client whose broker is away closes slowly, when its last record has
        been given up. One that is told to close sooner fails in that, and keeps its thread for good."""
        quiet(producer)
        self._cluster.failed()

    def read(self, start: Offsets, stop: Offsets | None = None) -> Iterator[tuple[Offset, Record]]:
        """Records after `start` up to `stop`, and never beyond what every replica in sync has."""
        for partition, last in self.end().items():
            until = last if stop is None else min(last, stop.get(partition, 0))
            if start.get(partition, 0) < until:
                for message in self._messages(partition, start.get(partition, 0), until):
                    found = self._record(partition, message)
                    if found is not None:
                        yield Offset(partition, message.offset + 1), found

    def _messages(self, partition: str, start: int, stop: int) -> Iterator[Any]:
        at = TopicPartition(self.settings.topic, int(partition.rpartition("-")[2]))
        with self._cluster.consumer() as consumer:
            consumer.assign([at])
            consumer.seek(at, max(start, consumer.beginning_offsets([at])[at]))
            patience = time.monotonic() + self.settings.timeout_s
            while (place := consumer.position(at)) < stop:
                try:
                    found = consumer.poll(timeout_ms=100).get(at, ())
                except errors.CorruptRecordError:
                    self._give_up(partition, place, "it is damaged: a replica may have it whole")
                    consumer.seek(at, place + 1)
                    continue
                except errors.OffsetOutOfRangeError:  # trimmed since it was asked for
                    consumer.seek(at, max(place, consumer.beginning_offsets([at])[at]))
                    continue
                if found:
                    patience = time.monotonic() + self.settings.timeout_s
                    yield from (message for message in found if message.offset < stop)
                elif time.monotonic() > patience:
                    raise away(f"{partition} can't be read on from {place}: no broker gives it")

    def _record(self, partition: str, message: Any) -> Record | None:
        kind = dict(message.headers).get(HEADER)
        if kind == _TURN:
            return None
        if kind is None or message.value is None:
            self.left_out += 1
            return None
        try:
            if kind != _EVENTS:
                raise Broken("a record of a kind that this version does not know")
            return decode(message.value)
        except Exception as error:
            why = str(error) if isinstance(error, Broken) else "it can't be read"
            self._give_up(partition, message.offset, why)
            return None

    def _give_up(self, partition: str, offset: int, why: str) -> None:
        """Go on where the operator has said so."""
        name = f"{partition}@{offset}"
        if name not in self.settings.skip:
            raise Broken(
                f"record {offset} of {partition}: {why}; to go on without it, name {name} in [log] skip"
            )

    def end(self) -> Offsets:
        """The position after the last message of every partition; none where there is no topic yet."""
        return self._offsets("end_offsets")

    def _offsets(self, which: str) -> Offsets:
        with self._cluster.consumer() as consumer:
            numbers = sorted(consumer.partitions_for_topic(self.settings.topic) or ())
            if not numbers:
                return {}
            found = getattr(consumer, which)([TopicPartition(self.settings.topic, n) for n in numbers])
            return {self._name(at.partition): position for at, position in sorted(found.items())}

    def cuts(self, start: Offsets, stop: Offsets, size: int) -> Iterator[tuple[str, int, int]]:
        """What stands between, cut after `STRETCH` messages: how many bytes they have nobody knows.

        What the brokers have lost of it is said. Raises Broken where the topic ends before what has
        been folded: it is another one by the same name.
        """
        ends = self.end()
        firsts = self._offsets("beginning_offsets") if ends else {}
        for partition, end in ends.items():
            begun = start.get(partition, 0)
            if begun > end:
                raise Broken(
                    f"{partition} ends at {end}, before {begun}, which is folded: the topic was made anew "
                    "or lost records; give it another name in [log] topic"
                )
            last = min(stop.get(partition, 0), end)
            if begun and (first := firsts.get(partition, 0)) > begun:
                print(f"log: {partition} begins at {first}; {begun} to {first - 1} are gone, and were never "
                      "folded", file=sys.stderr, flush=True)  # fmt: skip
            for at in range(begun, last, STRETCH):
                yield partition, at, min(at + STRETCH, last)

    def trim(self, before: Offsets) -> None:
        """Have the brokers delete what lies before. Their files go when they are closed; so that this happens
        on a quiet site, too, an empty message follows what was trimmed, once, when the segment is of age."""
        first = self._offsets("beginning_offsets")
        gone = {name: before[name] for name, position in first.items() if before.get(name, 0) > position}
        if gone:
            with self._cluster.admin() as admin:
                admin.delete_records({self._at(name): position for name, position in gone.items()})
        now = time.monotonic()
        for name in first:
            if before.get(name, 0) <= _turned.get((self.settings, name), 0):
                continue
            if name in gone or (self.settings, name) not in _trimmed:
                _trimmed[self.settings, name] = now
            elif now - _trimmed[self.settings, name] > self._cluster.age():
                self.let_go([name])

    def let_go(self, partitions: Collection[str]) -> None:
        """See that what these hold now can be freed once it is trimmed."""
        for name in partitions:
            with self._lock:
                offset = self._send(_TURN, b"", self._at(name).partition)
            _turned[self.settings, name] = offset.position
            _trimmed.pop((self.settings, name), None)

    def turn(self, age: float) -> None:
        """Nothing: whoever trims sees to it."""

    def behind(self, done: Offsets) -> dict[str, int]:
        """How many messages follow."""
        return {"records": sum(max(at - done.get(name, 0), 0) for name, at in self.end().items())}

    def where(self, offset: Offset) -> str:
        """What an operator finds the record by."""
        return f"kafka/{offset.partition}"

    def pieces(self) -> int:
        """How many partitions there are."""
        return len(self.end())

    def lingers(self) -> float:
        """Seconds for which brokers may keep the bytes of what was trimmed."""
        return 2 * self._cluster.age() + _CHECK_S

    def close(self) -> None:
        """Give the writing client back; what was appended stays."""
        with self._lock:
            if self._producer is not None:
                quiet(self._producer)
                self._producer = None

    def _name(self, number: int) -> str:
        return f"{self.settings.topic}-{number}"

    def _at(self, name: str) -> TopicPartition:
        return TopicPartition(self.settings.topic, int(name.rpartition("-")[2]))
