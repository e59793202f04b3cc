"""The segment log against a list: any order of appends, crashes, torn tails, trims and reopenings."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.log import frame
from ingest.log.record import encode
from ingest.log.segment import SegmentLog
from tests.ingest.log.records import number, record


class Segments(RuleBasedStateMachine):
    """`kept`: what must be readable, as (position after it, number). `trimmed`: nothing below is promised."""

    @initialize(segment=st.sampled_from([1, 9_000, 1 << 20]))
    def begin(self, segment: int) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.segment = segment
        self.log = SegmentLog(self.folder, "a", segment=segment)
        self.reader = SegmentLog(self.folder)
        self.kept: list[tuple[int, int]] = []
        self.trimmed = 0
        self.next = 0

    def teardown(self) -> None:
        self.log.close()
        shutil.rmtree(self.folder)

    @rule(size=st.integers(0, 6_000))
    def append(self, size: int) -> None:
        offset = self.log.append(record(self.next, size))
        assert not self.kept or offset.position > self.kept[-1][0]
        self.kept.append((offset.position, self.next))
        self.next += 1

    @rule()
    def reopen(self) -> None:
        self.log.close()
        self.log = SegmentLog(self.folder, "a", segment=self.segment)

    @rule(torn=st.binary(max_size=200), whole=st.booleans())
    def crash(self, torn: bytes, whole: bool) -> None:
        """The process dies while a record is being written: some bytes of it, or all, stand in the file."""
        writer = self.log._writer
        assert writer is not None
        position, sequence = writer.position, writer._sequence
        file = self.folder / "a" / frame.name(writer._base)
        place = frame.HEADER + position - writer._base
        os.close(writer._lock)
        os.close(writer._fd)
        with file.open("r+b") as f:
            f.seek(place)
            if whole:
                payload = encode(record(self.next))
                f.write(frame.pack(sequence, payload) + payload)
                self.kept.append((position + frame.FRAME + len(payload), self.next))
                self.next += 1
            f.write(torn)
        self.log = SegmentLog(self.folder, "a", segment=self.segment)

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def trim(self, data: st.DataObject) -> None:
        before = data.draw(st.sampled_from([position for position, _ in self.kept]))
        (self.reader if data.draw(st.booleans()) else self.log).trim({"a": before})
        self.trimmed = max(self.trimmed, before)

    @rule(age=st.sampled_from([-1.0, 1e9]))
    def turn(self, age: float) -> None:
        self.log.turn(age)

    @invariant()
    def every_reader_sees_what_is_kept(self) -> None:
        for log in (self.log, self.reader):
            assert log.end() == {"a": self.kept[-1][0] if self.kept else 0}
            found = [(offset.position, number(r)) for offset, r in log.read({"a": self.trimmed})]
            assert found == [(p, n) for p, n in self.kept if p > self.trimmed]


Segments.TestCase.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
TestSegments = Segments.TestCase
